import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// What closed periods could not take, from the ledger and the late rows. Ids only.
public struct LateArrivals: Sendable {
  /// nil for all closed periods.
  public let period: Period?
  /// Of the facility that the patient is assigned to today; nil for all. Letter case does not matter.
  public let district: String?
  public let state: String?
  /// Also what a restatement has taken in since.
  public let includingTakenIn: Bool

  public init(
    period: Period?, district: String? = nil, state: String? = nil, includingTakenIn: Bool = false
  ) {
    self.period = period
    self.district = district
    self.state = state
    self.includingTakenIn = includingTakenIn
  }

  /// A line of the sum.
  public struct Sum: Sendable, Hashable {
    public let period: Period
    /// The source of events, or the rollup whose rows would be others.
    public let kind: String
    /// What was done, such as `insert` or `merge`; `net` for rows of a rollup.
    public let change: String
    /// Of events `in`, `out` or `within`; of rows `added`, `gone` or `changed`.
    public let effect: String
    public let count: Int
    public let patients: Int
    public let first: Timestamp?
    public let last: Timestamp?
  }

  /// An entry of the ledger, and what the period's row of the patient would be now.
  public struct Entry: Sendable, Hashable {
    public let arrivedAt: Timestamp
    public let change: String
    public let effect: String
    public let source: String
    public let patient: UUID
    public let row: String
    public let period: Period
    public let occurredAt: Timestamp?
    /// The event that the blood-pressure row, or of a visit the visits row, of a blood sugar the blood-sugar row, holds in
    /// the closed period.
    public let published: String?
    /// The event that it would hold now.
    public let now: String?
  }

  /// The events by change and effect, and the rows that would be others.
  public func sums(_ pool: Pool) async throws -> [Sum] {
    let rollups = Rollups.catalog.mostRecent.map { rollup in
      """
      SELECT l.period_type::text, l.period_start, '\(rollup.name)', 'net',
        CASE WHEN l.\(rollup.time.name.name) IS NULL THEN 'gone' WHEN r.patient_id IS NULL THEN 'added' ELSE 'changed' END,
        count(*), count(DISTINCT l.patient_id), NULL::timestamptz, NULL::timestamptz
      FROM \(rollup.late) AS l
      LEFT JOIN \(rollup.table) AS r ON (r.patient_id, r.period_type, r.period_start) = (l.patient_id, l.period_type, l.period_start)
      \(place("l.patient_id"))
      WHERE (l.\(rollup.id.name.name) IS DISTINCT FROM r.\(rollup.id.name.name)) \(only("l"))
      GROUP BY 1, 2, 5
      """
    }
    let registrations = """
      SELECT l.period_type::text, l.period_start, 'registrations', 'net', CASE WHEN l.change > 0 THEN 'added' ELSE 'gone' END,
        abs(sum(l.change)), abs(sum(l.change)), min(l.arrived_at), max(l.arrived_at)
      FROM \(Rollups.registrations.late) AS l
      LEFT JOIN facilities AS f ON f.id = l.registration_facility_id
      WHERE true \(only("l"))
      GROUP BY 1, 2, 5
      """
    let events = """
      SELECT l.period_type::text, l.period_start, \(Self.kind), l.change, l.effect,
        count(*), count(DISTINCT l.subject_id), min(l.arrived_at), max(l.arrived_at)
      FROM \(Ledger.table) AS l
      \(place("l.subject_id"))
      WHERE \(pending) \(only("l"))
      GROUP BY 1, 2, 3, 4, 5
      """
    let query = Query(
      text: """
        SELECT *
        FROM (
          \(([events] + rollups + [registrations]).joined(separator: "\nUNION ALL\n"))
        ) AS t (period_type, period_start, kind, change, effect, count, patients, first, last)
        ORDER BY period_start, period_type, change = 'net', kind, change, effect
        """,
      binds: [Bind(district), Bind(state)])
    return try await pool.withConnection { connection in
      try await connection.query(query).compactMap { row in
        guard
          let period = Period(
            code: try row.decode(0, as: String.self), try row.decode(1, as: CalendarDay.self))
        else { return nil }
        return Sum(
          period: period, kind: try row.decode(2, as: String.self),
          change: try row.decode(3, as: String.self), effect: try row.decode(4, as: String.self),
          count: try row.decode(5, as: Int.self), patients: try row.decode(6, as: Int.self),
          first: try row.decode(7, as: Timestamp?.self),
          last: try row.decode(8, as: Timestamp?.self))
      }
    }
  }

