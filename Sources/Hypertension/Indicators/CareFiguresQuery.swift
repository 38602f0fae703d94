import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// The figures of each facility, read from the rollups alone.
///
/// Each window of months is read as the fewest periods that cover it: the last twelve months to
/// June are four quarters. Every period is a constant of the text, so the planner opens those
/// partitions and no others.
///
/// Registrations are counted from the register and not from the registration rollup: a running
/// total is the sum of every period there has been, and opening their partitions takes longer than
/// counting a district's patients.
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
  public func run(_ tx: borrowing Transaction) async throws -> [UUID?: CareFigures] {
    var figures: [UUID?: CareFigures] = [:]
    for row in try await tx.query(query) {
      let facility = try row.decode(0, as: UUID?.self)
      var some = CareFigures()
      for (place, count) in CareFigures.counts.enumerated() {
        some[keyPath: count] = try row.decode(place + 1, as: Int.self)
      }
      figures[facility, default: CareFigures()] = figures[facility, default: CareFigures()] + some
    }
    return figures
  }

  /// Two kinds of rows, of counts in the order of ``CareFigures/counts``: by registration facility,
  /// with zeros for the rest, and by assigned facility, with zeros for registrations.
  var query: Query {
    let e = evaluation
    let month = e.month
    var query = Query(
      text: "", binds: [Bind(facilities ?? []), Bind(limits.systolic), Bind(limits.diastolic)])
    query.text = """
      WITH visitors AS (
        SELECT v.patient_id, bool_or(v.in_year) AS in_year, bool_or(v.in_recent) AS in_recent,
          bool_or(v.in_cohort_window) AS in_cohort_window
        FROM (
          \(visits)
        ) AS v
        GROUP BY v.patient_id
      ), states AS (
        SELECT p.assigned_facility_id,
          coalesce(p.died_month <= \(date(month.start)), false) AS dead,
          p.registered_month > \(date(month.advanced(by: -12).start)) OR coalesce(v.in_year, false) AS cared_for,
          p.registered_month <= \(date(month.advanced(by: -3).start)) AS adjusted,
          coalesce(v.in_recent, false) AS visited,
          \(controlled(in: e.recent)) AS controlled,
          \(controlled(in: [e.period])) AS period_controlled,
          p.registered_month >= \(date(e.cohort.start)) AND p.registered_month < \(date(e.cohort.end)) AS in_cohort,
          coalesce(v.in_cohort_window, false) AS cohort_visited,
          \(controlled(in: e.cohortWindow)) AS cohort_controlled
        FROM rollup.patient_register AS p
        LEFT JOIN visitors AS v ON v.patient_id = p.patient_id
        \(readings)
        WHERE p.registered_month < \(date(e.period.end))\(only("p.assigned_facility_id"))
      )
      SELECT p.registration_facility_id, count(*),
        count(*) FILTER (WHERE p.registered_month >= \(date(e.period.start))), \(zeros(16))
      FROM rollup.patient_register AS p
      WHERE p.registered_month < \(date(e.period.end)) AND p.registration_facility_id IS NOT NULL\(only("p.registration_facility_id"))
      GROUP BY p.registration_facility_id
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

  /// A row a patient and period with a visit, and which windows the period is in.
  private var visits: String {
    let e = evaluation
    return distinct(e.year + e.cohortWindow).map { period in
      """
      SELECT v.patient_id, \(e.year.contains(period)) AS in_year, \(e.recent.contains(period)) AS in_recent,
            \(e.cohortWindow.contains(period)) AS in_cohort_window
          FROM rollup.visit_rollups AS v
          WHERE \(within(period, "v"))\(only("v.assigned_facility_id"))
      """
    }.joined(separator: "\n    UNION ALL\n    ")
  }

  /// Every period that a reading is looked for in.
  private var readingPeriods: [Period] {
    distinct(evaluation.recent + [evaluation.period] + evaluation.cohortWindow)
  }

  /// Each of those periods' readings, joined to the patients.
  private var readings: String {
    readingPeriods.map { period in
      """
      LEFT JOIN (
            SELECT b.patient_id, b.systolic < $2 AND b.diastolic < $3 AS controlled
            FROM rollup.blood_pressure_rollups AS b
            WHERE \(within(period, "b"))\(only("b.assigned_facility_id"))
          ) AS \(alias(period)) ON \(alias(period)).patient_id = p.patient_id
      """
    }.joined(separator: "\n  ")
  }

  /// Whether the most recent reading in the periods is controlled: the latest period that has one
  /// has it, since periods of one window do not overlap.
  private func controlled(in periods: [Period]) -> String {
    let latestFirst = periods.sorted { $0.start > $1.start }.map { "\(alias($0)).controlled" }
    return latestFirst.count == 1
      ? latestFirst[0] : "coalesce(\(latestFirst.joined(separator: ", ")))"
  }

  private func alias(_ period: Period) -> String {
    "in_" + String(period.description.lowercased().map { $0 == "-" ? "_" : $0 })
  }

  private func distinct(_ periods: [Period]) -> [Period] { Array(Set(periods)).sorted() }

  private func within(_ period: Period, _ alias: String) -> String {
    "\(alias).period_type = '\(period.type.code)' AND \(alias).period_start = \(date(period.start))"
  }

  private func only(_ column: String) -> String {
    facilities == nil ? " AND $1::uuid[] IS NOT NULL" : " AND \(column) = ANY ($1)"
  }

  /// A day that the calendar computed: digits and dashes. PostgreSQL has no year 0, which windows
  /// of the year 1 begin in.
  private func date(_ day: CalendarDate) -> String {
    day.year < 1 ? "'-infinity'::date" : "'\(day)'::date"
  }

  private func zeros(_ count: Int) -> String {
    Array(repeating: "0::bigint", count: count).joined(separator: ", ")
  }
}
