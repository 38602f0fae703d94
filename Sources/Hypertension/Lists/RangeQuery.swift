import Foundation
import PeriodRollups
import Postgres

/// Who had a reading in a range of days, and whether the most recent one was controlled, by the facility that the patient
/// is assigned to now. Whole months are read from the rollups, with what came late; the days at the ends from the readings,
/// through an index by time.
public struct RangeQuery: Sendable {
  /// The first and the last day, in the reporting time zone.
  public let days: ClosedRange<CalendarDate>
  public let limits: ControlLimits
  /// Only patients assigned to these; nil for everybody.
  public let facilities: [UUID]?
  public let closed: Set<Period>

  public init(
    _ days: ClosedRange<CalendarDate>, limits: ControlLimits, facilities: [UUID]?,
    closed: Set<Period>
  ) {
    self.days = days
    self.limits = limits
    self.facilities = facilities
    self.closed = closed
  }

  /// The periods that lie wholly in the range, the fewest; none where no month does.
  public var whole: [Period] {
    let first = Period(.month, containing: days.lowerBound)
    let last = Period(.month, containing: days.upperBound)
    let from = first.start == days.lowerBound ? first : first.advanced(by: 1)
    let to = last.lastDay == days.upperBound ? last : last.advanced(by: -1)
    return from <= to ? PeriodSpan(from: from, through: to)?.cover ?? [] : []
  }

  /// The days that are in no whole month.
  public var ends: [ClosedRange<CalendarDate>] {
    guard let first = whole.first, let last = whole.last else { return [days] }
    var ends: [ClosedRange<CalendarDate>] = []
    if days.lowerBound < first.start {
      ends.append(days.lowerBound...first.advanced(by: -1).lastDay)
    }
    if last.lastDay < days.upperBound { ends.append(last.end...days.upperBound) }
    return ends
  }

  /// Counts by facility; nil is "no facility".
  public func run(_ tx: borrowing Transaction) async throws -> [UUID?: Tally] {
    var tallies: [UUID?: Tally] = [:]
    for row in try await tx.query(query) {
      let (facility, patients, controlled) = try row.decode((UUID?, Int, Int).self)
      tallies[facility] = Tally([
        "patients_with_bp": patients, "bp_controlled": controlled,
        "bp_uncontrolled": patients - controlled,
      ])
    }
    return tallies
  }

  /// Whether the readings have an index that begins with their time.
  public static func hasIndex(_ tx: borrowing Transaction) async throws -> Bool {
    try await tx.query(
      """
      SELECT EXISTS (
        SELECT FROM pg_index AS i
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = to_regclass('blood_pressures') AND i.indisvalid AND i.indpred IS NULL
          AND a.attname = 'recorded_at'
      )
      """
    ).only(Bool.self)
  }

  /// What makes the index.
  public static let indexStatement =
    "CREATE INDEX CONCURRENTLY blood_pressures_by_time ON blood_pressures (recorded_at)"

  var query: Query {
    let month = Period(.month, containing: days.upperBound)
    let readings = [
      Rollups.bloodPressure.time, Rollups.bloodPressure.id, Tables.BloodPressures.systolic,
      Tables.BloodPressures.diastolic,
    ]
    let inside = whole.map { period in
      """
      SELECT r.patient_id, r.recorded_at, r.blood_pressure_id, r.systolic, r.diastolic
          FROM (\(Rollups.bloodPressure.rows(of: period, isClosed: closed.contains(period), reading: readings))) AS r
          WHERE $1::uuid[] IS NULL OR r.assigned_facility_id = ANY ($1)
      """
    }
    // The index takes the days and one on either side, whatever the clock; the clock decides.
    let outside = ends.indices.map { number in
      let (from, to) = ("$\(5 + number * 2)::date", "$\(6 + number * 2)::date")
      return """
        SELECT b.patient_id, b.recorded_at, b.id, b.systolic, b.diastolic
            FROM blood_pressures AS b CROSS JOIN rollup.deployment AS d
            WHERE b.deleted_at IS NULL AND b.recorded_at >= (\(from) - 1)::timestamp AT TIME ZONE 'UTC'
              AND b.recorded_at < (\(to) + 2)::timestamp AT TIME ZONE 'UTC'
              AND (b.recorded_at AT TIME ZONE d.time_zone)::date BETWEEN \(from) AND \(to)
        """
    }
    let bounds = ends.flatMap {
      [Bind(CalendarDay($0.lowerBound)), Bind(CalendarDay($0.upperBound))]
    }
    return Query(
      text: """
        WITH latest AS (
          SELECT DISTINCT ON (r.patient_id) r.patient_id, r.systolic < $2 AND r.diastolic < $3 AS controlled
          FROM (
            \((inside + outside).joined(separator: "\n    UNION ALL\n    "))
          ) AS r (patient_id, recorded_at, id, systolic, diastolic)
          ORDER BY r.patient_id, r.recorded_at DESC, r.id DESC
        )
        SELECT p.assigned_facility_id, count(*), count(*) FILTER (WHERE l.controlled)
        FROM latest AS l
        JOIN rollup.patient_register AS p ON p.patient_id = l.patient_id
        WHERE p.registered_month < $4 AND ($1::uuid[] IS NULL OR p.assigned_facility_id = ANY ($1))
        GROUP BY p.assigned_facility_id
        """,
      binds: [
        Bind(facilities), Bind(limits.systolic), Bind(limits.diastolic),
        Bind(CalendarDay(month.end)),
      ] + bounds)
  }
}
