import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// Every write notes the facilities whose figures it changes, in its own transaction (docs/decisions/034).
@Suite(.serialized) struct ChangeNotesTests {
  /// What is counted: of open periods and closed ones, as they are known now.
  private static let evaluations: [Evaluation] = {
    let last = CalendarDate(daysSince1970: 20_000)
    return ["2024-04", "2024-06", "2024Q1"].compactMap { name in
      (try? Period(parsing: name)).map { Evaluation($0, today: last) }
    }
  }()

  private static let closed: Set<Period> = {
    let quarters = ["2023Q1", "2024Q4"].compactMap { try? Period(parsing: $0) }
    guard let span = PeriodSpan(from: quarters[0], through: quarters[1]) else { return [] }
    return Set(span.periods(of: .month)).union(span.periods(of: .quarter))
  }()

  /// Figures of all evaluations by facility; of patients without one under nil.
  private typealias Figures = [UUID?: [CareFigures]]

  /// What one snapshot shows: its text, the figures, and what was noted since an earlier one.
  private struct View {
    let snapshot: String
    let figures: Figures
    let noted: [String]?
  }

  private static func view(_ pool: Pool, since: String?) async throws -> View {
    try await pool.transaction(.repeatableRead, readOnly: true) { tx in
      var figures: Figures = [:]
      for (place, evaluation) in evaluations.enumerated() {
        let query = CareFiguresQuery(
          evaluation, limits: .standard, facilities: nil, closed: closed)
        for (facility, counts) in try await query.run(tx) {
          figures[
            facility, default: Array(repeating: CareFigures(), count: evaluations.count)][place] =
            counts
        }
      }
      let (snapshot, noted) = try await tx.query(
        "SELECT pg_current_snapshot()::text, rollup.changes_since(\(since)::pg_snapshot)"
      ).only((String, [String]?).self)
      return View(snapshot: snapshot, figures: figures, noted: noted)
    }
  }

  /// Facilities whose figures differ, as notes have them.
  private static func differing(_ a: Figures, _ b: Figures) -> Set<String> {
    Set(
      Set(a.keys).union(b.keys).filter { key in
        let zero = Array(repeating: CareFigures(), count: evaluations.count)
        return (a[key] ?? zero) != (b[key] ?? zero)
      }.map { $0?.uuidString.lowercased() ?? "" })
  }

