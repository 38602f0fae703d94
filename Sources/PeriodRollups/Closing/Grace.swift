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
      "\(period) is open: it has no edition yet. 'rollup close' closes it."
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
    }
  }
}
