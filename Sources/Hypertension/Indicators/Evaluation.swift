import PeriodRollups

/// When a period's care states are judged, and which periods' rows that takes (INDICATORS.md, "Patient state as of E").
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

  /// Months since registration or visit < 12.
  var year: PeriodSpan { span(of: 12) }
  /// Months since reading or visit < 3.
  var recent: PeriodSpan { span(of: 3) }

  private func span(of months: Int) -> PeriodSpan {
    PeriodSpan(from: month.advanced(by: 1 - months), through: month) ?? .all
  }

  /// When the cohort was registered: the quarter before, or the month two before.
  var cohort: Period { period.advanced(by: period.type == .quarter ? -1 : -2) }

  /// The months in which the cohort's outcome is looked for.
  var cohortWindow: PeriodSpan {
    let from = period.type == .quarter ? period : period.advanced(by: -1)
    return PeriodSpan(from: from, through: period) ?? .all
  }
}