  /// After each single operation, of every kind, also of closed periods.
  @Test(arguments: ExactnessTests.seeds.few)
  func whateverChangesAFigureIsNoted(seed: UInt64) async throws {
    try await TestDatabase.migrated(timeZone: "Asia/Kolkata", size: 2) { database, store in
      var history = RandomHistory(store, seed: seed &+ 31_000, patients: 4, rows: 6)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      var before = try await Self.view(database.pool, since: nil)
      var (changes, notes, quiet) = (0, 0, 0)
      for step in 0..<100 {
        if step == 35 || step == 70 {
          let name = step == 35 ? "2024-03" : "2024Q1"
          try await closer.close(Period(parsing: name))
          let after = try await Self.view(database.pool, since: before.snapshot)
          #expect(after.noted == nil, "a closing may change anything")
          before = after
        }
        let number = try await history.step()
        let after = try await Self.view(database.pool, since: before.snapshot)
        let noted = try #require(after.noted, "operation \(number) of seed \(seed)")
        let differing = Self.differing(before.figures, after.figures)
        #expect(
          differing.isSubset(of: noted), "seed \(seed), step \(step), operation \(number)")
        changes += differing.count
        notes += noted.count
        if noted.isEmpty { quiet += 1 }
        before = after
      }
      #expect(changes > 10)
      // What is refused, or was there already, is not noted; and not everything is noted each time.
      #expect(quiet > 5)
      #expect(notes < 100 * 3 / 2)
    }
  }

  /// Between any two snapshots, whatever was in flight at them.
  @Test(arguments: ExactnessTests.seeds)
  func whateverTwoSnapshotsSeeDifferentlyIsNotedBetweenThem(seed: UInt64) async throws {
    try await TestDatabase.migrated { database, store in
      try await withThrowingTaskGroup(of: Int.self) { group in
        for writer in 0..<5 {
          group.addTask {
            var history = RandomHistory(store, seed: seed &* 977 &+ UInt64(writer), patients: 6)
            for _ in 0..<40 { try await history.step() }
            return 0
          }
        }
        for _ in 0..<2 {
          group.addTask {
            var compared = 0
            var before = try await Self.view(database.pool, since: nil)
            for _ in 0..<25 {
              let after = try await Self.view(database.pool, since: before.snapshot)
              let noted = try #require(after.noted)
              #expect(
                Self.differing(before.figures, after.figures).isSubset(of: noted), "seed \(seed)")
              compared += noted.isEmpty ? 0 : 1
              before = after
            }
            return compared
          }
        }
        var compared = 0
        for try await some in group { compared += some }
        #expect(compared > 5)
      }
    }
  }

  /// A transaction that was in flight when notes were forgotten keeps its own; what is not known any more is said not to be.
  @Test func notesAreForgottenWhenNobodyNeedsThem() async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      let (pool, facilities) = (database.pool, [UUID(), UUID(), UUID()])
      func patient(_ facility: UUID) -> Patient {
        Patient(registeredAt: .now, registrationFacilityID: facility, assignedFacilityID: facility)
      }
      func snapshot() async throws -> String {
        try await pool.withConnection {
          try await $0.query("SELECT pg_current_snapshot()::text").only(String.self)
        }
      }
      func noted(since snapshot: String) async throws -> [String]? {
        try await pool.withConnection {
          try await $0.query("SELECT rollup.changes_since(\(snapshot)::pg_snapshot)")
            .only([String]?.self)
        }
      }
      func forget() async throws {
        try await pool.withConnection {
          try await $0.script(
            """
            UPDATE rollup.changes_forgotten SET next_at = now() - interval '2 hours';
            SELECT rollup.forget_changes();
            """)
        }
      }
      func ids(_ facilities: [UUID]) -> [String] {
        facilities.map { $0.uuidString.lowercased() }.sorted()
      }
      let first = try await snapshot()
      try await store.insert(patient(facilities[0]))
      let second = try await snapshot()
      #expect(try await noted(since: first) == ids([facilities[0]]))
      #expect(try await noted(since: second) == [])
      let (third, fourth) = try await store.transaction { tx in
        // In flight when it is seen to what is forgotten next.
        try await store.insert(patient(facilities[1]), in: tx)
        try await forget()
        let third = try await snapshot()
        #expect(try await noted(since: first) == ids([facilities[0]]))
        #expect(try await noted(since: second) == [])
        try await forget()
        #expect(try await noted(since: first) == nil)
        #expect(try await noted(since: third) == [])
        return (third, try await snapshot())
      }
      #expect(try await noted(since: third) == ids([facilities[1]]))
      try await store.insert(patient(facilities[2]))
      try await forget()
      #expect(try await noted(since: fourth) == ids([facilities[1], facilities[2]]))
      let last = try await snapshot()
      try await forget()
      #expect(try await noted(since: fourth) == nil)
      #expect(try await noted(since: last) == [])
      let kept = try await pool.withConnection {
        try await $0.query("SELECT count(*) FROM rollup.changes").only(Int.self)
      }
      #expect(kept == 0)
      // Not more often than once an hour.
      try await store.insert(patient(facilities[0]))
      await store.rollups.forgetChanges()
      #expect(try await noted(since: last) == ids([facilities[0]]))
    }
  }

  /// A batch notes a place once; what goes to the sources only is left to the backfill, which notes that anything may have
  /// changed.
  @Test func batchesAndBackfillsAreNoted() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      func notes() async throws -> [Int] {
        try await database.pool.withConnection {
          try await $0.query(
            """
            SELECT ARRAY[(SELECT count(*) FROM rollup.changes), (SELECT count(*) FROM rollup.changes_of_everything)]
            """
          ).only([Int].self)
        }
      }
      let facility = UUID()
      let patients = (0..<40).map { _ in
        Patient(
          registeredAt: Date(timeIntervalSince1970: 1_710_000_000),
          registrationFacilityID: facility, assignedFacilityID: facility)
      }
      try await store.record(patients)
      #expect(try await notes() == [1, 0])
      let readings = patients.map {
        Reading(
          patientID: $0.id, facilityID: facility, systolic: 130, diastolic: 80,
          recordedAt: Date(timeIntervalSince1970: 1_712_000_000))
      }
      try await store.record(readings)
      #expect(try await notes() == [2, 0])
      try await store.record(readings)
      #expect(try await notes() == [2, 0])
      try await Backfilling.everything(store.rollups)
      #expect(try await notes() == [2, 0], "there was nothing to mend")
      try await database.pool.withConnection {
        try await $0.script("DELETE FROM rollup.blood_pressure_rollups")
      }
      try await Backfilling.everything(store.rollups)
      #expect(try await notes()[1] > 0)
    }
  }

  /// A writer notes changes and not when: a note of a transaction that has not been yet would stay the latest for ever.
  @Test func aNoteIsOfItsTransaction() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      func asWriter(_ sql: String) async throws -> SQLState? {
        do {
          try await database.pool.transaction { tx in
            try await tx.script("SET LOCAL ROLE rollup_writer; \(sql)")
          }
          return nil
        } catch let error as PostgresError {
          return error.sqlState
        }
      }
      for sql in [
        "INSERT INTO rollup.changes_of_everything (noted_in) VALUES ('18446744073709551615')",
        "INSERT INTO rollup.changes (subject_id, place, noted_in) VALUES (gen_random_uuid(), '', '18446744073709551615')",
        "INSERT INTO rollup.changes_of_everything VALUES ('18446744073709551615')",
        "UPDATE rollup.changes SET noted_in = '1'", "DELETE FROM rollup.changes",
      ] {
        #expect(try await asWriter(sql) == .insufficientPrivilege, "\(sql)")
      }
      #expect(try await asWriter("INSERT INTO rollup.changes_of_everything DEFAULT VALUES") == nil)
      #expect(
        try await asWriter(
          "INSERT INTO rollup.changes (subject_id, place) VALUES (gen_random_uuid(), 'x')") == nil)
      // One that an owner wrote, or that a copy of another server brought, says nothing and is cleared away.
      let since = try await database.pool.withConnection { connection in
        try await connection.script(
          """
          INSERT INTO rollup.changes_of_everything (noted_in) VALUES ('18446744073709551615');
          INSERT INTO rollup.changes (subject_id, place, noted_in) VALUES (gen_random_uuid(), 'later', '18446744073709551615')
          """)
        return try await connection.query("SELECT pg_current_snapshot()::text").only(String.self)
      }
      let found = try await database.pool.withConnection {
        try await $0.query("SELECT rollup.changes_since(\(since)::pg_snapshot)").only(
          [String]?.self)
      }
      #expect(found == [])
      await store.rollups.forgetChanges()
      let left = try await database.pool.withConnection {
        try await $0.query(
          """
          SELECT (SELECT count(*) FROM rollup.changes WHERE place = 'later')
            + (SELECT count(*) FROM rollup.changes_of_everything WHERE noted_in > '1000000000000')
          """
        ).only(Int.self)
      }
      #expect(left == 0)
    }
  }
}
