/// When periods close: so many days after their end, by the reporting time zone's calendar.
public struct Grace: Hashable, Sendable {
  /// Days after a month's end.
  public var month: Int
  /// Days after a quarter's end.
  public var quarter: Int

  public static let standard = Grace(month: 15, quarter: 15)

  public init(month: Int, quarter: Int) {
    self.month = month
    self.quarter = quarter
  }

  /// The first day on which a period may be closed: 15 days after 30 June is 15 July, so 16 July with a grace of 15.
  public func closes(_ period: Period) -> CalendarDate {
    let days = period.type <= .month ? month : quarter
    return CalendarDate(daysSince1970: period.end.daysSince1970 + days)
  }

  /// The periods of a span whose grace is over, oldest first, months before their quarter.
  public func due(in span: PeriodSpan, on today: CalendarDate) -> [Period] {
    Closing.ordered(in: span).filter { closes($0) <= today }
  }
}

/// Rules of closing that need no database.
public enum Closing {
  /// The types of periods that are closed: those that indicators are published for (INDICATORS.md). Rows of others are
  /// always those that the sources have now.
  public static let types: [PeriodType] = [.month, .quarter]

  /// Nothing of before is reported: dates of 1914 are mistakes, and have a remainder of their own.
  public static let earliest = CalendarDate(uncheckedYear: 1990, month: 1, day: 1)

  /// Every month and quarter that lies wholly in a span, in the order in which they close: by their ends, months
  /// before their quarter.
  public static func ordered(in span: PeriodSpan) -> [Period] {
    types.flatMap { type in
      span.periods(of: type).filter { span.contains($0) }
    }
    .sorted { ($0.end, $0.type) < ($1.end, $1.type) }
  }

  /// Why a period cannot be closed.
  public enum Refusal: Error, Hashable, Sendable {
    /// It is not over on this day.
    case notOver(Period, today: CalendarDate)
    /// Its grace is not over; `early` closes it all the same.
    case early(Period, closes: CalendarDate, today: CalendarDate)
    case alreadyClosed(Period, edition: Int)
    /// Asked to restate, or to read the edition of, a period that is open.
    case open(Period)
    case noSuchEdition(Period, Int, last: Int)
    case noReason(Period)
    /// Of a type that nothing is published for.
    case staysOpen(Period)
    /// A backfill of it is not finished: its rows may be half there.
    case beingFilled(Period, run: Int64, begun: String)
    /// Its rows are not what the sources say: how many, and some of them, by ids.
    case differs(Period, rows: Int, examples: [String], isClosed: Bool)
    /// Asked to close something before it was decided from which period on figures are published.
    case undecided(FirstPeriod.Proposal?)
    /// It lies before the first period whose figures are published.
    case beforeFirst(Period, first: Period)
    /// A first period that is no month or quarter from 1990 to a year from now.
    case noFirstPeriod(Period)
    /// Asked to begin after something that is closed already.
    case closedBeforeFirst(Period, first: Period)
    /// More periods are due than one run closes unasked.
    case tooMany([Period], atMost: Int, today: CalendarDate)
    /// Periods that look as if their data were missing, a sentence each.
    case doubtful([String], today: CalendarDate)
    /// Whoever owns these could run code with the rights of whoever closes, a sentence each.
    case untrustedSources([String])
  }

  /// Whether a period may be closed on a day.
  /// - Throws: ``Refusal``.
  public static func check(
    _ period: Period, on today: CalendarDate, grace: Grace, early: Bool
  ) throws(Refusal) {
    guard types.contains(period.type) else { throw .staysOpen(period) }
    if period.end > today { throw .notOver(period, today: today) }
    let closes = grace.closes(period)
    if closes > today, !early { throw .early(period, closes: closes, today: today) }
  }
}

