import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import Synchronization
import TestSupport
import Testing

/// Migrations: once each, whoever else migrates; and the reporting time zone, which is set once.
@Suite struct MigrationTests {
  private let span = Partitions.span(fromYear: 2024, throughYear: 2024)

  private func withPool(_ body: (Pool) async throws -> Void) async throws {
    try await withDatabase { url in
      let pool = Pool(ConnectionSettings(conninfo: url), size: 4)
      try await body(pool)
      await pool.close()
    }
  }

  @Test func twoRunsAtOnceApplyEachMigrationOnce() async throws {
    try await withPool { pool in
      async let first = Migrator.programme.run(pool, timeZone: "Asia/Kolkata", partitions: span)
      async let second = Migrator.programme.run(pool, timeZone: "Asia/Kolkata", partitions: span)
      let (one, two) = try await (first, second)
      let names = Migrator.programme.migrations.map(\.name)
      #expect((one.applied + two.applied).sorted() == names)
      #expect(one.applied.isEmpty || two.applied.isEmpty, "the second waits for the first")
      let third = try await Migrator.programme.run(pool, partitions: span)
      #expect(third.applied.isEmpty && third.partitions == 0 && third.missingRoles.isEmpty)
    }
  }

  /// As by several closings that each make what they need.
  @Test func partitionsAreMadeOnceByManyAtOnce() async throws {
    try await withPool { pool in
      _ = try await Migrator.programme.run(pool, timeZone: "Asia/Kolkata", partitions: span)
      let later = Partitions.span(fromYear: 2025, throughYear: 2027)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            try await pool.withConnection { connection in
              _ = try await Partitions(Rollups.catalog).ensure(later, on: connection)
            }
          }
        }
        try await group.waitForAll()
      }
      let missing = try await pool.withConnection {
        try await Partitions(Rollups.catalog).ensure(later, on: $0)
      }
      #expect(missing == 0)
    }
  }

  /// A run that an older version has begun is gone on with.
  @Test func chunksOfRunsBecomeJobs() async throws {
    try await withPool { pool in
      let files = Migrator.programme.migrations.filter {
        ["0005_runs", "0007_jobs", "0008_runs_are_jobs", "0015_jobs"].contains($0.name)
      }
      try await pool.withConnection { connection in
        try await connection.script("CREATE SCHEMA rollup")
        for file in files {
          if file.name.hasPrefix("0008") {
            try await connection.script(
              """
              INSERT INTO rollup.runs (kind, task) VALUES ('backfill', '{}');
              INSERT INTO rollup.run_chunks (run, number, step, what, first_subject, end_subject, subject_ids, state)
              VALUES (1, 1, 1, 'mend', 'a', 'b', NULL, 'done'), (1, 2, 1, 'mend', NULL, NULL, '{x,y}', 'taken'),
                (1, 3, 2, 'count', NULL, NULL, NULL, 'waiting');
              """)
          }
          try await connection.script(file.sql)
        }
      }
      let runs = Runs(pool)
      let run = try #require(try await runs.unfinished("backfill"))
      let done = Mutex<[RunChunk]>([])
      try await runs.work(
        on: run, as: "worker 1", size: 2, shouldStop: { false }, report: { _ in }
      ) { chunk, claim in
        done.withLock { $0.append(chunk) }
        try await pool.transaction { tx in try await claim.complete(in: tx) }
      }
      #expect(
        done.withLock { $0.map(\.scope) } == [
          .subjects(["x", "y"]), .bounds(first: nil, end: nil),
        ])
      #expect(try await runs.progress(run.number).done == 3)
      #expect(try await runs.finish(run.number))
    }
  }

  /// On a managed server nobody is a superuser. Where roles are there already and this one is no member of the owner's, the
  /// database is migrated all the same, and who administers it is told what is missing.
  @Test func aRoleThatIsNoMemberOfTheOwnerMigratesAndSaysWhatIsMissing() async throws {
    try await withPool { pool in
      let (name, address) = try await pool.withConnection { connection in
        let (name, folder) = try await connection.query(
          "SELECT current_database()::text, current_setting('unix_socket_directories')"
        ).only((String, String).self)
        for role in RollupRole.allCases {
          _ = try? await connection.script("CREATE ROLE \(role.rawValue) NOLOGIN")
        }
        try await connection.script(
          "CREATE ROLE \(name)_plain LOGIN; ALTER DATABASE \(name) OWNER TO \(name)_plain")
        return (name, "postgresql:///\(name)?host=\(folder)&port=5432&user=\(name)_plain")
      }
      let plain = Pool(ConnectionSettings(conninfo: address), size: 1)
      let first = try await Migrator.programme.run(plain, partitions: span)
      #expect(
        first.missingRoles == [
          "GRANT rollup_owner, rollup_deriver TO <the role that migrates> WITH ADMIN OPTION;"
        ])
      try await pool.withConnection {
        try await $0.script("GRANT rollup_owner, rollup_deriver TO \(name)_plain WITH ADMIN OPTION")
      }
      let second = try await Migrator.programme.run(plain, partitions: span)
      #expect(second.missingRoles.isEmpty)
      // From nothing too.
      try await pool.withConnection { try await $0.script("DROP SCHEMA rollup CASCADE") }
      #expect(try await Migrator.programme.run(plain, partitions: span).missingRoles.isEmpty)
      let foreign = try await pool.withConnection {
        try await $0.query(
          "SELECT count(*) FROM pg_class WHERE relnamespace = 'rollup'::regnamespace AND relkind IN ('r', 'p') AND relowner <> 'rollup_owner'::regrole"
        ).only(Int.self)
      }
      #expect(foreign == 0)
      await plain.close()
      try await pool.withConnection {
        try await $0.script(
          """
          REASSIGN OWNED BY \(name)_plain TO postgres; DROP OWNED BY \(name)_plain; DROP ROLE \(name)_plain
          """)
      }
    }
  }

  @Test func aMigrationThatWasAppliedInAnotherFormIsRefused() async throws {
    try await withPool { pool in
      _ = try await Migrator.programme.run(pool, partitions: span)
      try await pool.withConnection {
        try await $0.script(
          "UPDATE rollup.migrations SET checksum = '\\x00' WHERE name = '0002_deployment'")
      }
      await #expect(throws: DeploymentError.changedMigration("0002_deployment")) {
        _ = try await Migrator.programme.run(pool, partitions: span)
      }
    }
  }

  @Test func aDatabaseOfANewerProgramIsRefused() async throws {
    try await withPool { pool in
      _ = try await Migrator.programme.run(pool, partitions: span)
      try await pool.withConnection {
        try await $0.script(
          "INSERT INTO rollup.migrations (name, checksum) VALUES ('9999_later', '')")
      }
      await #expect(throws: DeploymentError.unknownMigration("9999_later")) {
        _ = try await Migrator.programme.run(pool, partitions: span)
      }
    }
  }

  @Test func theTimeZoneIsSetOnce() async throws {
    try await withPool { pool in
      #expect(try await Migrator.programme.run(pool, partitions: span).timeZone == "UTC")
      // Nothing is recorded yet.
      let kolkata = try await Migrator.programme.run(
        pool, timeZone: "asia/kolkata", partitions: span)
      #expect(kolkata.timeZone == "Asia/Kolkata")
      let store = try await Store(pool)
      let patient = Patient(registeredAt: Date(), registrationFacilityID: UUID())
      try await store.insert(patient)
      #expect(
        try await Migrator.programme.run(pool, timeZone: "Asia/Kolkata", partitions: span).timeZone
          == "Asia/Kolkata")
      await #expect(throws: DeploymentError.timeZoneIsSet("Asia/Kolkata", asked: "Asia/Dhaka")) {
        _ = try await Migrator.programme.run(pool, timeZone: "Asia/Dhaka", partitions: span)
      }
    }
  }

  @Test(arguments: ["Asia/Kolkatta", "IST", "+05:30", "", "posix/Asia/Kolkata", "localtime"])
  func whatIsNoTimeZoneIsRefused(name: String) async throws {
    try await withPool { pool in
      let error = await #expect(throws: DeploymentError.self) {
        _ = try await Migrator.programme.run(pool, timeZone: name, partitions: span)
      }
      if name == "Asia/Kolkatta" {
        #expect(error?.description.contains("Asia/Kolkata") == true)
      }
    }
  }
}
