import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// The guard is in the database: what each role may do, and what nobody can do to a closed period (DESIGN.md, P3).
@Suite struct RoleTests {
  private func pool(_ database: TestDatabase, as role: RollupRole, size: Int = 4) -> Pool {
    Pool(
      ConnectionSettings(conninfo: database.url, options: ["role": role.rawValue]), size: size,
      acquireTimeout: .seconds(60))
  }

  private func history(_ store: Store, seed: UInt64, steps: Int) async throws {
    var history = RandomHistory(store, seed: seed, patients: 4, rows: 8)
    for _ in 0..<steps { try await history.step() }
  }

  @Test func theWriterWritesAndTheCloserCloses() async throws {
    try await TestDatabase.migrated { database, store in
      let (writing, closing) = (pool(database, as: .writer), pool(database, as: .closer))
      let writer = try await Store(writing)
      try await history(writer, seed: 5, steps: 150)
      let closer = Closer(
        try await RollupStore(closing, Rollups.catalog), publishing: CarePublication(),
        author: "closer")
      for period in ["2024-03", "2024Q1", "2024-04"] { try await closer.close(period.period) }
      try await history(writer, seed: 6, steps: 150)
      try await closer.restate("2024-03".period, reason: "late phones")
      _ = try await Backfilling.everything(try await RollupStore(closing, Rollups.catalog))
      try await history(writer, seed: 7, steps: 50)
      #expect(try await Backfilling.drift(store.rollups).isEmpty)
      var findings: [String] = []
      try await ClosedVerification(store.rollups, publishing: CarePublication()).run { finding in
        findings.append("\(finding)")
        return true
      }
      #expect(findings.isEmpty)
      await writing.close()
      await closing.close()
    }
  }

