import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore

/// What a page says, the same for all who may see it.
struct Page: Sendable {
  let title: String
  let body: HTML

  init(title: String, body: [HTML]) {
    self.title = title
    self.body = "\(body)"
  }
}

/// The frame that every page has, and the pages that read nothing.
enum Pages {
  /// - Parameters:
  ///   - visitor: nil before the login.
  ///   - form: what makes a form ours (``Gate/isOurForm(_:_:)``).
  static func framed(_ page: Page, for visitor: Gate.Visitor? = nil, form: String = "") -> HTML {
    let leave: HTML? = visitor.flatMap { visitor -> HTML? in
      guard visitor.isLoggedIn else { return nil }
      return """
        <form method="post" action="/logout"><input type="hidden" name="form" value="\(form)"><button>Log out</button></form>
        """
    }
    let who: HTML? = visitor.map { visitor -> HTML in
      let rights = visitor.admission.readsLists ? "figures and lists" : "figures"
      return
        "<p>\(visitor.admission.name), \(visitor.admission.opens): \(rights)</p>"
    }
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(page.title)</title>
      <link rel="stylesheet" href="/style.css">
      <link rel="icon" href="/icon.svg" type="image/svg+xml">
      </head>
      <body>
      <a class="skip" href="#content">Skip to the content</a>
      <header>
      <a class="home" href="/">Hypertension control</a>
      \(who)
      \(leave)
      </header>
      <main id="content" tabindex="-1">
      \(page.body)
      </main>
      <footer><p>Figures of hypertensive patients. An open period can still change; a closed one only by a restatement, which is a new edition.</p></footer>
      </body>
      </html>

      """
  }

  /// - Parameter next: where it leads.
  static func login(form: String, next: Link?, wrong: String?) -> HTML {
    let wanted: HTML? = next.map { link -> HTML in
      "<input type=\"hidden\" name=\"next\" value=\"\(link)\">"
    }
    let complaint: HTML? = wrong.map { text -> HTML in
      "<p class=\"wrong\" role=\"alert\" id=\"wrong\">\(text)</p>"
    }
    let describes: HTML = wrong == nil ? "" : " aria-invalid=\"true\" aria-describedby=\"wrong\""
    let page = Page(
      title: "Log in",
      body: [
        """
        <h1>Log in</h1>
        \(complaint)
        <form method="post" action="/login" class="asks">
        <input type="hidden" name="form" value="\(form)">\(wanted)
        <label>Access token <input type="password" name="token" autocomplete="current-password" required\(describes)></label>
        <button>Log in</button>
        </form>
        <p>Tokens are given out by whoever runs this service. A login lasts twelve hours, or until you log out.</p>
        """
      ])
    return framed(page)
  }

  static func refusal(_ refusal: Refusal, _ request: String) -> HTML {
    let page = Page(
      title: refusal.status.reasonPhrase,
      body: [
        """
        <h1>\(refusal.status.reasonPhrase)</h1>
        <p class="wrong" role="alert">\(refusal.message)</p>
        <p><a href="/">To the overview</a></p>
        <p>Request <code>\(request)</code></p>
        """
      ])
    return framed(page)
  }

  // MARK: Parts

  /// How far the period is: open or closed, edition and digest.
  static func standing(_ period: Period, _ calendar: Calendar, _ view: Asking.View) -> HTML {
    guard let edition = calendar.edition(of: period, view) else {
      return open(period, calendar)
    }
    let number = edition.edition.number
    let isLast = number == calendar.last(of: period)?.edition.number
    let shown: HTML =
      view == .knownNow
      ? "<strong>\(period) is closed; these are its figures as they would be today.</strong> What was published is edition \(number)."
      : isLast
        ? "<strong>\(period) is closed: edition \(number).</strong>"
        : "<strong>\(period) is closed: edition \(number), which is not the last.</strong>"
    let reason: HTML? = edition.reason.map { text -> HTML in " Restated: \(text)." }
    return """
      <p class="standing">\(shown) Closed at \(edition.closedAt.minute).\(reason)<br>Digest <code>\(edition.digest)</code></p>
      """
  }

  /// What an open period's figures are: nobody should take them for the last word.
  private static func open(_ period: Period, _ calendar: Calendar) -> HTML {
    let closes = calendar.grace.closes(period)
    let standing: HTML =
      switch PeriodProgress(period, on: calendar.today, grace: calendar.grace) {
      case .notBegun:
        "<strong>\(period) has not begun.</strong> It begins on \(period.start.description)."
      case .running:
        "<strong>\(period) is not over.</strong> These are its figures so far; it ends on \(period.lastDay.description) and closes on \(closes.description)."
      case .over:
        "<strong>\(period) is open.</strong> Its figures can still change; it closes on \(closes.description)."
      case .overdue:
        "<strong>\(period) is open.</strong> Its figures can still change. It is overdue since \(closes.description), when it should have been closed."
      }
    return "<p class=\"standing\">\(standing)</p>"
  }

  /// The period picker, which keeps what else is asked: the last few to choose from, and a field for any other.
  /// - Parameter isThere: whether the region is there today; open periods have nothing of another one.
  static func picker(
    _ link: Link, _ period: Period, _ calendar: Calendar, _ view: Asking.View, isThere: Bool
  ) -> HTML {
    let kept = link.query.filter { !["period", "view"].contains($0.name) }.map { pair -> HTML in
      "<input type=\"hidden\" name=\"\(pair.name)\" value=\"\(pair.value)\">"
    }
    let views = choices(of: period, calendar).map { one, name -> HTML in
      let mark: HTML = one == view ? " selected" : ""
      return "<option value=\"\(one.text)\"\(mark)>\(name)</option>"
    }
    return """
      <form method="get" action="\(link.path)" class="asks">
      \(kept)
      <label>Period <select name="period">
      \(years(period, calendar, .quarter, latest: 6, isThere: isThere))
      \(years(period, calendar, .month, latest: 12, isThere: isThere))
      </select></label>
      <label>Another period <input name="other" size="8" placeholder="\(calendar.usual)" pattern="[0-9]{4}(-[0-9]{2}|Q[1-4])" title="A quarter such as 2024Q2 or a month such as 2024-06"></label>
      <label>Figures <select name="view">
      \(views)
      </select></label>
      <button>Show</button>
      </form>
      """
  }

  /// Options of the last periods of a type, by year, and of the one that is shown.
  private static func years(
    _ shown: Period, _ calendar: Calendar, _ type: PeriodType, latest count: Int, isThere: Bool
  ) -> [HTML] {
    // What has moved away since was there before.
    var periods = calendar.latest(count, type).filter { one in
      isThere || calendar.last(of: one) != nil && one.end <= shown.end
    }
    if shown.type == type, !periods.contains(shown) { periods.append(shown) }
    let byYear = Dictionary(grouping: periods, by: \.start.year)
    return byYear.sorted { $0.key > $1.key }.map { year, periods -> HTML in
      let options = periods.map { one -> HTML in
        let mark: HTML = one == shown ? " selected" : ""
        return "<option value=\"\(one)\"\(mark)>\(one), \(calendar.standing(of: one))</option>"
      }
      return """
        <optgroup label="\(type == .quarter ? "Quarters" : "Months") of \(String(year))">
        \(options)
        </optgroup>
        """
    }
  }

  /// The views that there are of a period; also of an open one, since another period may be picked with them.
  private static func choices(of period: Period, _ calendar: Calendar) -> [(Asking.View, String)] {
    var choices: [(Asking.View, String)] = [(.published, "As published, or so far")]
    for edition in (calendar.editions[period] ?? []).dropLast().reversed() {
      let number = edition.edition.number
      choices.append((.edition(number), "As published in edition \(number)"))
    }
    return choices + [(.knownNow, "As known now"), (.compared, "Published and known now")]
  }

  static func path(_ steps: [(name: String, link: Link)]) -> HTML {
    guard !steps.isEmpty else { return "" }
    let items = steps.map { step -> HTML in "<li><a href=\"\(step.link)\">\(step.name)</a></li>" }
    return "<nav aria-label=\"Regions\"><ol class=\"path\">\(items)</ol></nav>"
  }
}

extension Timestamp {
  /// For people: `2024-07-16 04:30 UTC`.
  var minute: String { String(description.prefix(16)).replacing("T", with: " ") + " UTC" }
}

extension ReportTable.Cell {
  var html: HTML {
    switch self {
    case .empty: "<abbr title=\"none\">–</abbr>"
    case .hidden: "<abbr title=\"not shown\">\(Self.hiddenMark)</abbr>"
    default: "\(shown(dash: ""))"
    }
  }
}
