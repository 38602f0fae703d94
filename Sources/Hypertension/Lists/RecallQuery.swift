import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// A patient to be called: under care, registered three months ago or more, and either without a visit in the last three
/// months or uncontrolled at the most recent reading of them (INDICATORS.md, "outcome").
public struct RecallPatient: Hashable, Sendable {
  public let id: UUID
  public let facility: UUID?
  /// The first day of the month of registration.
  public let registeredMonth: CalendarDate
  /// The days of the most recent visit and reading of the last twelve months, in the reporting time zone; nil without one.
  public let lastVisit: CalendarDate?
  public let lastReading: CalendarDate?
  public let pressure: Pressure?
  public let missedVisit: Bool
}

/// Who is to be called, of some facilities, as of a day; from the rollups alone.
public struct RecallQuery: Sendable {
  public let evaluation: Evaluation
  public let limits: ControlLimits
  public let facilities: [UUID]
  public let closed: Set<Period>

  /// - Parameter closed: the periods that are closed: of these, what came late is read too.
  public init(
    _ evaluation: Evaluation, limits: ControlLimits, facilities: [UUID], closed: Set<Period>
  ) {
    self.evaluation = evaluation
    self.limits = limits
    self.facilities = facilities
    self.closed = closed
  }

  public func run(_ tx: borrowing Transaction) async throws -> [RecallPatient] {
    try await rows(tx).map { row in
      RecallPatient(
        id: try row.decode(0, as: UUID.self), facility: try row.decode(1, as: UUID?.self),
        registeredMonth: CalendarDate(try row.decode(2, as: CalendarDay.self)),
        lastVisit: try row.decode(3, as: CalendarDay?.self).map { CalendarDate($0) },
        lastReading: try row.decode(4, as: CalendarDay?.self).map { CalendarDate($0) },
        pressure: Pressure(
          try row.decode(5, as: Int32?.self), try row.decode(6, as: Int32?.self)),
        missedVisit: try row.decode(7, as: Bool.self))
    }
  }

  private func rows(_ tx: borrowing Transaction) async throws -> Rows {
    guard let served = ServedReading.current else { return try await tx.query(query) }
    return try await served.patients(
      of: facilities, limits,
      columns: """
        patient_id uuid, facility_id uuid, registered_month date, visited_on date, read_on date, systolic integer,
        diastolic integer, missed_visit boolean
        """, tx)
  }

  var query: Query {
    let states = CareStates(evaluation: evaluation, closed: closed, scope: .assignedFacilities)
    let (visits, readings) = (Rollups.visits, Rollups.bloodPressure)
    return Query(
      text: """
        WITH called AS (
          SELECT s.patient_id, s.assigned_facility_id, NOT s.visited AS missed_visit
          FROM (
            \(states.query)
          ) AS s
          WHERE NOT s.dead AND s.cared_for AND s.adjusted
            AND (NOT s.visited OR NOT (s.recent_systolic < $2 AND s.recent_diastolic < $3))
        ), visits AS (
          SELECT v.patient_id, max(v.visited_at) AS visited_at
          FROM (
            \(year(visits, [visits.time]))
          ) AS v
          GROUP BY v.patient_id
        ), readings AS (
          SELECT DISTINCT ON (b.patient_id) b.patient_id, b.recorded_at, b.systolic, b.diastolic
          FROM (
            \(year(readings, [readings.time, readings.id] + Self.pressures))
          ) AS b
          ORDER BY b.patient_id, b.recorded_at DESC, b.blood_pressure_id DESC
        )
        SELECT c.patient_id, c.assigned_facility_id, p.registered_month, (v.visited_at AT TIME ZONE d.time_zone)::date,
          (b.recorded_at AT TIME ZONE d.time_zone)::date, b.systolic, b.diastolic, c.missed_visit
        FROM called AS c
        CROSS JOIN rollup.deployment AS d
        JOIN rollup.patient_register AS p ON p.patient_id = c.patient_id
        LEFT JOIN visits AS v ON v.patient_id = c.patient_id
        LEFT JOIN readings AS b ON b.patient_id = c.patient_id
        """, binds: [Bind(facilities), Bind(limits.systolic), Bind(limits.diastolic)])
  }

  private static let pressures = [
    Tables.BloodPressures.systolic, Tables.BloodPressures.diastolic,
  ]

  /// The rows of the last twelve months.
  private func year(_ rollup: MostRecent, _ columns: [Column]) -> String {
    evaluation.year.map { period in
      """
      SELECT \((["patient_id"] + columns.map { "\($0.name)" }).joined(separator: ", "))
            FROM (\(rollup.rows(of: period, isClosed: closed.contains(period), reading: columns))) AS r
            WHERE r.assigned_facility_id = ANY ($1)
      """
    }.joined(separator: "\n      UNION ALL\n      ")
  }
}

extension Pressure {
  /// From 180/110 mmHg: "very high" on the programmes' overdue lists, to be called first.
  public var isVeryHigh: Bool { systolic >= 180 || diastolic >= 110 }
}
