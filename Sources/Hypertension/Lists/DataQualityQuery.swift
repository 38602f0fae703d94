import Foundation
import PeriodRollups
import Postgres

extension FigureSet {
  /// What the data say of how they are collected. Late arrivals and impossible times count events, not patients.
  public static let dataQuality = FigureSet(
    [
      .count("late_arrivals", "Late", "Events that came after the period was closed"),
      .count("late_up_to_30_days", "To 30 days", "Late by up to 30 days after they happened"),
      .count("late_31_to_90_days", "31-90", "Late by 31 to 90 days"),
      .count("late_91_to_365_days", "91-365", "Late by 91 to 365 days"),
      .count("late_over_365_days", "Over 365", "Late by more than 365 days"),
      .count("impossible_times", "Impossible times", "Readings with impossible times"),
      .count("facilities_silent", "Silent", "Facilities that nobody visited in the period"),
    ],
    sums: [
      Sum(
        "late_arrivals",
        of: [
          "late_up_to_30_days", "late_31_to_90_days", "late_91_to_365_days", "late_over_365_days",
        ])
    ], ofPlaces: ["facilities_silent"])
}

/// The counts of ``FigureSet/dataQuality``, by facility.
public struct DataQualityQuery: Sendable {
  public let period: Period
  /// 1990-01-01: no programme's readings are older, so one from before it has a wrong time.
  public static let earliest = CalendarDate(daysSince1970: 7305)

  public init(_ period: Period) { self.period = period }

  /// Events in the ledger of the closed period, by how many days after they happened they arrived; at the facility that the
  /// patient is assigned to now.
  public func late(_ tx: borrowing Transaction) async throws -> [UUID?: Tally] {
    let rows = try await tx.query(
      """
      SELECT p.assigned_facility_id, count(*),
        count(*) FILTER (WHERE l.age <= interval '30 days'),
        count(*) FILTER (WHERE l.age > interval '30 days' AND l.age <= interval '90 days'),
        count(*) FILTER (WHERE l.age > interval '90 days' AND l.age <= interval '365 days'),
        count(*) FILTER (WHERE l.age > interval '365 days')
      FROM (
        SELECT subject_id, arrived_at - coalesce(occurred_at, period_start::timestamp AT TIME ZONE 'UTC') AS age
        FROM rollup.late_arrivals
        WHERE period_type = \(period.type.code)::"char" AND period_start = \(CalendarDay(period.start)) AND effect = 'in'
      ) AS l
      LEFT JOIN rollup.patient_register AS p ON p.patient_id = l.subject_id
      GROUP BY p.assigned_facility_id
      """)
    let names = FigureSet.dataQuality.figures.map(\.name).prefix(5)
    return try rows.reduce(into: [:]) { tallies, row in
      var tally = Tally()
      for (place, name) in names.enumerated() {
        tally[name] = try row.decode(place + 1, as: Int.self)
      }
      tallies[try row.decode(0, as: UUID?.self)] = tally
    }
  }

  /// Readings, of whatever period, that have no time, one before ``earliest`` or one after tomorrow; at the facility where
  /// they were taken, else at the patient's. Through the index by time.
  public static func impossibleTimes(_ tx: borrowing Transaction) async throws -> [UUID?: Tally] {
    let rows = try await tx.query(
      """
      SELECT coalesce(b.facility_id, p.assigned_facility_id), count(*)
      FROM blood_pressures AS b
      LEFT JOIN rollup.patient_register AS p ON p.patient_id = b.patient_id
      WHERE b.deleted_at IS NULL AND (
        b.recorded_at IS NULL OR b.recorded_at < \(CalendarDay(earliest))::timestamp AT TIME ZONE 'UTC'
        OR b.recorded_at > now() + interval '1 day'
      )
      GROUP BY 1
      """)
    return try rows.reduce(into: [:]) { tallies, row in
      let (facility, count) = try row.decode((UUID?, Int).self)
      tallies[facility] = Tally(["impossible_times": count])
    }
  }

  /// The facilities at which a patient's most recent visit of a month of the period was.
  public func visited(closed: Set<Period>, _ tx: borrowing Transaction) async throws -> Set<UUID> {
    let column = Column("visit_facility_id", .uuid)
    let months = period.months.map { month in
      """
      SELECT v.visit_facility_id
      FROM (\(Rollups.visits.rows(of: month, isClosed: closed.contains(month), reading: [column]))) AS v
      """
    }
    let query = Query(
      text: """
        SELECT DISTINCT t.visit_facility_id
        FROM (
          \(months.joined(separator: "\nUNION ALL\n"))
        ) AS t
        WHERE t.visit_facility_id IS NOT NULL
        """)
    return Set(try await tx.query(query).map { try $0.decode(UUID.self) })
  }
}