  @Test func theReporterSeesNoPatient() async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      let reporting = pool(database, as: .reporter)
      for table in ["patients", "blood_pressures", "visits"] {
        await #expect(throws: PostgresError.self) {
          try await reporting.withConnection {
            try await $0.execute(Query(text: "SELECT FROM \(table)"))
          }
        }
      }
      await reporting.close()
    }
  }

  /// Whatever a session says it is doing.
  @Test(arguments: ["", "change", "backfill"])
  func noSQLChangesWhatIsClosed(doing: String) async throws {
    try await TestDatabase.migrated { database, store in
      try await history(store, seed: 11, steps: 150)
      var closings = Closings(seed: 1)
      try await closings.run(store)
      for role in [RollupRole.writer, .reporter, .owner] {
        let pool = pool(database, as: role)
        for attempt in Self.attempts where role != .owner || !attempt.isDefinition {
          _ = try? await pool.withConnection { connection in
            try await connection.script(
              "SELECT set_config('rollup.doing', '\(doing)', false); \(attempt.sql)")
          }
        }
        await pool.close()
        for (edition, fingerprint) in closings.fingerprints {
          let now = try await Closings.fingerprint(edition, store, last: closings.last)
          #expect(now == fingerprint, "\(role.rawValue) has changed \(edition)")
        }
      }
      var findings: [String] = []
      try await ClosedVerification(store.rollups, publishing: CarePublication()).run { finding in
        findings.append("\(finding)")
        return true
      }
      #expect(findings.isEmpty)
    }
  }

  /// The guard runs as the owner: no name that it uses may be one that its caller has made.
  @Test(arguments: ["text", "\"char\"", "uuid", "date"])
  func theGuardUsesNoTypeOfItsCaller(_ type: String) async throws {
    try await TestDatabase.migrated { database, store in
      try await history(store, seed: 11, steps: 150)
      var closings = Closings(seed: 1)
      try await closings.run(store)
      let pool = pool(database, as: .writer, size: 1)
      try await pool.withConnection { connection in
        try await connection.script(
          """
          CREATE FUNCTION pg_temp.seize(value pg_catalog.\(type)) RETURNS boolean LANGUAGE plpgsql AS $$
          BEGIN
            PERFORM set_config('test.seized_as', current_user, false);
            RETURN true;
          END $$;
          CREATE DOMAIN pg_temp.\(type) AS pg_catalog.\(type) CHECK (pg_temp.seize(VALUE));
          """)
        let seized = try await Self.seized(by: connection)
        #expect(seized == "")
      }
      // With a search path that does not name pg_temp it would be: the attack is one.
      guard type == "text" else { return await pool.close() }
      try await database.pool.withConnection {
        try await $0.script(
          "ALTER FUNCTION rollup.guard_blood_pressure_rollups SET search_path = public")
      }
      let seized = try await pool.withConnection { try await Self.seized(by: $0) }
      #expect(seized == RollupRole.owner.rawValue)
      await pool.close()
    }
  }

  /// Who has executed a check that a writer had made, when it writes to a closed period.
  private static func seized(by connection: Connection) async throws -> String {
    try await connection.script(
      """
      INSERT INTO rollup.blood_pressure_rollups
        (patient_id, period_type, period_start, recorded_at, blood_pressure_id, year, period_name)
      SELECT patient_id, period_type, period_start, now(), gen_random_uuid(), year, period_name
      FROM rollup.blood_pressure_rollups WHERE period_start = '2024-03-01' LIMIT 1
      """)
    return try await connection.query(
      Query(text: "SELECT coalesce(current_setting('test.seized_as', true), '')")
    ).only(String.self)
  }

  private static var attempts: [(sql: String, isDefinition: Bool)] {
    let tables = ["rollup.blood_pressure_rollups", "rollup.visit_rollups"].flatMap {
      [$0, "\($0)_months_2024_03", "\($0)_quarters_2024_q2"]
    }
    let closed = "period_start IN ('2024-01-01', '2024-02-01', '2024-03-01', '2024-04-01')"
    let rows = tables.flatMap { table -> [String] in
      let values = """
        (patient_id, period_type, period_start, \(table.contains("visit") ? "visited_at, visit_id, source" : "recorded_at, blood_pressure_id"), year, period_name)
        SELECT patient_id, period_type, period_start, now(), gen_random_uuid(), \(table.contains("visit") ? "'B'," : "") year, period_name
        FROM \(table) WHERE \(closed)
        """
      return [
        "UPDATE \(table) SET assigned_facility_id = gen_random_uuid() WHERE \(closed)",
        "UPDATE \(table) SET period_start = '2024-05-01' WHERE period_start = '2024-03-01' AND period_type = 'M'",
        "DELETE FROM \(table) WHERE \(closed)",
        "INSERT INTO \(table) \(values)",
        "INSERT INTO \(table) \(values) ON CONFLICT (patient_id, period_type, period_start) DO UPDATE SET year = 1",
        "MERGE INTO \(table) AS r USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
        "COPY (SELECT 1) TO STDOUT; TRUNCATE \(table)", "TRUNCATE \(table) CASCADE",
      ]
    }
    let published = [
      "editions", "edition_leaves", "edition_regions", "published_figures", "published_patients",
    ].flatMap { table in
      [
        "UPDATE rollup.\(table) SET edition = edition + 1", "DELETE FROM rollup.\(table)",
        "TRUNCATE rollup.\(table)", "INSERT INTO rollup.\(table) SELECT * FROM rollup.\(table)",
      ]
    }
    // What an owner can do is not refused; 'rollup verify --closed' shows it.
    let definitions = [
      "ALTER TABLE rollup.blood_pressure_rollups_months DETACH PARTITION rollup.blood_pressure_rollups_months_2024_03",
      "DROP TABLE rollup.visit_rollups_quarters_2024_q2",
      "ALTER TABLE rollup.visit_rollups_months_2024_03 DISABLE TRIGGER closed",
      "DROP TRIGGER closed ON rollup.visit_rollups_months_2024_03",
      "DROP FUNCTION rollup.guard_visit_rollups CASCADE", "DROP SCHEMA rollup CASCADE",
      "SET session_replication_role = replica; DELETE FROM rollup.visit_rollups",
      "UPDATE rollup.late_arrivals SET change = 'x'", "DELETE FROM rollup.late_arrivals",
    ]
    return (rows + published).map { ($0, false) } + definitions.map { ($0, true) }
  }
}

extension String {
  fileprivate var period: Period {
    get throws { try Period(parsing: self) }
  }
}
