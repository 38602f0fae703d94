import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// The figures of each facility, read from the rollups alone.
///
/// Each window of months is read as the fewest periods that cover it: the last twelve months to June are four quarters.
/// Every period is a constant of the text, so the planner opens those partitions and no others.
public struct CareFiguresQuery: Sendable {
  public let evaluation: Evaluation
  public let limits: ControlLimits
  /// Only these facilities' patients; nil for everybody's, also of facilities that are not known.
  public let facilities: [UUID]?

  public init(_ evaluation: Evaluation, limits: ControlLimits, facilities: [UUID]?) {
    self.evaluation = evaluation
    self.limits = limits
    self.facilities = facilities
  }

  /// Figures by facility; nil is "no facility".
  public func run(_ connection: Connection) async throws -> [UUID?: CareFigures] {
    var figures: [UUID?: CareFigures] = [:]
    for row in try await connection.query(query) {
      let facility = try row.decode(0, as: UUID?.self)
      var some = CareFigures()
      for (place, count) in CareFigures.counts.enumerated() {
        some[keyPath: count] = try row.decode(place + 1, as: Int.self)
      }
      figures[facility, default: CareFigures()] = figures[facility, default: CareFigures()] + some
    }
    return figures
  }

  /// Two kinds of rows, of counts in the order of ``CareFigures/counts``: by registration facility, with zeros for the
  /// rest, and by assigned facility, with zeros for registrations.
  var query: Query {
    let e = evaluation
    let month = e.month
    var query = Query(text: "", binds: [Bind(facilities ?? []), Bind(limits.systolic), Bind(limits.diastolic)])
    query.text = """
      WITH patients AS MATERIALIZED (
        SELECT p.patient_id, p.assigned_facility_id, p.registered_month, p.died_month
        FROM rollup.patient_register AS p
        WHERE p.registered_month < \(date(e.period.end))\(only("p.assigned_facility_id"))
      ), registrations AS (
        SELECT r.registration_facility_id,
          sum(r.change)::bigint AS cumulative,
          coalesce(sum(r.change) FILTER (WHERE r.period_start >= \(date(e.period.start))\(e.period.type == .quarter ? "" : " AND r.period_type = 'M'")), 0)::bigint AS new
        FROM rollup.registration_rollups AS r
        WHERE \(registeredUpTo)\(only("r.registration_facility_id"))
        GROUP BY 1
      ), states AS (
        SELECT p.assigned_facility_id,
          coalesce(p.died_month <= \(date(month.start)), false) AS dead,
          p.registered_month > \(date(month.advanced(by: -12).start)) OR year.patient_id IS NOT NULL AS cared_for,
          p.registered_month <= \(date(month.advanced(by: -3).start)) AS adjusted,
          recent.patient_id IS NOT NULL AS visited,
          reading.controlled,
          of_period.controlled AS period_controlled,
          p.registered_month >= \(date(e.cohort.start)) AND p.registered_month < \(date(e.cohort.end)) AS in_cohort,
          cohort_visit.patient_id IS NOT NULL AS cohort_visited,
          cohort_reading.controlled AS cohort_controlled
        FROM patients AS p
        LEFT JOIN (\(visitors(e.year))) AS year ON year.patient_id = p.patient_id
        LEFT JOIN (\(visitors(e.recent))) AS recent ON recent.patient_id = p.patient_id
        LEFT JOIN (\(readings(e.recent.cover))) AS reading ON reading.patient_id = p.patient_id
        LEFT JOIN (\(readings([e.period]))) AS of_period ON of_period.patient_id = p.patient_id
        LEFT JOIN (\(visitors(e.cohortWindow))) AS cohort_visit ON cohort_visit.patient_id = p.patient_id
        LEFT JOIN (\(readings(e.cohortWindow.cover))) AS cohort_reading ON cohort_reading.patient_id = p.patient_id
      )
      SELECT registration_facility_id, cumulative, new, \(zeros(16))
      FROM registrations
      UNION ALL
      SELECT assigned_facility_id, \(zeros(2)),
        count(*) FILTER (WHERE NOT dead),
        count(*) FILTER (WHERE NOT dead AND cared_for),
        count(*) FILTER (WHERE NOT dead AND NOT cared_for),
        count(*) FILTER (WHERE dead),
        count(period_controlled),
        count(*) FILTER (WHERE period_controlled),
        count(*) FILTER (WHERE NOT period_controlled),
        count(*) FILTER (WHERE NOT dead AND cared_for AND adjusted AND visited AND controlled),
        count(*) FILTER (WHERE NOT dead AND cared_for AND adjusted AND visited AND NOT controlled),
        count(*) FILTER (WHERE NOT dead AND cared_for AND adjusted AND NOT visited),
        count(*) FILTER (WHERE NOT dead AND cared_for AND adjusted AND visited AND controlled IS NULL),
        count(*) FILTER (WHERE in_cohort),
        count(*) FILTER (WHERE in_cohort AND cohort_visited AND cohort_controlled),
        count(*) FILTER (WHERE in_cohort AND cohort_visited AND NOT cohort_controlled),
        count(*) FILTER (WHERE in_cohort AND NOT cohort_visited),
        count(*) FILTER (WHERE in_cohort AND cohort_visited AND cohort_controlled IS NULL)
      FROM states
      GROUP BY assigned_facility_id
      """
    return query
  }

