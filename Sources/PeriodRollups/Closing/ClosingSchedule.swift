/// What is to be closed when: the day it is, the grace, the first period and what is closed already, as a value that needs
/// no database.
public struct ClosingSchedule: Hashable, Sendable {
  /// In the reporting time zone.
  public let today: CalendarDate
  public let grace: Grace
  public var first: FirstPeriod
  public let closed: Set<Period>

  public init(today: CalendarDate, grace: Grace, first: FirstPeriod, closed: Set<Period>) {
    self.today = today
    self.grace = grace
    self.first = first
    self.closed = closed
  }

  /// Open periods whose grace is over, in the order in which they close; none while the first period is not decided.
  /// - Parameters:
  ///   - last: none that ends after this one.
  ///   - early: also those whose grace is not over.
  public func due(through last: Period? = nil, early: Bool = false) -> [Period] {
    let end = last ?? Period(.month, containing: today)
    guard let first = first.period, let span = PeriodSpan(from: first, through: end) else {
      return []
    }
    let counting = early ? Grace(month: 0, quarter: 0) : grace
    return counting.due(in: span, on: today).filter { !closed.contains($0) }
  }

  /// Every month and quarter from the first, or the one proposed, to today's, in the order in which they close.
  public var periods: [Period] {
    let now = Period(.quarter, containing: today)
    var begins = first.period ?? now
    if case .undecided(let proposal?) = first { begins = proposal.period }
    return PeriodSpan(from: begins, through: now).map(Closing.ordered) ?? []
  }

  /// Where a period stands today.
  public func standing(of period: Period) -> Standing {
    if closed.contains(period) { return .closed }
    return Standing(open: period, on: today, closes: grace.closes(period))
  }

  /// The open periods whose grace is over, each with a sentence: `2024Q2 has been due since 2024-07-16 (12 days)`.
  public var overdue: [(period: Period, sentence: String)] {
    due().compactMap { period in
      standing(of: period).sentence(on: period).map { (period, $0) }
    }
  }

  public enum Standing: Hashable, Sendable {
    case notBegun
    case notOver
    /// Over, and taking late data until the day on which it may be closed.
    case inGrace(until: CalendarDate)
    case due(since: CalendarDate, days: Int)
    case closed

    /// Of a period that is not closed.
    public init(open period: Period, on today: CalendarDate, closes: CalendarDate) {
      self =
        if period.start > today {
          .notBegun
        } else if period.end > today {
          .notOver
        } else if closes > today {
          .inGrace(until: closes)
        } else {
          .due(since: closes, days: today.daysSince1970 - closes.daysSince1970)
        }
    }

    /// In a word or two, for a table.
    public var words: String {
      switch self {
      case .notBegun: "not begun"
      case .notOver: "not over"
      case .inGrace: "open"
      case .due: "due"
      case .closed: "closed"
      }
    }

    /// A sentence without its full stop; nil of what is closed.
    public func sentence(on period: Period) -> String? {
      switch self {
      case .notBegun: "\(period) has not begun: it begins on \(period.start)"
      case .notOver: "\(period) is not over: it ends on \(period.lastDay)"
      case .inGrace(let until): "\(period) is over and takes late data until \(until)"
      case .due(let since, 0): "\(period) is due since today, \(since)"
      case .due(let since, let days):
        "\(period) has been due since \(since) (\(days) \(days == 1 ? "day" : "days"))"
      case .closed: nil
      }
    }
  }
}

// MARK: What a run may close

extension ClosingSchedule {
  /// Three months and their quarter: what becomes due in as long as cron may be off before a person looks.
  public static let usualAtMost = 4

  /// Refuses to close more than is expected.
  /// - Throws: ``Closing/Refusal/tooMany(_:atMost:today:)``.
  public func check(_ periods: [Period], atMost most: Int) throws(Closing.Refusal) {
    if periods.count > most { throw .tooMany(periods, atMost: most, today: today) }
  }

  /// Refuses to close a period that is not to be closed by what is decided.
  /// - Throws: ``Closing/Refusal/undecided(_:)``, ``Closing/Refusal/beforeFirst(_:first:)``.
  public func check(_ period: Period?) throws(Closing.Refusal) {
    if case .undecided(let proposal) = first { throw .undecided(proposal) }
    if let period, let first = first.period, period.start < first.start {
      throw .beforeFirst(period, first: first)
    }
  }

  /// What speaks against publishing periods unseen, a sentence each: nothing is recorded of one, or hardly anything, or
  /// the records end long before it does. An import that did not run looks like that, and a clock that is ahead.
  /// - Parameter activity: of the periods, the twelve months before the first of them, and all since.
  public func doubts(about periods: [Period], _ activity: Activity) -> [String] {
    periods.compactMap { period in
      let total = activity.total(of: period)
      if total == 0 { return "\(period) has no reading, visit or registration at all" }
      let usual = usual(before: period, activity)
      if total * Self.leastShare < usual {
        return
          "\(period) has \(total) events and registrations, where \(usual) are usual in a \(period.type.word)"
      }
      guard let newest = activity.newest else { return nil }
      let quiet = period.lastDay.daysSince1970 - newest.daysSince1970
      return quiet > Self.mostQuietDays
        ? "\(period) ends on \(period.lastDay), but nothing has been recorded after \(newest)" : nil
    }
  }

  /// The first day that ``doubts(about:_:)`` asks about.
  public func firstDayAsked(about periods: [Period]) -> CalendarDate {
    let first = periods.map(\.start).min() ?? today
    return Period(.month, containing: first).advanced(by: -Self.monthsCompared).start
  }

  /// A fifth of what is usual.
  private static let leastShare = 5
  private static let monthsCompared = 12
  /// Less than half a month: whoever sees patients on one day of each month has seen them by the time it closes.
  private static let mostQuietDays = 14

  /// The middle one of the months before the period, of up to twelve from the first period on, times the period's months.
  private func usual(before period: Period, _ activity: Activity) -> Int {
    let month = period.months[0]
    let months = (1...Self.monthsCompared).map { month.advanced(by: -$0) }
      .filter { $0.start >= (first.period?.start ?? $0.start) }
    guard !months.isEmpty else { return 0 }
    let counts = months.map(activity.total(of:)).sorted()
    return counts[(counts.count - 1) / 2] * period.months.count
  }
}
