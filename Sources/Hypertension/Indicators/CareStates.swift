import Foundation
import PeriodRollups
import Postgres

/// Each registered patient's state as of a period's evaluation month (INDICATORS.md), from the rollups alone: the
/// query that figures, line lists and closing share.
///
/// Each window of months is read as the fewest periods that cover it: the last twelve months to
/// June are four quarters. Every period is a constant of the text, so the planner opens those
/// partitions and no others.
struct CareStates: Sendable {
  let evaluation: Evaluation
  /// Of these, what came late is read too.
  let closed: Set<Period>
  let scope: Scope

  /// Whose states; the ids are the array `$1`.
  enum Scope: Sendable {
    case everybody, assignedFacilities, patients
  }

  /// `patient_id`, `registration_facility_id`, `assigned_facility_id`, `is_new` (registered in the period), `dead`,
  /// `cared_for`, `adjusted`, `visited` (in the last three months), `visited_in_period`, `in_cohort`, `cohort_visited`,
  /// and of each window's most recent reading `recent_systolic`, `period_systolic`, `cohort_systolic` and `…_diastolic`,
  /// null without one.
  var query: String {
    let e = evaluation
    let month = e.month
    return """
      WITH visitors AS (
        SELECT v.patient_id, bool_or(v.in_year) AS in_year, bool_or(v.in_recent) AS in_recent,
          bool_or(v.in_cohort_window) AS in_cohort_window, bool_or(v.in_period) AS in_period
        FROM (
          \(visits)
        ) AS v
        GROUP BY v.patient_id
      )
      SELECT p.patient_id, p.registration_facility_id, p.assigned_facility_id,
        p.registered_month >= \(date(e.period.start)) AS is_new,
        coalesce(p.died_month <= \(date(month.start)), false) AS dead,
        p.registered_month > \(date(month.advanced(by: -12).start)) OR coalesce(v.in_year, false) AS cared_for,
        p.registered_month <= \(date(month.advanced(by: -3).start)) AS adjusted,
        coalesce(v.in_recent, false) AS visited,
        coalesce(v.in_period, false) AS visited_in_period,
        p.registered_month >= \(date(e.cohort.start)) AND p.registered_month < \(date(e.cohort.end)) AS in_cohort,
        coalesce(v.in_cohort_window, false) AS cohort_visited,
        \(values("recent", in: e.recent)),
        \(values("period", in: [e.period])),
        \(values("cohort", in: e.cohortWindow))
      FROM rollup.patient_register AS p
      LEFT JOIN visitors AS v ON v.patient_id = p.patient_id
      \(readings)
      WHERE p.registered_month < \(date(e.period.end))\(only("p"))
      """
  }

  /// A row a patient and period with a visit, and which windows the period is in.
  private var visits: String {
    let e = evaluation
    return distinct(e.year + e.cohortWindow).map { period in
      """
      SELECT v.patient_id, \(e.year.contains(period)) AS in_year, \(e.recent.contains(period)) AS in_recent,
            \(e.cohortWindow.contains(period)) AS in_cohort_window, \(e.period.contains(period)) AS in_period
          FROM (\(Rollups.visits.rows(of: period, isClosed: closed.contains(period), reading: []))) AS v
          WHERE true\(only("v"))
      """
    }.joined(separator: "\n    UNION ALL\n    ")
  }

  /// Every period that a reading is looked for in.
  private var readingPeriods: [Period] {
    distinct(evaluation.recent + [evaluation.period] + evaluation.cohortWindow)
  }

  private static let pressures = [
    Tables.BloodPressures.systolic, Tables.BloodPressures.diastolic,
  ]

  /// Each of those periods' readings, joined to the patients.
  private var readings: String {
    readingPeriods.map { period in
      """
      LEFT JOIN (
            SELECT b.patient_id, b.systolic, b.diastolic
            FROM (\(Rollups.bloodPressure.rows(of: period, isClosed: closed.contains(period), reading: Self.pressures))) AS b
            WHERE true\(only("b"))
          ) AS \(alias(period)) ON \(alias(period)).patient_id = p.patient_id
      """
    }.joined(separator: "\n  ")
  }

  /// The most recent reading in the periods: the latest period that has one has it, since periods of one window do not
  /// overlap.
  private func values(_ window: String, in periods: [Period]) -> String {
    let latestFirst = periods.sorted { $0.start > $1.start }.map(alias)
    return ["systolic", "diastolic"].map { value in
      let all = latestFirst.map { "\($0).\(value)" }
      return
        "\(all.count == 1 ? all[0] : "coalesce(\(all.joined(separator: ", ")))") AS \(window)_\(value)"
    }.joined(separator: ", ")
  }

  private func alias(_ period: Period) -> String {
    "in_" + String(period.description.lowercased().map { $0 == "-" ? "_" : $0 })
  }

  private func distinct(_ periods: [Period]) -> [Period] { Array(Set(periods)).sorted() }

  private func only(_ alias: String) -> String {
    switch scope {
    case .everybody: " AND $1::uuid[] IS NOT NULL"
    case .assignedFacilities: " AND \(alias).assigned_facility_id = ANY ($1)"
    case .patients: " AND \(alias).patient_id = ANY ($1)"
    }
  }

  /// A day that the calendar computed: digits and dashes. PostgreSQL has no year 0, which windows
  /// of the year 1 begin in.
  private func date(_ day: CalendarDate) -> String { Self.date(day) }

  static func date(_ day: CalendarDate) -> String {
    day.year < 1 ? "'-infinity'::date" : "'\(day)'::date"
  }
}
