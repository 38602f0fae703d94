import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// The figures of each facility, read from the rollups alone.
///
/// Registrations are counted from the register and not from the registration rollup: a running
/// total is the sum of every period there has been, and opening their partitions takes longer than
/// counting a district's patients.
public struct CareFiguresQuery: Hashable, Sendable {
  public let evaluation: Evaluation
  public let limits: ControlLimits
  /// Only these facilities' patients; nil for everybody's, also of facilities that are not known.
  public let facilities: [UUID]?
  /// The periods that are closed: of these, what came late is read too.
  public let closed: Set<Period>

  public init(
    _ evaluation: Evaluation, limits: ControlLimits, facilities: [UUID]?, closed: Set<Period>
  ) {
    self.evaluation = evaluation
    self.limits = limits
    self.facilities = facilities
    self.closed = closed
  }

  /// Figures by facility; nil is "no facility".
  public func run(_ tx: borrowing Transaction) async throws -> [UUID?: CareFigures] {
    // A page shows the same counts in a table and at the end of its trend.
    try await ServedReading.once(self) {
      guard let served = ServedReading.current else { return try await count(tx) }
      return try await served.figures(self, tx)
    }
  }

  /// Those of the places of notes that are counted here.
  /// - Returns: nil where they cannot be counted apart: patients without a facility, or most of all there are.
  func among(_ places: [String]) -> [UUID]? {
    guard let facilities else {
      let ids = places.compactMap { UUID(uuidString: $0) }
      return ids.count == places.count && ids.count < 100 ? ids : nil
    }
    let changed = Set(places.compactMap { UUID(uuidString: $0) })
    let again = facilities.filter(changed.contains)
    return again.count * 2 > facilities.count && facilities.count > 1 ? nil : again
  }

  /// The same of fewer facilities.
  func of(_ facilities: [UUID]) -> CareFiguresQuery {
    CareFiguresQuery(evaluation, limits: limits, facilities: facilities, closed: closed)
  }

  func count(_ tx: borrowing Transaction) async throws -> [UUID?: CareFigures] {
    var figures: [UUID?: CareFigures] = [:]
    for row in try await rows(tx) {
      let facility = try row.decode(0, as: UUID?.self)
      var some = CareFigures()
      for (place, count) in CareFigures.counts.enumerated() {
        some[keyPath: count] = try row.decode(place + 1, as: Int.self)
      }
      figures[facility, default: CareFigures()] = figures[facility, default: CareFigures()] + some
    }
    return figures
  }

  private func rows(_ tx: borrowing Transaction) async throws -> Rows {
    guard ServedReading.current == nil else {
      return try await ServedReading.rows(of: self, counts: CareFigures.counts.count, tx)
    }
    return try await tx.query(query)
  }

  /// Two kinds of rows, of counts in the order of ``CareFigures/counts``: by registration facility,
  /// with zeros for the rest, and by assigned facility, with zeros for registrations.
  var query: Query {
    let period = evaluation.period
    let states = CareStates(
      evaluation: evaluation, closed: closed,
      scope: facilities == nil ? .everybody : .assignedFacilities)
    var query = Query(
      text: "", binds: [Bind(facilities ?? []), Bind(limits.systolic), Bind(limits.diastolic)])
    query.text = """
      WITH readings AS (
        \(states.query)
      ), states AS (
        SELECT *, recent_systolic < $2 AND recent_diastolic < $3 AS controlled,
          period_systolic < $2 AND period_diastolic < $3 AS period_controlled,
          cohort_systolic < $2 AND cohort_diastolic < $3 AS cohort_controlled
        FROM readings
      )
      SELECT p.registration_facility_id, count(*),
        count(*) FILTER (WHERE p.registered_month >= \(CareStates.date(period.start))), \(zeros(16))
      FROM rollup.patient_register AS p
      WHERE p.registered_month < \(CareStates.date(period.end)) AND p.registration_facility_id IS NOT NULL\(only("p.registration_facility_id"))
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

  private func only(_ column: String) -> String {
    facilities == nil ? " AND $1::uuid[] IS NOT NULL" : " AND \(column) = ANY ($1)"
  }

  private func zeros(_ count: Int) -> String {
    Array(repeating: "0::bigint", count: count).joined(separator: ", ")
  }
}
