import Hypertension
import PeriodRollups
import Postgres

/// ``DistrictBPReport`` for callers that know which report they want.
public struct DistrictBP: Sendable {
  public typealias View = ReportView

  public var period: Period
  public var district: String?
  public var state: String?
  public var limits: ControlLimits
  public var view: View

  public init(
    _ period: Period, district: String? = nil, state: String? = nil,
    limits: ControlLimits = .standard, view: View = .published
  ) {
    self.period = period
    self.district = district
    self.state = state
    self.limits = limits
    self.view = view
  }

  /// Makes the report from the rollups and facilities, or from what was published; nothing else is read.
  /// - Parameter today: the day it is in the reporting time zone; nil to ask the database.
  /// - Throws: as ``Report/make(_:_:)``.
  public func make(_ pool: Pool, today: CalendarDate? = nil) async throws -> ReportTable {
    try await DistrictBPReport.report.make(question(today), pool)
  }

  /// Published, known now, and the difference, side by side.
  /// - Throws: as ``make(_:today:)``; ``Closing/Refusal/open(_:)`` for an open period.
  public func compare(_ pool: Pool, today: CalendarDate? = nil) async throws -> ReportTable {
    var question = question(today)
    question.isComparison = true
    return try await DistrictBPReport.report.make(question, pool)
  }

  /// The patients behind a figure.
  /// - Throws: as ``make(_:today:)``.
  public func patients(
    _ indicator: Indicator, _ pool: Pool, today: CalendarDate? = nil
  ) async throws -> ReportTable {
    var question = question(today)
    question.patients = indicator
    return try await DistrictBPReport.report.make(question, pool)
  }

  private func question(_ today: CalendarDate?) -> ReportQuestion {
    ReportQuestion(
      period...period, region: RegionChoice(state: state, district: district), view: view,
      limits: limits, today: today)
  }
}