  /// The entries in the order in which they were made, streamed in one snapshot. Their numbers order them and are no key (``Ledger``).
  public func entries(_ pool: Pool, _ body: (Entry) throws -> Void) async throws {
    func row(_ rollup: MostRecent, _ table: String) -> String {
      """
      (SELECT r.\(rollup.id.name.name)::text FROM \(table) AS r
        WHERE (r.patient_id, r.period_type, r.period_start) = (l.subject_id, l.period_type, l.period_start))
      """
    }
    func held(_ late: Bool) -> String {
      func table(_ rollup: MostRecent) -> String { "\(late ? rollup.late : rollup.table)" }
      let (reading, sugar, visit) = (Rollups.bloodPressure, Rollups.bloodSugar, Rollups.visits)
      return """
        CASE l.source WHEN 'B' THEN \(row(reading, table(reading))) WHEN 'S' THEN \(row(sugar, table(sugar)))
          ELSE \(row(visit, table(visit))) END
        """
    }
    let query = Query(
      text: """
        DECLARE entries NO SCROLL CURSOR FOR
        SELECT l.arrived_at, l.change, l.effect, \(Self.kind),
          l.subject_id, l.row_id, l.period_type::text, l.period_start, l.occurred_at, \(held(false)), \(held(true))
        FROM \(Ledger.table) AS l
        \(place("l.subject_id"))
        WHERE \(pending) \(only("l"))
        ORDER BY l.arrived_at, l.number, l.period_start, l.period_type, l.subject_id, l.source, l.row_id, l.effect
        """, binds: [Bind(district), Bind(state)])
    try await pool.transaction(.repeatableRead, readOnly: true) { tx in
      try await tx.execute(query)
      while true {
        let rows = try await tx.query("FETCH 1000 FROM entries")
        for row in rows {
          guard let entry = try Self.entry(row) else { continue }
          try body(entry)
        }
        if rows.count < 1000 { return }
      }
    }
  }

  /// nil for an entry of a type of period that there is not.
  private static func entry(_ row: Row) throws -> Entry? {
    guard
      let period = Period(
        code: try row.decode(6, as: String.self), try row.decode(7, as: CalendarDay.self))
    else { return nil }
    return Entry(
      arrivedAt: try row.decode(0, as: Timestamp.self), change: try row.decode(1, as: String.self),
      effect: try row.decode(2, as: String.self), source: try row.decode(3, as: String.self),
      patient: try row.decode(4, as: UUID.self), row: try row.decode(5, as: String.self),
      period: period, occurredAt: try row.decode(8, as: Timestamp?.self),
      published: try row.decode(9, as: String?.self), now: try row.decode(10, as: String?.self))
  }

  // MARK: Parts

  /// How an event's source is called.
  private static let kind =
    "CASE l.source WHEN 'B' THEN 'reading' WHEN 'S' THEN 'blood sugar' ELSE 'visit' END"

  /// Where a patient is cared for today, as `f`.
  private func place(_ patient: String) -> String {
    """
    LEFT JOIN patients AS k ON k.id = \(patient)
    LEFT JOIN facilities AS f ON f.id = k.assigned_facility_id
    """
  }

  private func only(_ alias: String) -> String {
    let ofPeriod = period.map {
      "AND \(alias).period_type = '\($0.type.code)' AND \(alias).period_start = '\($0.start)'"
    }
    return """
      \(ofPeriod ?? "") AND ($1::text IS NULL OR f.district = $1) \
      AND ($2::text IS NULL OR f.state = $2)
      """
  }

  /// Entries that came after the period's last edition.
  private var pending: String {
    includingTakenIn
      ? "true"
      : """
      l.arrived_at > (
        SELECT max(e.closed_at) FROM rollup.editions AS e
        WHERE e.period_type = l.period_type AND e.period_start = l.period_start AND e.edition > 1
      ) IS NOT FALSE
      """
  }
}

extension Period {
  fileprivate init?(code: String, _ start: CalendarDay) {
    guard let type = PeriodType(code: code) else { return nil }
    self.init(type, containing: CalendarDate(start))
  }
}
