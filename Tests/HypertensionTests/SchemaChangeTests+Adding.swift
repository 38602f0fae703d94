import Foundation
import Hypertension
import PeriodRollups
import Postgres
import TestSupport
import Testing

@testable import RollupStore

/// Columns and rollups that are added.
extension SchemaChangeTests {
  @Test func aColumnAndARollupAreAddedToAClosedProgramme() async throws {
    try await programme { database, old in
      let pool = database.pool
      let (before, rows) = (try await published(pool), try await closedRows(pool))
      _ = try await Migrator.programme.run(pool, partitions: Self.span)
      let store = try await RollupStore(pool, Rollups.catalog)
      #expect(try await Migrator.programme.plan(pool, partitions: Self.span).steps.count == 1)
      #expect(try await published(pool) == before)
      #expect(try await closedRows(pool) == rows)
      #expect(try await findings(store) == [])
      #expect(try await Backfilling.drift(store) == [])

      // The application fills its table, by whatever SQL.
      try await execute(
        """
        UPDATE blood_pressures SET heart_rate = 50 + systolic % 40;
        INSERT INTO blood_sugars (patient_id, id, facility_id, value, type, recorded_at)
        SELECT patient_id, id, facility_id, systolic / 10.0, 'fasting', recorded_at FROM blood_pressures
        """, pool)
      let late = try await lateAndLedger(pool)
      let unfilled = try await store.readiness().filter { !$0.isFilled }.map(\.item)
      #expect(unfilled == [ReadinessItem("blood-pressure", .column, "heart_rate")])
      let drift = try await Backfilling.drift(store)
      #expect(drift.contains { $0.rollup == "blood-pressure" && $0.kind == .wrongValue })
      #expect(drift.contains { $0.rollup == "blood-sugar" && $0.kind == .missing })
      #expect(try await knownNow(store) == [], "a column that an edition does not have is no drift")

      let filled = try await mend(
        [Tables.BloodPressures.heartRate], of: Rollups.bloodPressure, store)
      #expect(filled > 0)
      #expect(
        try await mend([Tables.BloodPressures.heartRate], of: Rollups.bloodPressure, store) == 0)
      #expect(try await Backfilling.drift(store).allSatisfy { $0.rollup == "blood-sugar" })
      try await Backfilling.everything(store)
      #expect(try await Backfilling.drift(store) == [])
      #expect(try await lateAndLedger(pool) == late, "nothing of it is late, or in the ledger")
      #expect(try await closedRows(pool) == rows)
      #expect(try await published(pool) == before)
      #expect(try await findings(store) == [])
      // Blood sugar is in no edition: its rows of closed periods are there to be read.
      let sugars =
        "SELECT count(*) FROM rollup.blood_sugar_rollups WHERE period_type = 'Q' AND period_start = '2024-04-01'"
      #expect(try await count(sugars, pool) == 20)

      try await theWritePathKeepsToTheEditions(store, pool)

      let closer = Closer(store, publishing: CarePublication(), author: "a test")
      try await closer.restate(
        Period(parsing: "2024Q2"), reason: "with heart rates and blood sugars")
      #expect(try await findings(store) == [])
      #expect(try await knownNow(store) == [])
      #expect(try await Backfilling.drift(store) == [])
      let without = """
        SELECT count(*) FROM rollup.blood_pressure_rollups AS r JOIN blood_pressures AS b
          ON (b.patient_id, b.id) = (r.patient_id, r.blood_pressure_id)
        WHERE r.period_type = 'Q' AND r.period_start = '2024-04-01' AND r.heart_rate IS DISTINCT FROM b.heart_rate
        """
      #expect(try await count(without, pool) == 0, "the restatement has taken the column in")
      // And blood sugar is closed now.
      await #expect(throws: PostgresError.self) {
        try await execute(
          "UPDATE rollup.blood_sugar_rollups SET value = 1 WHERE period_type = 'Q' AND period_start = '2024-04-01'",
          pool)
      }
      #expect(Set(try await published(pool)).isSuperset(of: before))
    }
  }

  /// A reading that differs in its heart rate only is, for the closed quarter, the same reading.
  private func theWritePathKeepsToTheEditions(_ store: RollupStore, _ pool: Pool) async throws {
    let entries = try await lateAndLedger(pool)[2]
    let domain = try await Store(pool)
    let closed = try await pool.withConnection {
      try await $0.query(
        """
        SELECT b.id, b.patient_id, b.facility_id, b.systolic, b.diastolic, b.recorded_at
        FROM blood_pressures AS b JOIN rollup.blood_pressure_rollups AS r ON r.blood_pressure_id = b.id
        WHERE r.period_type = 'M' AND r.period_start = '2024-05-01' LIMIT 2
        """)
    }
    var readings = try closed.map { row in
      Reading(
        id: try row.decode(0, as: UUID.self), patientID: try row.decode(1, as: UUID.self),
        facilityID: try row.decode(2, as: UUID?.self), systolic: try row.decode(3, as: Int.self),
        diastolic: try row.decode(4, as: Int.self), heartRate: 99,
        recordedAt: try row.decode(5, as: Date?.self))
    }
    let late = try await lateRows(pool)
    #expect(try await domain.record(readings[0]) == .changed)
    #expect(try await domain.record([readings[1]]).changed == 1)
    #expect(try await lateAndLedger(pool)[2] == entries, "no entry in the ledger")
    #expect(try await lateRows(pool).subtracting(late) == [], "and no late row")
    #expect(try await knownNow(store) == [])
    let taken =
      "SELECT count(*) FROM rollup.blood_pressure_rollups_late WHERE heart_rate IS NOT NULL"
    #expect(try await count(taken, pool) == 0)
    // In one batch a change of the heart rate, and one that closed periods know.
    readings[0].heartRate = 98
    readings[1].diastolic += 1
    #expect(try await domain.record(readings).changed == 2)
    #expect(try await lateAndLedger(pool)[2] == entries + 2, "of the second, month and quarter")
    #expect(
      try await lateRows(pool).subtracting(late).allSatisfy {
        $0.contains("\(readings[1].patientID)".lowercased())
      })
    readings[0].systolic += 1
    try await domain.record(readings[0])
    #expect(try await lateAndLedger(pool)[2] == entries + 4, "one for each, month and quarter")
    readings[0].systolic -= 1
    try await domain.record(readings[0])
    let same = try await lateRows(pool).subtracting(late)
    #expect(
      same.allSatisfy { !$0.contains("\(readings[0].patientID)".lowercased()) },
      "put right again it is as it was published")
    readings[0].systolic += 1
    try await domain.record(readings[0])
    let again = entries + 8
    try await domain.record(
      BloodSugar(
        patientID: Self.patient(1), facilityID: nil, value: 7.5, kind: .hba1c,
        recordedAt: Date(timeIntervalSince1970: 1_717_100_000)))
    #expect(try await lateAndLedger(pool)[2] == again, "the quarter is open for blood sugar")
    #expect(try await knownNow(store) == [])
    #expect(try await Backfilling.drift(store) == [])
    #expect(try await findings(store) == [])
  }

  /// What migration 0006 puts on record of older editions is what their closing would have.
  @Test func olderEditionsAreGivenTheColumnsOfTheirTime() async throws {
    func parts(_ pool: Pool) async throws -> [String] {
      try await pool.withConnection { connection in
        try await connection.query("SELECT p::text FROM rollup.edition_parts AS p ORDER BY 1").map {
          try $0.decode(String.self)
        }
      }
    }
    try await programme(isOlder: false) { database, _ in
      let pool = database.pool
      let recorded = try await parts(pool)
      #expect(recorded.count == 3 * 6)
      try await execute(Self.older, pool)
      _ = try await Migrator.programme.run(pool, partitions: Self.span)
      #expect(try await parts(pool) == recorded)
    }
  }

  @Test func aPlanSaysEverythingAndDoesNothing() async throws {
    try await programme { database, _ in
      let pool = database.pool
      let state = """
        SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM (
          SELECT c.relname, a.attname, a.attnotnull, c.relowner, c.relacl::text FROM pg_class AS c
          LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid
          WHERE c.relnamespace IN ('rollup'::regnamespace, 'public'::regnamespace)
        ) AS t
        """
      func fingerprint() async throws -> String {
        try await pool.withConnection { try await $0.query(Query(text: state)).only(String.self) }
      }
      let before = try await fingerprint()
      let plan = try await Migrator.programme.plan(pool, partitions: Self.span)
      #expect(try await fingerprint() == before)
      for line in [
        "-- Migrations/0006_schema_changes.sql", "ADD COLUMN heart_rate integer",
        "ALTER TABLE rollup.blood_pressure_rollups ADD COLUMN heart_rate integer;",
        "ALTER TABLE rollup.blood_pressure_rollups_late ADD COLUMN heart_rate integer;",
        "LOCK TABLE rollup.blood_pressure_rollups, rollup.blood_pressure_rollups_late IN ACCESS EXCLUSIVE MODE;",
        "SET LOCAL lock_timeout = '300ms';",
        "CREATE TABLE IF NOT EXISTS rollup.blood_sugar_rollups (",
        "ALTER COLUMN year DROP NOT NULL",
        "CREATE TABLE rollup.blood_sugar_rollups_months_2024_06",
      ] { #expect(plan.description.contains(line), "\(line)") }

      // Run by psql, it is what the migration does; rights are given every time.
      let file = NSTemporaryDirectory() + "/plan-\(UUID().uuidString).sql"
      // A file's checksum is a parameter; what it stands for is said beside it.
      try plan.description
        .replacing(
          "VALUES ($1, sha256(convert_to($2, 'UTF8')))",
          with: "VALUES (gen_random_uuid()::text, '')"
        )
        .write(toFile: file, atomically: true, encoding: .utf8)
      let outcome = await run(
        ["/bin/sh", "-c", "psql -XAtq -v ON_ERROR_STOP=1 -f \(file) '\(database.url)'"])
      #expect(outcome.status == 0, "\(outcome.error)")
      try await execute("DELETE FROM rollup.migrations WHERE checksum = ''", pool)
      for mine in Migrator.programme.migrations
      where ["0006", "0016"].contains(mine.name.prefix(4)) {
        try await pool.withConnection { connection in
          try await connection.execute(
            """
            INSERT INTO rollup.migrations (name, checksum)
            VALUES (\(mine.name), sha256(convert_to(\(mine.sql), 'UTF8')))
            """)
        }
      }
      let rest = try await Migrator.programme.plan(pool, partitions: Self.span)
      #expect(rest.steps.map(\.name) == ["give the roles their rights, as every time"])
    }
  }
}