  // MARK: Parts

  /// The patients with a visit in the span.
  private func visitors(_ span: PeriodSpan) -> String {
    let periods = span.cover
    let distinct = periods.count > 1 ? "DISTINCT " : ""
    return """
      SELECT \(distinct)v.patient_id FROM rollup.visit_rollups AS v
          WHERE \(within(periods, "v"))\(only("v.assigned_facility_id"))
      """
  }

  /// Each patient's most recent reading in the periods, and whether it is controlled.
  private func readings(_ periods: [Period]) -> String {
    let (distinct, order) =
      periods.count > 1
      ? ("DISTINCT ON (b.patient_id) ", " ORDER BY b.patient_id, b.recorded_at DESC, b.blood_pressure_id DESC") : ("", "")
    return """
      SELECT \(distinct)b.patient_id, b.systolic < $2 AND b.diastolic < $3 AS controlled
          FROM rollup.blood_pressure_rollups AS b
          WHERE \(within(periods, "b"))\(only("b.assigned_facility_id"))\(order)
      """
  }

  /// Registrations up to the end of the period: whole quarters before its own, then its months.
  private var registeredUpTo: String {
    let quarter = evaluation.period.first(.quarter)
    if evaluation.period.type == .quarter {
      return "r.period_type = 'Q' AND r.period_start <= \(date(quarter.start))"
    }
    return """
      (r.period_type = 'Q' AND r.period_start < \(date(quarter.start))
          OR r.period_type = 'M' AND r.period_start >= \(date(quarter.start)) AND r.period_start <= \(date(evaluation.period.start)))
      """
  }

  private func within(_ periods: [Period], _ alias: String) -> String {
    let types = Dictionary(grouping: periods, by: \.type).sorted { $0.key.code < $1.key.code }
    let conditions = types.map { type, periods in
      """
      \(alias).period_type = '\(type.code)' AND \(alias).period_start IN (\(periods.map { date($0.start) }.joined(separator: ", ")))
      """
    }
    return conditions.count == 1 ? conditions[0] : "(" + conditions.joined(separator: " OR ") + ")"
  }

  private func only(_ column: String) -> String {
    facilities == nil ? " AND $1::uuid[] IS NOT NULL" : " AND \(column) = ANY ($1)"
  }

  /// A day that the calendar computed: digits and dashes.
  private func date(_ day: CalendarDate) -> String { "'\(day)'::date" }

  private func zeros(_ count: Int) -> String {
    Array(repeating: "0::bigint", count: count).joined(separator: ", ")
  }
}
