import PeriodRollups

/// When a period's care states are judged, and which periods' rows that takes (INDICATORS.md,
/// "Patient state as of E").
public struct Evaluation: Sendable, Hashable {
  public let period: Period
  /// E: the period's last month, or the month of now while it is not over.
  public let month: Period

  /// - Parameter today: the day it is in the reporting time zone.
  public init(_ period: Period, today: CalendarDate) {
    self.period = period
    let now = Period(.month, containing: today)
    month = min(period.lastMonth, now)
  }

  /// The last three months, "months since reading or visit < 3", as the fewest periods that also
  /// tell the cohort's window apart.
  var recent: [Period] {
    sharesWindow ? lastMonths(3).cover : Array(lastMonths(3).periods(of: .month))
  }

  /// The last twelve months, "months since visit < 12"; those of ``recent`` are the last of them.
  var year: [Period] {
    let earlier = PeriodSpan(from: month.advanced(by: -11), through: month.advanced(by: -3))
    return (earlier?.cover ?? []) + recent
  }

  private func lastMonths(_ count: Int) -> PeriodSpan {
    PeriodSpan(from: month.advanced(by: 1 - count), through: month) ?? .all
  }

  /// A quarter that is over is its own last three months.
  private var sharesWindow: Bool { period.type == .quarter && period.lastMonth == month }

  /// When the cohort was registered: the quarter before, or the month two before.
  var cohort: Period { period.advanced(by: period.type == .quarter ? -1 : -2) }

  /// Where the cohort's outcome is looked for: the quarter, or the last two months.
  var cohortWindow: [Period] {
    period.type == .quarter ? [period] : [period.advanced(by: -1), period]
  }
}
