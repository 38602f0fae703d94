import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// Whoever owns what the sources are made of can run code in the session that reads them; so nobody with rights reads
/// sources of owners that are not trusted.
@Suite struct SourceTrustTests {
  /// A function of the writer's that puts on record with whose rights it runs.
  private static let spy = """
    CREATE TABLE public.seen (role text);
    GRANT INSERT, SELECT ON public.seen TO PUBLIC;
    CREATE FUNCTION public.spy(anything integer) RETURNS boolean LANGUAGE plpgsql AS $spy$
    BEGIN
      INSERT INTO public.seen VALUES (current_user);
      RETURN true;
    END
    $spy$;
    ALTER FUNCTION public.spy(integer) OWNER TO rollup_writer;
    """

  private static let rename = "ALTER TABLE blood_pressures RENAME TO readings;"

  /// What a writer that owns its tables can do, and what the refusal names.
  @Test(arguments: [
    (
      """
      \(rename) CREATE VIEW blood_pressures AS SELECT * FROM readings WHERE public.spy(1);
      ALTER VIEW blood_pressures OWNER TO rollup_writer;
      """, "the view blood_pressures belongs to rollup_writer"
    ),
    (
      "\(rename) CREATE VIEW blood_pressures AS SELECT * FROM readings WHERE public.spy(1);",
      "the function spy(integer), which reading blood_pressures may run, belongs to rollup_writer"
    ),
    (
      """
      \(rename) CREATE VIEW inner_readings AS SELECT * FROM readings WHERE public.spy(1);
      CREATE VIEW blood_pressures AS SELECT * FROM inner_readings;
      """, "which reading inner_readings may run"
    ),
    (
      """
      ALTER TABLE blood_pressures OWNER TO rollup_writer; ALTER TABLE blood_pressures ENABLE ROW LEVEL SECURITY;
      CREATE POLICY mine ON blood_pressures USING (public.spy(1));
      """, "which reading blood_pressures may run"
    ),
    (
      // Planning computes what an index says of constants.
      """
      CREATE FUNCTION public.constant(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $constant$
      BEGIN PERFORM public.spy($1); RETURN $1; END
      $constant$;
      ALTER FUNCTION public.constant(integer) OWNER TO rollup_writer;
      CREATE INDEX spying ON blood_pressures ((systolic + public.constant(1)));
      """,
      "the function constant(integer), which reading blood_pressures may run, belongs to rollup_writer"
    ),
  ])
  func aSourceThatRunsAStrangersCodeIsNotRead(change: String, words: String) async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      try await prepare(database, store, change)
      let closing = Pool(
        ConnectionSettings(
          conninfo: database.url, options: ["role": RollupRole.closer.rawValue]), size: 3)
      // What it is that is refused: the code runs as whoever reads.
      _ = try await closing.withConnection {
        try await $0.query("SELECT count(*) FROM blood_pressures")
      }
      #expect(try await seen(database).contains("rollup_closer"))
      try await database.pool.withConnection { try await $0.script("TRUNCATE public.seen") }

      let rollups = try await RollupStore(closing, Rollups.catalog)
      let closer = Closer(rollups, publishing: CarePublication(), author: "closer")
      let error = await #expect(throws: Closing.Refusal.self) {
        try await closer.close("2024-03".month)
      }
      #expect("\(error.map { "\($0)" } ?? "")".contains(words), "\(String(describing: error))")
      await #expect(throws: Closing.Refusal.self) {
        try await SourceTrust(Rollups.catalog).check(closing)
      }
      #expect(try await seen(database).isEmpty)
      #expect(try await store.rollups.editions().isEmpty)
      // Without the closer's rights there is nothing to gain.
      let writing = Pool(
        ConnectionSettings(
          conninfo: database.url, options: ["role": RollupRole.writer.rawValue]), size: 1)
      try await SourceTrust(Rollups.catalog).check(writing)
      await writing.close()
      await closing.close()
    }
  }

  /// Owners, not views: plain tables run nothing whoever owns them, and views of trusted owners are as good as tables.
  @Test(arguments: [
    """
    ALTER TABLE blood_pressures OWNER TO rollup_writer; ALTER TABLE patients OWNER TO rollup_writer;
    ALTER TABLE facilities OWNER TO rollup_writer;
    """,
    """
    \(rename) ALTER TABLE readings OWNER TO rollup_writer;
    CREATE VIEW blood_pressures AS SELECT * FROM readings WHERE systolic > 0;
    """,
    """
    CREATE FUNCTION public.reached(integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
    ALTER FUNCTION public.reached(integer) OWNER TO rollup_owner;
    \(rename) CREATE VIEW blood_pressures AS SELECT * FROM readings WHERE public.reached(1);
    ALTER VIEW blood_pressures OWNER TO rollup_owner; GRANT SELECT ON readings TO rollup_owner;
    """,
  ])
  func plainTablesAndTrustedViewsAreRead(change: String) async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      try await prepare(database, store, change)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "closer")
      try await closer.close("2024-03".month)
      try await SourceTrust(Rollups.catalog).check(database.pool)
    }
  }

  private func prepare(_ database: TestDatabase, _ store: Store, _ change: String) async throws {
    try await store.record(
      Reading(
        patientID: UUID(), facilityID: nil, systolic: 120, diastolic: 80,
        recordedAt: Date(timeIntervalSince1970: 1_710_000_000)))
    try await database.pool.withConnection {
      try await $0.script(
        Self.spy + change + "; GRANT SELECT ON blood_pressures TO rollup_closer, rollup_writer;")
    }
  }

  private func seen(_ database: TestDatabase) async throws -> [String] {
    try await database.pool.withConnection {
      try await $0.query("SELECT role FROM public.seen").map { try $0.decode(String.self) }
    }
  }
}

extension String {
  fileprivate var month: Period {
    (try? Period(parsing: self)) ?? Period(.month, containing: CalendarDate(daysSince1970: 0))
  }
}
