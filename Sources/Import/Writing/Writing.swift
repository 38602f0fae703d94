import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// Writes the ready tables to the source tables, in transactions of ``batch`` rows that keep the
/// rollups right.
struct Writing {
  let store: RollupStore
  let connection: Connection
  let sourcesOnly: Bool
  /// Called with the table's name, the rows done and all rows.
  let progress: (String, Int, Int) -> Void

  static let batch = 20_000

  func run() async throws -> [ImportReport.Table] {
    try await connection.script(ReadyTables.index)
    return [
      .init(name: "facilities", outcome: try await facilities()),
      .init(name: "patients", outcome: try await patients()),
      try await rows(
        Tables.BloodPressures.source, "ready_readings", "readings",
        "patient_id, id, facility_id, systolic, diastolic, heart_rate, recorded_at, deleted_at"),
      try await rows(
        Tables.BloodSugars.source, "ready_blood_sugars", "blood sugars",
        "patient_id, id, facility_id, value, type, recorded_at, deleted_at"),
      try await rows(
        Tables.Visits.source, "ready_visits", "visits",
        "patient_id, id, facility_id, visited_at, deleted_at"),
    ]
  }

  private func facilities() async throws -> BatchOutcome {
    let row = try await connection.query(
      """
      WITH written AS (
        INSERT INTO facilities AS f (id, name, state, district, block, size)
        SELECT id, name, state, district, block, size FROM ready_facilities
        ON CONFLICT (id) DO UPDATE
        SET (name, state, district, block, size, updated_at)
          = (excluded.name, excluded.state, excluded.district, excluded.block, excluded.size, now())
        WHERE (f.name, f.state, f.district, f.block, f.size)
          IS DISTINCT FROM
            (excluded.name, excluded.state, excluded.district, excluded.block, excluded.size)
        RETURNING xmax = 0 AS is_new
      )
      SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new),
        (SELECT count(*) FROM ready_facilities)
      FROM written
      """
    ).only((Int, Int, Int).self)
    var outcome = BatchOutcome()
    (outcome.inserted, outcome.changed) = (row.0, row.1)
    outcome.unchanged = row.2 - row.0 - row.1
    return outcome
  }

  private func patients() async throws -> BatchOutcome {
    let columns =
      "id, registered_at, registration_facility_id, assigned_facility_id, hypertensive, died_at, "
      + "deleted_at"
    return try await batches("ready_patients", "patients") { range in
      try await store.writeSubjects(on: connection, sourcesOnly: sourcesOnly) { tx, staging in
        try await tx.execute(Self.fill(staging, "ready_patients", columns, range))
      }
    }
  }

  private func rows(_ source: Source, _ table: String, _ name: String, _ columns: String)
    async throws -> ImportReport.Table
  {
    let moves = Moves(
      store: store, connection: connection, sourcesOnly: sourcesOnly, source: source, ready: table)
    let moved = try await moves.run()
    let outcome = try await batches(table, name) { range in
      try await store.write(source, on: connection, sourcesOnly: sourcesOnly) { tx, staging in
        try await tx.execute(Self.fill(staging, table, columns, range))
      }
    }
    return ImportReport.Table(name: name, outcome: outcome, moved: moved)
  }

  private static func fill(
    _ staging: Staging, _ table: String, _ columns: String, _ range: ClosedRange<Int>
  ) -> Query {
    """
    INSERT INTO \(unescaped: "\(staging.table)") (\(unescaped: columns))
    SELECT \(unescaped: columns) FROM \(unescaped: table)
    WHERE place BETWEEN \(range.lowerBound) AND \(range.upperBound)
    ORDER BY place
    """
  }

  private func batches(
    _ table: String, _ name: String, _ write: (ClosedRange<Int>) async throws -> BatchOutcome
  ) async throws -> BatchOutcome {
    let count = try await connection.query("SELECT count(*) FROM \(unescaped: table)")
      .only(Int.self)
    var outcome = BatchOutcome()
    for first in stride(from: 1, through: count, by: Self.batch) {
      let last = min(first + Self.batch - 1, count)
      outcome = outcome + (try await write(first...last))
      progress(name, last, count)
    }
    return outcome
  }
}
