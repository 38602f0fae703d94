import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import RollupStore

/// Writers and long readers beside a migration, and migrations that are killed.
extension SchemaChangeTests {
  /// Writers of the program of before go on, and a report that takes its time is waited for; nobody waits for long.
  @Test func writersGoOnWhileALongReaderIsWaitedFor() async throws {
    try await programme(isOlder: false) { database, old in
      let pool = database.pool
      let path = SourcePath<UUID>(Before.readings, in: old)
      let isOver = Flag()
      let reader = try await database.connect()
      let holds = Flag()
      try await withThrowingTaskGroup(of: Duration.self) { group in
        group.addTask {
          try await reader.transaction { tx in
            _ = try await tx.query("SELECT count(*) FROM rollup.blood_pressure_rollups")
            holds.set()
            try await Task.sleep(for: .seconds(6))
          }
          return .zero
        }
        for writer in 0..<4 {
          group.addTask {
            var number = 1000 + writer
            while !isOver.isSet {
              try await Self.insert(number, path)
              number += 4
            }
            #expect(number > 1020 + writer, "it has written \((number - 1000) / 4)")
            return .zero
          }
        }
        // The server knows since when somebody waits for a lock, however busy the machine.
        let watcher = try await database.connect()
        group.addTask {
          var longest = 0.0
          while !isOver.isSet {
            let waited = try await watcher.query(
              """
              SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0)::double precision
              FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
              WHERE NOT l.granted AND l.locktype = 'relation' AND a.datname = current_database()
              """
            ).only(Double.self)
            longest = max(longest, waited)
            try await Task.sleep(for: .milliseconds(20))
          }
          await watcher.close()
          return .seconds(longest)
        }
        while !holds.isSet { try await Task.sleep(for: .milliseconds(10)) }
        let began = ContinuousClock.now
        _ = try await Migrator.programme.run(pool, partitions: Self.span)
        #expect(.now - began > .seconds(1.5), "the reader was in the way")
        isOver.set()
        var longest = Duration.zero
        for try await duration in group { longest = max(longest, duration) }
        #expect(longest < .seconds(3), "somebody waited for \(longest)")
      }
      await reader.close()
      let store = try await RollupStore(pool, Rollups.catalog)
      #expect(try await Backfilling.drift(store) == [])
      #expect(try await findings(store) == [])
    }
  }

  /// What is in the way of a numbered migration.
  enum InTheWay: String, CaseIterable, Sendable {
    case reader = "SELECT count(*) FROM blood_pressures"
    case writer = "UPDATE blood_pressures SET updated_at = now() WHERE systolic = 110"
  }

