import Foundation

/// A period of the calendar, such as the month `2024-06` or the quarter `2024Q2`, in the deployment's reporting time zone.
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
  /// Counts periods of the type: months from January of the year 0, quarters and half-years likewise, financial quarters
  /// from April of the year 0, weeks from the first of the year 1. Differences are what counts: INDICATORS.md's m(x) for
  /// months is this number plus one.
  public let ordinal: Int

  /// - Parameter index: from 1, to 12 for a month, to 4 for a quarter of either year, to 2 for a half-year, to 52 or 53 for
  ///   a week.
  /// - Returns: nil for an index that does not exist, or a period that begins outside the years 1 to 9999.
  public init?(_ type: PeriodType, year: Int, index: Int) {
    guard (0...9999).contains(year), (1...type.mostPerYear).contains(index) else { return nil }
    let period: Period
    if type == .week {
      period = Period(.week, containing: CalendarDate(uncheckedYear: year, month: 1, day: 4))
        .advanced(by: index - 1)
    } else {
      period = Period(type: type, ordinal: year * type.mostPerYear + index - 1)
    }
    // A year of 52 weeks has no 53rd: that one is the next year's first.
    guard period.year == year, period.index == index,
      CalendarDate.years.contains(period.start.year)
    else { return nil }
    self = period
  }

  /// The period of the type that the day lies in.
  public init(_ type: PeriodType, containing day: CalendarDate) {
    guard let months = type.months else {
      self.init(type: type, ordinal: floored(day.daysSince1970 - Self.firstMonday, by: 7))
      return
    }
    let month = day.year * 12 + day.month - 1
    self.init(type: type, ordinal: floored(month - type.firstMonth, by: months))
  }

  private init(type: PeriodType, ordinal: Int) {
    self.type = type
    self.ordinal = ordinal
  }

  /// 0001-01-01, in days since 1970.
  private static let firstMonday = -719_162

  /// The year in its name: of a week the one that its Thursday is in, of a financial quarter the one in which the
  /// financial year begins.
  public var year: Int {
    type == .week ? thursday.year : floored(ordinal, by: type.mostPerYear)
  }

  /// The number in its name: 1 to 12 for a month, and so on.
  public var index: Int {
    guard type == .week else { return ordinal - year * type.mostPerYear + 1 }
    let newYear = CalendarDate(uncheckedYear: thursday.year, month: 1, day: 1)
    return (thursday.daysSince1970 - newYear.daysSince1970) / 7 + 1
  }

  private var thursday: CalendarDate { CalendarDate(daysSince1970: start.daysSince1970 + 3) }

  /// The first day.
  public var start: CalendarDate {
    guard let months = type.months else {
      return CalendarDate(daysSince1970: Self.firstMonday + ordinal * 7)
    }
    let month = ordinal * months + type.firstMonth
    let year = floored(month, by: 12)
    return CalendarDate(uncheckedYear: year, month: month - year * 12 + 1, day: 1)
  }

  /// The day after the last one; in the year 10000 for the last period there is.
  public var end: CalendarDate { advanced(by: 1).start }

  /// The last day.
  public var lastDay: CalendarDate { CalendarDate(daysSince1970: end.daysSince1970 - 1) }

  /// The months that it has days of, in order; a month is its own only one, a week may have days of two.
  public var months: [Period] {
    let first = Period(.month, containing: start)
    return (0...lastMonth.ordinal - first.ordinal).map { first.advanced(by: $0) }
  }

  /// The month this period's care states are evaluated at: its last (INDICATORS.md, "Evaluation month").
  public var lastMonth: Period { Period(.month, containing: lastDay) }

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

  /// By start; of those that begin on one day by the type's code, a month before its quarter. This is the order in which
  /// rows are locked, in SQL by `period_start, period_type`.
  public static func < (a: Period, b: Period) -> Bool {
    (a.start, a.type.code) < (b.start, b.type.code)
  }
}

extension Period: CustomStringConvertible {
  /// `2024-06`, `2024Q2`, `2024-W23`, `2024H1`, `FY2024Q1`: what ``init(parsing:)`` reads and `period_name` holds.
  public var description: String {
    let year = padded(year, to: 4)
    return switch type {
    case .week: "\(year)-W\(padded(index, to: 2))"
    case .month: "\(year)-\(padded(index, to: 2))"
    case .quarter: "\(year)Q\(index)"
    case .financialQuarter: "FY\(year)Q\(index)"
    case .halfYear: "\(year)H\(index)"
    }
  }
}

/// Division that rounds down, for dividends of either sign.
private func floored(_ number: Int, by divisor: Int) -> Int {
  number >= 0 ? number / divisor : (number - divisor + 1) / divisor
}
