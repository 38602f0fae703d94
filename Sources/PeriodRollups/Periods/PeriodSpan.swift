/// A run of whole months, such as what `--from 2020-01 --to 2024Q2` names.
public struct PeriodSpan: Hashable, Sendable {
  /// The first month.
  public let first: Period
  /// The last month, itself included.
  public let last: Period

  /// From the first month of `from` to the last month of `through`.
  /// - Returns: nil when `through` ends before `from` begins.
  public init?(from: Period, through: Period) {
    let (first, last) = (from.months[0], through.lastMonth)
    guard first <= last else { return nil }
    self.first = first
    self.last = last
  }

  /// Every month there is: years 1 to 9999.
  public static let all = PeriodSpan(
    first: Period(.month, containing: CalendarDate(uncheckedYear: 1, month: 1, day: 1)),
    last: Period(.month, containing: CalendarDate(uncheckedYear: 9999, month: 12, day: 1)))

  private init(first: Period, last: Period) {
    self.first = first
    self.last = last
  }

  /// The periods of the type that have a day in the span, in order: of those at its ends also what lies outside, because a
  /// quarter can only be computed from all its months.
  public func periods(of type: PeriodType) -> ClosedRange<Period> {
    Period(type, containing: first.start)...Period(type, containing: last.lastDay)
  }

  /// How many periods of each of the types have a day in the span, shorter types first.
  public func counts(of types: some Sequence<PeriodType>) -> [(type: PeriodType, count: Int)] {
    Set(types).sorted().map { ($0, periods(of: $0).count) }
  }

  /// The first day and the day after the last, of all periods of the types that have a day in the span.
  public func bounds(of types: [PeriodType]) -> (from: CalendarDate, to: CalendarDate) {
    let ranges = types.map(periods(of:))
    return (
      ranges.map(\.lowerBound.start).min() ?? first.start,
      ranges.map(\.upperBound.end).max() ?? last.end
    )
  }

  public func contains(_ period: Period) -> Bool {
    first.start <= period.start && period.end <= last.end
  }

  /// The fewest periods that together are exactly this span: quarters where a whole one fits, months elsewhere.
  ///
  /// A report that needs "the last twelve months" reads four quarters and no month when the span ends with a quarter.
  public var cover: [Period] {
    var cover: [Period] = []
    var month = first
    while month <= last {
      let quarter = month.first(.quarter)
      let whole = quarter.start == month.start && quarter.lastMonth <= last
      cover.append(whole ? quarter : month)
      month = (whole ? quarter.lastMonth : month).advanced(by: 1)
    }
    return cover
  }
}

extension PeriodSpan: CustomStringConvertible {
  public var description: String { first == last ? "\(first)" : "\(first) to \(last)" }
}