  /// The numbered files lock the application's own tables (0006 adds a column to one). A database of the first five files, with
  /// writers at work and a transaction that takes its time, is brought to today's: nobody waits for long, and everything that
  /// was written is there.
  @Test(arguments: InTheWay.allCases)
  func writersGoOnWhileNumberedMigrationsAreApplied(inTheWay: InTheWay) async throws {
    try await withDatabase { url in
      let pool = Pool(ConnectionSettings(conninfo: url), size: 12, acquireTimeout: .seconds(60))
      let old = try await Self.programmeOfFiveFiles(pool)
      let columns = "SELECT count(*) FROM pg_attribute WHERE attname = 'heart_rate'"
      #expect(try await count(columns, pool) == 0)
      let path = SourcePath<UUID>(Before.readings, in: old)
      for number in 0..<40 { try await Self.insert(number, path) }
      let (isOver, holds, isApplied) = (Flag(), Flag(), Flag())
      let written = Count(40)
      try await withThrowingTaskGroup(of: Duration.self) { group in
        group.addTask {
          try await pool.transaction(.readCommitted) { tx in
            _ = try await tx.query(Query(text: inTheWay.rawValue))
            holds.set()
            try await Task.sleep(for: .seconds(2.5))
            #expect(!isApplied.isSet, "it must wait for the transaction")
          }
          return .zero
        }
        for writer in 0..<4 {
          group.addTask {
            var (longest, number) = (Duration.zero, 1000 + writer)
            while !isOver.isSet {
              let began = ContinuousClock.now
              if writer == 0 {
                // By whatever SQL the application has.
                try await pool.withConnection {
                  _ = try await $0.execute(
                    "UPDATE blood_pressures SET deleted_at = NULL WHERE id = \(Self.id(3, 5))")
                }
              } else {
                try await Self.insert(number, path)
                written.increment()
              }
              longest = max(longest, .now - began)
              number += 4
            }
            return longest
          }
        }
        while !holds.isSet { try await Task.sleep(for: .milliseconds(10)) }
        let outcome = try await Migrator.programme.run(pool, partitions: Self.span) { step in
          if step == "apply 0006_schema_changes" { isApplied.set() }
        }
        #expect(outcome.applied.first == "0006_schema_changes")
        isOver.set()
        var longest = Duration.zero
        for try await duration in group { longest = max(longest, duration) }
        #expect(longest < .seconds(1.5), "a writer waited for \(longest)")
      }
      #expect(isApplied.isSet)
      #expect(
        try await count("SELECT count(*) FROM blood_pressures", pool) == written.value)
      #expect(written.value > 200)
      let store = try await RollupStore(pool, Rollups.catalog)
      // The patients were entered by hand, and are in no register yet.
      let drift = try await Backfilling.drift(store)
      #expect(drift.allSatisfy { ["registrations", "patients"].contains($0.rollup) }, "\(drift)")
      #expect(try await Migrator.programme.plan(pool, partitions: Self.span).steps.count == 1)
      await pool.close()
    }
  }

  /// As it was before 0006: five files, the declarations and the form of counts of then, and twenty patients.
  private static func programmeOfFiveFiles(_ pool: Pool) async throws -> RollupStore {
    let files = Migrator.programme.migrations.filter { $0.name < "0006" }
    let migrator = Migrator(
      Before.catalog, places: "facilities",
      published: ["rollup.published_figures", "rollup.published_patients"], migrations: files)
    let plan = try await migrator.plan(pool, timeZone: "Asia/Kolkata", partitions: span)
    // Readiness is on record since 0006, and rights are of today's tables.
    let later = ["note what is not filled yet", "give the roles their rights, as every time"]
    for step in plan.steps where !later.contains(step.name) {
      try await pool.withConnection { try await step.run(on: $0) }
    }
    try await pool.withConnection { try await $0.script(countsOfBefore) }
    try await pool.withConnection { connection in
      try await connection.execute(
        """
        INSERT INTO patients (id, registered_at, registration_facility_id, assigned_facility_id)
        SELECT p, '2023-11-15', f, f
        FROM unnest(\((1...20).map(patient))) AS p, (SELECT \(facility(1))::uuid AS f) AS f
        """)
    }
    return try await RollupStore(pool, Before.catalog)
  }

  /// A migration that is killed after any of its steps is gone on with, and ends where one does that is not.
  @Test func aKilledMigrationIsGoneOnWith() async throws {
    let shape = """
      SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM (
        SELECT c.relname, c.relkind, a.attname, a.attnotnull, format_type(a.atttypid, a.atttypmod), i.indisvalid
        FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
        WHERE c.relnamespace IN ('rollup'::regnamespace, 'public'::regnamespace)
      ) AS t
      """
    let migrator = Migrator.programme
    try await programme { database, _ in
      // Indexes that are declared and not there, so that there are steps outside of transactions.
      let pool = database.pool
      try await execute(Self.withoutIndexes, pool)
      var steps = 0
      while true {
        let plan = try await migrator.plan(pool, partitions: Self.span)
        guard plan.steps.count > 1, let step = plan.steps.first else { break }
        if step.name.hasPrefix("index registration_rollups_months_2024_03") {
          // Killed in the middle, it leaves an index that is not valid.
          try await pool.withConnection { try await step.run(on: $0) }
          try await execute(
            """
            UPDATE pg_index SET indisvalid = false
            WHERE indexrelid = 'rollup.registration_rollups_months_2024_03_by_registration_facility_id'::regclass
            """, pool)
          let next = try await migrator.plan(pool, partitions: Self.span).steps[0]
          #expect(
            next.name == "drop registration_rollups_months_2024_03_by_registration_facility_id")
          try await pool.withConnection { try await next.run(on: $0) }
          let again = try await migrator.plan(pool, partitions: Self.span).steps[0]
          #expect(again.name == step.name)
        }
        try await pool.withConnection { try await step.run(on: $0) }
        steps += 1
        try #require(steps < 500)
      }
      #expect(steps > 40)
      let killed = try await pool.withConnection {
        try await $0.query(Query(text: shape)).only(String.self)
      }
      try await programme { other, _ in
        try await execute(Self.withoutIndexes, other.pool)
        _ = try await migrator.run(other.pool, partitions: Self.span)
        let whole = try await other.pool.withConnection {
          try await $0.query(Query(text: shape)).only(String.self)
        }
        #expect(killed == whole)
        let store = try await RollupStore(other.pool, Rollups.catalog)
        #expect(try await findings(store) == [])
        #expect(try await Backfilling.drift(store) == [])
      }
    }
  }

  private static let withoutIndexes =
    "DROP INDEX rollup.registration_rollups_by_group, rollup.visit_rollups_late_by_period"
}

/// Something that has happened.
private final class Flag: Sendable {
  private let value = Mutex(false)
  var isSet: Bool { value.withLock { $0 } }
  func set() { value.withLock { $0 = true } }
}

/// How often something has happened.
private final class Count: Sendable {
  private let count: Mutex<Int>
  init(_ start: Int) { count = Mutex(start) }
  var value: Int { count.withLock { $0 } }
  func increment() { count.withLock { $0 += 1 } }
}
