import Foundation
import Hypertension
import PeriodRollups
import Reports
import RollupStore

/// The frame that every page has, and the pages that read nothing.
enum Pages {
  /// - Parameters:
  ///   - visitor: nil before the login.
  ///   - form: what makes a form ours (``Gate/isOurForm(_:_:)``).
  static func page(
    _ title: String, for visitor: Gate.Visitor? = nil, form: String = "", _ body: [HTML]
  ) -> HTML {
    let leave: HTML? = visitor.flatMap { visitor in
      visitor.isLoggedIn
        ? """
        <form method="post" action="/logout"><input type="hidden" name="form" value="\(form)"><button>Log out</button></form>
        """ : nil
    }
    let who: HTML? = visitor.map { visitor in
      """
      <span>\(visitor.admission.name): \(visitor.admission.scope.description), \
      \(visitor.admission.readsLists ? "figures and lists" : "figures")</span>
      """
    }
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(title)</title>
      <link rel="stylesheet" href="/style.css">
      </head>
      <body>
      <a class="skip" href="#content">To the figures</a>
      <header><a href="/">Hypertension control</a>\(who)\(leave)</header>
      <main id="content">
      \(body)
      </main>
      <footer>Figures of hypertensive patients. An open period can still change; a closed one only by a restatement, which is a new edition.</footer>
      </body>
      </html>

      """
  }

  static func login(form: String, wrong: String? = nil) -> HTML {
    let complaint: HTML? = wrong.map { "<p class=\"wrong\" role=\"alert\">\($0)</p>" }
    return page(
      "Log in",
      [
        "<h1>Log in</h1>", complaint ?? "",
        """
        <form method="post" action="/login" class="asks">
        <input type="hidden" name="form" value="\(form)">
        <label>Access token <input type="password" name="token" autocomplete="current-password" required></label>
        <button>Log in</button>
        </form>
        <p>Tokens are given out by whoever runs this service.</p>
        """,
      ])
  }

  static func refusal(_ refusal: Refusal, _ request: String) -> HTML {
    page(
      refusal.status.reasonPhrase,
      [
        "<h1>\(refusal.status.reasonPhrase)</h1>",
        "<p class=\"wrong\" role=\"alert\">\(refusal.message)</p>",
        "<p><a href=\"/\">To the overview</a></p>",
        "<p>Request <code>\(request)</code></p>",
      ])
  }

  // MARK: Parts

  /// How far the period is: open or closed, edition and digest.
  static func standing(_ period: Period, _ calendar: Calendar, _ view: Asking.View) -> HTML {
    guard let edition = calendar.editions[period] else {
      return """
        <p class="standing"><strong>\(period) is open.</strong> Its figures can still change.</p>
        """
    }
    let reason: HTML? = edition.reason.map { " Restated: \($0)." }
    let shown: HTML =
      view == .knownNow
      ? "<strong>\(period) is closed; these are its figures as they would be today.</strong>"
      : "<strong>\(period) is closed: edition \(edition.edition.number).</strong>"
    return """
      <p class="standing">\(shown) Closed at \(edition.closedAt.description).\(reason)<br>Digest <code>\(edition.digest)</code></p>
      """
  }

  /// The period picker, which keeps what else is asked.
  static func picker(_ link: Link, _ period: Period, _ calendar: Calendar, _ view: Asking.View)
    -> HTML
  {
    let kept = link.query.filter { !["period", "view"].contains($0.name) }.map {
      name, value -> HTML in
      "<input type=\"hidden\" name=\"\(name)\" value=\"\(value)\">"
    }
    func options(_ type: PeriodType) -> [HTML] {
      calendar.periods(type).map { one in
        let mark: HTML = one == period ? " selected" : ""
        let standing = calendar.editions[one] == nil ? "open" : "closed"
        return
          "<option value=\"\(one.description)\"\(mark)>\(one.description), \(standing)</option>"
      }
    }
    let views: [HTML] = [
      (Asking.View.published, "As published, or so far"), (.knownNow, "As known now"),
    ].map { one, name in
      let mark: HTML = one == view ? " selected" : ""
      return "<option value=\"\(one.rawValue)\"\(mark)>\(name)</option>"
    }
    return """
      <form method="get" action="\(link.path)" class="asks">
      \(kept)
      <label>Period <select name="period">
      <optgroup label="Quarters">\(options(.quarter))</optgroup>
      <optgroup label="Months">\(options(.month))</optgroup>
      </select></label>
      <label>Figures <select name="view">\(views)</select></label>
      <button>Show</button>
      </form>
      """
  }

  static func path(_ steps: [(name: String, link: Link)]) -> HTML {
    guard !steps.isEmpty else { return "" }
    let items = steps.map { step -> HTML in "<li><a href=\"\(step.link)\">\(step.name)</a></li>" }
    return "<nav aria-label=\"Regions\"><ol class=\"path\">\(items)</ol></nav>"
  }

  /// A table of some columns of a report.
  /// - Parameters:
  ///   - heading: of the first column, which names the row.
  ///   - link: where the row's name leads.
  static func table(
    _ caption: String, _ heading: String, _ table: ReportTable, _ columns: [String],
    rows: [ReportTable.Row]? = nil, link: (ReportTable.Row) -> Link? = { _ in nil }
  ) -> HTML {
    let places = columns.compactMap { table.place(of: $0) }
    let heads = places.map { place -> HTML in
      let column = table.columns[place]
      return "<th scope=\"col\"\(column.isNumber ? numeric : "")>\(column.heading)</th>"
    }
    let lines = (rows ?? Array(table.rows)).map { row -> HTML in
      let name: HTML = link(row).map { "<a href=\"\($0)\">\(row.label)</a>" } ?? "\(row.label)"
      let cells = places.map { place -> HTML in
        "<td\(table.columns[place].isNumber ? numeric : "")>\(row.cells[place].html)</td>"
      }
      return "<tr><th scope=\"row\">\(name)</th>\(cells)</tr>"
    }
    return """
      <div class="wide" tabindex="0" role="region" aria-label="\(caption)">
      <table>
      <caption>\(caption)</caption>
      <thead><tr><th scope="col">\(heading)</th>\(heads)</tr></thead>
      <tbody>
      \(lines)
      </tbody>
      </table>
      </div>
      """
  }

  private static let numeric: HTML = " class=\"n\""
}

extension ReportTable.Cell {
  var html: HTML {
    switch self {
    case .text(let text): "\(text)"
    case .integer(let number): "\(number)"
    case .rate(let tenths):
      "\(tenths < 0 ? "-" : "")\(Int(tenths.magnitude / 10)).\(Int(tenths.magnitude % 10))"
    case .empty: "<span aria-label=\"none\">–</span>"
    case .hidden: "<span aria-label=\"not shown\">\(Self.hiddenMark)</span>"
    }
  }

  var text: String? { if case .text(let text) = self { text } else { nil } }
}
