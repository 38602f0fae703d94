import Foundation

/// A calendar month or quarter, such as `2024-06` or `2024Q2`, in the deployment's reporting time zone.
///
/// A period is a value of the calendar: it begins at midnight of ``start`` and ends just before midnight of ``end``,
/// wherever the clock that shows midnight is. Only ``contains(_:in:)`` needs a zone.
///
/// ```swift
/// let quarter = try Period(parsing: "2024Q2")
/// quarter.start           // 2024-04-01
/// quarter.advanced(by: 1) // 2024Q3
/// quarter.months          // 2024-04, 2024-05, 2024-06
/// ```
public struct Period: Hashable, Sendable {
  public let type: PeriodType
  /// Counts periods of the type from the year 0: `year * perYear + index`. INDICATORS.md's m(x) for months is
  /// this number plus one; differences are the same.
  public let ordinal: Int

  /// - Parameter index: 1 to 12 for a month, 1 to 4 for a quarter.
  /// - Returns: nil for an index that does not exist, or a year outside 1 to 9999.
  public init?(_ type: PeriodType, year: Int, index: Int) {
    guard CalendarDate.years.contains(year), (1...type.perYear).contains(index) else { return nil }
    self.init(type: type, ordinal: year * type.perYear + index - 1)
  }

  /// The period of the type that the day lies in.
  public init(_ type: PeriodType, containing day: CalendarDate) {
    self.init(type: type, ordinal: day.year * type.perYear + (day.month - 1) / type.months)
  }

  private init(type: PeriodType, ordinal: Int) {
    self.type = type
    self.ordinal = ordinal
  }

  public var year: Int { ordinal / type.perYear }

  /// 1 to 12 for a month, 1 to 4 for a quarter.
  public var index: Int { ordinal % type.perYear + 1 }

  /// The first day.
  public var start: CalendarDate {
    CalendarDate(uncheckedYear: year, month: (index - 1) * type.months + 1, day: 1)
  }

  /// The day after the last one; in the year 10000 for the last period there is.
  public var end: CalendarDate { advanced(by: 1).start }

  /// The months in this period, in order; a month is its own only one.
  public var months: [Period] {
    (0..<type.months).map { Period(type: .month, ordinal: ordinal * type.months + $0) }
  }

  /// The month this period's care states are evaluated at: its last (INDICATORS.md, "Evaluation month").
  public var lastMonth: Period {
    Period(type: .month, ordinal: (ordinal + 1) * type.months - 1)
  }

  /// The period of the given type in which this one begins.
  public func first(_ type: PeriodType) -> Period { Period(type, containing: start) }

  public func contains(_ day: CalendarDate) -> Bool { start <= day && day < end }

  /// Whether an instant is in this period for a clock in `timeZone`.
  ///
  /// Rollups never ask this: PostgreSQL assigns readings to periods, by its own time zone data, so that the
  /// write path, the backfill and verification cannot disagree. This is the same rule for code without a server; before
  /// 1970 the two may differ, where they were packaged from different histories of a zone.
  public func contains(_ instant: Date, in timeZone: TimeZone) -> Bool {
    let seconds = Int(instant.timeIntervalSince1970.rounded(.down))
    let local = seconds + timeZone.secondsFromGMT(for: instant)
    let days = Int((Double(local) / 86_400).rounded(.down))
    return start.daysSince1970 <= days && days < end.daysSince1970
  }

  public func contains(_ other: Period) -> Bool { start <= other.start && other.end <= end }
}

extension Period: Strideable {
  public func distance(to other: Period) -> Int {
    precondition(type == other.type, "a month and a quarter have no distance")
    return other.ordinal - ordinal
  }

  /// The period `n` later (negative: earlier) of the same type.
  public func advanced(by n: Int) -> Period { Period(type: type, ordinal: ordinal + n) }

  /// Strideable would compare by distance, which a month and a quarter do not have.
  public static func == (a: Period, b: Period) -> Bool {
    a.type == b.type && a.ordinal == b.ordinal
  }

  /// By start; a month before the quarter that begins with it. This is the order in which rows are locked.
  public static func < (a: Period, b: Period) -> Bool {
    (a.start, a.type.months) < (b.start, b.type.months)
  }
}

extension Period: CustomStringConvertible {
  /// `2024-06` or `2024Q2`: what ``init(parsing:)`` reads and `period_name` holds.
  public var description: String {
    switch type {
    case .month: "\(padded(year, to: 4))-\(padded(index, to: 2))"
    case .quarter: "\(padded(year, to: 4))Q\(index)"
    }
  }
}
