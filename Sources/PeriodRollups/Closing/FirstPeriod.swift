/// From which period on a programme's figures are published: nothing before it is closed, listed or offered.
public enum FirstPeriod: Hashable, Sendable {
  /// On record: set by `rollup migrate --first-period`, or with the first closing.
  case decided(Period)
  /// Not on record, but something is closed: the first period that is.
  case firstClosed(Period)
  /// Not on record, and nothing is closed.
  case undecided(proposal: Proposal?)

  /// nil while it is not decided.
  public var period: Period? {
    switch self {
    case .decided(let period), .firstClosed(let period): period
    case .undecided: nil
    }
  }

  /// What the data suggest, and what would be left out.
  public struct Proposal: Hashable, Sendable {
    public let period: Period
    /// Dated before the period, and from it on.
    public let before: Activity.Sum
    public let after: Activity.Sum
  }
}

extension Period {
  /// The quarter that begins on a day, or else the month that the day is in.
  public init(beginning day: CalendarDate) {
    let quarter = Period(.quarter, containing: day)
    self = quarter.start == day ? quarter : Period(.month, containing: day)
  }
}

/// How much there is of each month: of each rollup its rows, one a subject with an event in the month, and how many
/// subjects were registered in it.
public struct Activity: Hashable, Sendable {
  /// By the rollup's name.
  public var events: [String: [Period: Int]] = [:]
  public var registrations: [Period: Int] = [:]
  /// The latest day with an event, up to today.
  public var newest: CalendarDate?

  public init() {}

  /// What some months have, by name.
  public struct Sum: Hashable, Sendable, CustomStringConvertible {
    /// By the rollup's name.
    public var events: [String: Int]
    public var registrations: Int

    public var isNothing: Bool { registrations == 0 && events.values.allSatisfy { $0 == 0 } }

    /// `3 blood-pressure, 4 visits (a patient once a month), 1 registration`
    public var description: String {
      let counted = events.filter { $0.value > 0 }.sorted { $0.key < $1.key }.map {
        "\($0.value) \($0.key)"
      }
      let each =
        counted.isEmpty
        ? [] : [counted.joined(separator: ", ") + " (each patient once a month)"]
      let registered =
        registrations == 1 ? "1 registration" : "\(registrations) registrations"
      return isNothing
        ? "nothing" : (each + (registrations > 0 ? [registered] : [])).joined(separator: ", ")
    }
  }

  /// What the months have that a condition holds for.
  public func sum(where holds: (Period) -> Bool) -> Sum {
    func sum(_ months: [Period: Int]) -> Int {
      months.reduce(0) { holds($1.key) ? $0 + $1.value : $0 }
    }
    return Sum(events: events.mapValues(sum), registrations: sum(registrations))
  }

  /// Events and registrations together.
  public func total(of period: Period) -> Int {
    period.months.reduce(0) { sum, month in
      sum + (registrations[month] ?? 0) + events.values.reduce(0) { $0 + ($1[month] ?? 0) }
    }
  }
}

// MARK: The proposal

extension Activity {
  /// The month from which on events run without long gaps, whatever a few mistyped dates say.
  ///
  /// A month is *busy* that has at least a twentieth of the usual: of the size that half of all events are in months of.
  /// The first busy month begins the programme: in the middle of a quarter, that quarter is not published. But where more than three months in a row are not busy, and all that
  /// lies before the gap is less than a twentieth of all events, the programme begins after the gap. Registrations decide
  /// only where there is no event.
  /// - Parameter today: what is dated later is not looked at, nor what is of before 1990.
  public func proposal(on today: CalendarDate) -> FirstPeriod.Proposal? {
    let months = countedMonths(until: today)
    let total = months.reduce(0) { $0 + $1.count }
    guard let usual = Self.usual(months.map(\.count)) else { return nil }
    let busy = months.filter { $0.count * Self.share >= usual }.map(\.month)
    guard var first = busy.first else { return nil }
    for (month, next) in zip(busy, busy.dropFirst())
    where month.distance(to: next) - 1 > Self.longestGap {
      let before = months.reduce(0) { $1.month < next ? $0 + $1.count : $0 }
      if before * Self.share < total { first = next }
    }
    return FirstPeriod.Proposal(
      period: Period(beginning: first.start), before: sum { $0.start < first.start },
      after: sum { $0.start >= first.start })
  }

  /// A twentieth.
  private static let share = 20
  /// Months.
  private static let longestGap = 3

  private func countedMonths(until today: CalendarDate) -> [(month: Period, count: Int)] {
    var counts: [Period: Int] = [:]
    for months in events.values { counts.merge(months, uniquingKeysWith: +) }
    if counts.isEmpty { counts = registrations }
    return counts.filter {
      $0.key.start >= Closing.earliest && $0.key.start <= today && $0.value > 0
    }
    .map { (month: $0.key, count: $0.value) }.sorted { $0.month < $1.month }
  }

  /// The largest size such that half of all lies in months of this size or more.
  private static func usual(_ counts: [Int]) -> Int? {
    let half = (counts.reduce(0, +) + 1) / 2
    var sum = 0
    for count in counts.sorted(by: >) {
      sum += count
      if sum >= half { return count }
    }
    return nil
  }
}
