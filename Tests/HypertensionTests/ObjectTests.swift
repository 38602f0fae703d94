import Foundation
import Hypertension
import PeriodRollups
import Postgres
import TestSupport
import Testing

@testable import RollupStore

/// Whatever keeps closed periods as they are is compared as a whole: what an owner or a partial restore has changed is
/// named by `rollup verify --closed` and mended by `rollup migrate`.
@Suite struct ObjectTests {
  static let span = Partitions.span(fromYear: 2023, throughYear: 2024)

  private func findings(_ store: Store) async throws -> [String] {
    var findings: [String] = []
    try await ClosedVerification(store.rollups, publishing: CarePublication()).run { finding in
      findings.append("\(finding)")
      return true
    }
    return findings
  }

  private func closed(_ body: (TestDatabase, Store) async throws -> Void) async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      var history = RandomHistory(store, seed: 3, patients: 4, rows: 8)
      for _ in 0..<60 { try await history.step() }
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      for name in ["2024-02", "2024-03", "2024Q1"] { try await closer.close(Period(parsing: name)) }
      try await closer.restate(Period(parsing: "2024-03"), reason: "late phones")
      try await body(database, store)
    }
  }

  @Test func aMigratedDatabaseIsAsItShouldBe() async throws {
    try await closed { database, store in
      #expect(try await findings(store) == [])
      let plan = try await Migrator.programme.plan(database.pool, partitions: Self.span)
      #expect(plan.steps.count == 1, "\(plan.steps.map(\.name))")
    }
  }

  /// What `rollup migrate` makes right again.
  static let mended = [
    "CREATE OR REPLACE FUNCTION rollup.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE OR REPLACE FUNCTION rollup.guard_published() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN coalesce(new, old); END'",
    "CREATE OR REPLACE FUNCTION rollup.enter_diversion() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE OR REPLACE FUNCTION rollup.acts_as_closer() RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "ALTER FUNCTION rollup.guard_blood_pressure_rollups() SECURITY INVOKER",
    "ALTER FUNCTION rollup.guard_blood_pressure_rollups() SET search_path = pg_temp, public",
    "ALTER FUNCTION rollup.guard_visit_rollups() OWNER TO rollup_reporter",
    "ALTER FUNCTION rollup.settle_visit_rollups(uuid[], date[]) RESET ALL",
    "GRANT EXECUTE ON FUNCTION rollup.settle_visit_rollups(uuid[], date[]) TO PUBLIC",
    "GRANT EXECUTE ON FUNCTION rollup.filed_figures(text, \"char\", date, date, uuid[], integer, integer) TO PUBLIC",
    "ALTER FUNCTION rollup.in_force() SECURITY INVOKER",
    "DROP FUNCTION rollup.settle_visit_rollups(uuid[], date[])",
    """
    DROP TRIGGER closed ON rollup.visit_rollups_months_2024_02;
    CREATE TRIGGER closed BEFORE INSERT OR UPDATE OF year OR DELETE ON rollup.visit_rollups_months_2024_02
      FOR EACH ROW EXECUTE FUNCTION rollup.guard_visit_rollups();
    ALTER TABLE rollup.visit_rollups_months_2024_02 ENABLE ALWAYS TRIGGER closed
    """,
    """
    CREATE SCHEMA lookalike;
    CREATE FUNCTION lookalike.guard_published() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN coalesce(new, old); END';
    DROP TRIGGER published ON rollup.published_figures;
    CREATE TRIGGER published BEFORE INSERT OR UPDATE OR DELETE ON rollup.published_figures
      FOR EACH ROW EXECUTE FUNCTION lookalike.guard_published();
    ALTER TABLE rollup.published_figures ENABLE ALWAYS TRIGGER published
    """,
    "ALTER TABLE rollup.visit_rollups_months_2024_02 ENABLE TRIGGER closed_whole",
    "ALTER TABLE rollup.diversions DISABLE TRIGGER entered",
    "ALTER TABLE rollup.list_reads DISABLE TRIGGER ALL",
    "ALTER TABLE rollup.editions ENABLE TRIGGER recorded",
    "DROP TRIGGER kept ON rollup.visit_rollups_months_2024_03_edition_1",
    "DROP POLICY everybody ON rollup.editions",
    "DROP POLICY served ON rollup.published_figures; CREATE POLICY served ON rollup.published_figures AS RESTRICTIVE TO rollup_server USING (true)",
    "ALTER TABLE rollup.published_figures DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE rollup.editions OWNER TO rollup_closer",
    "ALTER TABLE rollup.visit_rollups_months_2024_02 OWNER TO rollup_writer",
    "GRANT UPDATE ON rollup.visit_rollups_months_2024_02 TO rollup_writer",
    "GRANT INSERT ON rollup.late_arrivals TO rollup_writer",
    "GRANT UPDATE (systolic) ON rollup.blood_pressure_rollups_late TO rollup_writer",
    "GRANT EXECUTE ON FUNCTION rollup.complete_jobs TO rollup_writer",
    "REVOKE EXECUTE ON FUNCTION rollup.settle_visit_rollups(uuid[], date[]) FROM rollup_writer",
    "GRANT SELECT ON rollup.tokens TO PUBLIC",
    "REVOKE SELECT ON rollup.editions FROM rollup_server",
  ]

  @Test(arguments: mended.indices)
  func whatIsNotAsItShouldBeIsNamedAndMended(number: Int) async throws {
    let sql = Self.mended[number]
    try await closed { database, store in
      try await database.pool.withConnection { try await $0.script(sql) }
      let found = try await findings(store)
      #expect(!found.isEmpty, "not named: \(sql)")
      _ = try await Migrator.programme.run(database.pool, partitions: Self.span)
      #expect(try await findings(store) == [], "not mended: \(sql)")
    }
  }

  /// How a session prints names is no difference.
  @Test(arguments: [
    ["search_path": "public, rollup"], ["search_path": "rollup, public"],
    ["quote_all_identifiers": "on"],
  ])
  func noSettingOfTheSessionLooksLikeTampering(options: [String: String]) async throws {
    try await closed { database, _ in
      let pool = Pool(ConnectionSettings(conninfo: database.url, options: options), size: 2)
      #expect(try await findings(Store(pool)) == [])
      let plan = try await Migrator.programme.plan(pool, partitions: Self.span)
      #expect(plan.steps.count == 1 && plan.remarks.isEmpty, "\(plan.steps.map(\.name))")
      await pool.close()
    }
  }

  /// A restore without its last part has no keys.
  @Test(arguments: [
    "ALTER TABLE rollup.editions DROP CONSTRAINT editions_pkey, DROP CONSTRAINT editions_sequence_key",
    "DROP INDEX rollup.late_arrivals_once",
    "ALTER TABLE rollup.visit_rollups_late DROP CONSTRAINT visit_rollups_late_pkey",
  ])
  func aTableWithoutItsKeyIsNamed(sql: String) async throws {
    try await closed { database, store in
      try await database.pool.withConnection { try await $0.script(sql) }
      let found = try await findings(store)
      #expect(found.contains { $0.contains("has no key") }, "\(found)")
    }
  }

  /// What a person has to decide.
  static let named = [
    "CREATE RULE r AS ON DELETE TO rollup.editions DO INSTEAD NOTHING",
    "CREATE TRIGGER mine BEFORE INSERT ON rollup.blood_pressure_rollups FOR EACH ROW EXECUTE FUNCTION rollup.refuse()",
    "CREATE POLICY mine ON rollup.editions USING (true)",
    "CREATE FUNCTION rollup.enter(secret text, more text) RETURNS text LANGUAGE sql AS 'SELECT secret'",
    """
    CREATE FUNCTION public.skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER a BEFORE INSERT ON rollup.late_arrivals FOR EACH ROW EXECUTE FUNCTION public.skip()
    """,
  ]

  @Test(arguments: named.indices)
  func whatIsNoneOfOursIsNamed(number: Int) async throws {
    try await closed { database, store in
      try await database.pool.withConnection { try await $0.script(Self.named[number]) }
      let found = try await findings(store)
      #expect(found.count == 1, "\(found)")
      let outcome = try await Migrator.programme.run(database.pool, partitions: Self.span)
      #expect(outcome.remarks.count == 1, "\(outcome.remarks)")
    }
  }

  /// The texts that are compared are read from the migrations.
  @Test func everyFunctionOfTheMigrationsIsCompared() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      let (found, known) = try await database.pool.transaction(.repeatableRead, readOnly: true) {
        tx in
        let objects = try await FoundObjects.read(tx)
        let none = Catalog(subject: Tables.Patients.subject, mostRecent: [])
        let findings = try await DatabaseObjects(catalog: none, published: []).findings(in: tx)
        return (
          objects.functions.count,
          objects.functions.count
            - findings.filter { $0.what.contains("none of this version's") }.count
        )
      }
      // All but the guards and what brings late rows right, which are the declarations'.
      let declared = Rollups.catalog.periodTables.count + Rollups.catalog.mostRecent.count
      #expect(found - known <= declared && known >= 20)
    }
  }
}