extension Closing.Refusal: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notOver(let period, let today):
      "\(period) ends on \(period.lastDay); today is \(today). A period closes when it is over."
    case .early(let period, let closes, let today):
      "\(period) takes late data until \(closes); today is \(today). '--early' closes it now and cuts that time off."
    case .alreadyClosed(let period, let edition):
      "\(period) is closed (edition \(edition)). 'rollup restate' makes a new edition, with a reason."
    case .open(let period):
      "\(period) is not closed: it has no edition. 'rollup close --list' says where each period stands."
    case .noSuchEdition(let period, let edition, let last):
      "\(period) has no edition \(edition); its last is \(last)."
    case .noReason(let period):
      "a restatement of \(period) needs a reason: --reason \"...\"."
    case .staysOpen(let period):
      "\(period) is a \(period.type.word); figures are published, and periods closed, for months and quarters only."
    case .beingFilled(let period, let run, let begun):
      "\(period) is being backfilled by run \(run), begun \(begun), which is not finished: figures published now could lack rows. "
        + "'rollup-backfill --join \(run)' or 'rollup-backfill --resume' finishes it, '--give-up \(run)' gives it up; "
        + "'--despite-backfill' publishes what is there."
    case .differs(let period, let rows, let examples, let isClosed):
      "\(period) is not published: \(rows) of its rows are not what the sources say"
        + (isClosed ? ", with what came late. " : ". ")
        + (isClosed
          ? "'rollup verify --known-now' lists them, 'rollup verify --known-now --repair' makes what came late right; "
          : "'rollup verify' lists them, 'rollup-backfill' or 'rollup verify --repair' makes them right; ")
        + "'--despite-backfill' publishes what is there.\n  "
        + examples.joined(separator: "\n  ")
        + (rows > examples.count ? "\n  and \(rows - examples.count) more" : "")
    default: Self.words(self)
    }
  }

  /// Whether it was asked for wrongly, and not refused by what is closed or may be.
  public var isUsage: Bool { if case .noFirstPeriod = self { true } else { false } }

  /// Of what is refused so that nothing is published by accident.
  private static func words(_ refusal: Closing.Refusal) -> String {
    switch refusal {
    case .undecided(let proposal): undecided(proposal)
    case .beforeFirst(let period, let first):
      "\(period) is before \(first), the first period: nothing before it is published. "
        + "'rollup migrate --first-period \(period)' moves the first period."
    case .noFirstPeriod(let period):
      "\(period) cannot be the first period. Expected a month or quarter from 1990 to a year from now, such as 2024Q1."
    case .closedBeforeFirst(let period, let first):
      "\(period) is closed, so that the first period cannot become \(first)."
    case .tooMany(let periods, let most, let today):
      "\(periods.count) periods are due on \(today), and one run closes at most \(most): "
        + "\(listed(periods)). Nothing was closed. The same command with --dry-run shows them; if that day and they "
        + "are right, with '--at-most \(periods.count)' it closes them."
    case .doubtful(let sentences, let today):
      "\(some(sentences)). Nothing was closed: an import may not have run, or the server's day, \(today), "
        + "be wrong. If it is right, '--yes' closes all the same."
    case .untrustedSources(let sentences):
      "whoever owns what the sources are made of could run code with this role's rights: "
        + "\(sentences.joined(separator: "; ")). Nothing was done. Expected as owner: a superuser, the database's owner, "
        + "this role, or a member of rollup_owner or rollup_closer ('Roles' in docs/closing.md)."
    default: "refused"
    }
  }

  private static func undecided(_ proposal: FirstPeriod.Proposal?) -> String {
    let example = proposal?.period.description ?? "2024Q1"
    let suggested =
      proposal.map {
        "The data suggest \($0.period); dated before it: \($0.before); from it on: \($0.after). "
      } ?? "There is no data that would suggest one. "
    return "it is not decided which period is the first whose figures are published. \(suggested)"
      + "Nothing was closed. 'rollup migrate --first-period \(example)' decides it, or 'rollup close' with '--first-period \(example)'."
  }

  private static func some(_ sentences: [String]) -> String {
    let most = 6
    let rest = sentences.count > most ? ["and \(sentences.count - most) more"] : []
    return (sentences.prefix(most) + rest).joined(separator: "; ")
  }

  /// `2024-01, 2024-02, … 2025Q4`
  private static func listed(_ periods: [Period]) -> String {
    guard periods.count > 12, let last = periods.last else {
      return periods.map(\.description).joined(separator: ", ")
    }
    return periods.prefix(8).map(\.description).joined(separator: ", ") + ", … \(last)"
  }
}
