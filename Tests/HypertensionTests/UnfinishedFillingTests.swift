import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// Which runs keep a period from being closed, and when closing looks.
@Suite struct UnfinishedFillingTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let isInTheWay: Bool
    /// Enters runs; of May 2024 it is asked.
    let sql: String

    init(_ name: String, _ isInTheWay: Bool, _ sql: String) {
      (self.name, self.isInTheWay, self.sql) = (name, isInTheWay, sql)
    }

    var testDescription: String { name }
  }

  private static func run(
    _ task: String = #"{"from":"2024-05","only":[],"to":"2024-05"}"#, kind: String = "backfill",
    created: String = "now()", finished: String = "NULL"
  ) -> String {
    """
    INSERT INTO rollup.runs (kind, task, created_at, finished_at) VALUES ('\(kind)', '\(task)', \(created), \(finished));
    """
  }

  static let cases = [
    Case("none", false, ""),
    Case("of the month", true, run()),
    Case("of the quarter before and after", false, run(#"{"from":"2023-01","to":"2024-04"}"#)),
    Case("of all years", true, run(#"{"from":"0001-01","to":"9999-12"}"#)),
    Case("of a column", true, run(#"{"columns":["heart_rate"],"from":"2024-05","to":"2024-05"}"#)),
    Case("of a district", true, run(#"{"district":"D","from":"2024-01","to":"2024-12"}"#)),
    Case("of a later program, which says otherwise what it covers", true, run(#"{"span":"2024"}"#)),
    Case("finished", false, run(finished: "now()")),
    Case("no backfill", false, run(kind: "verify")),
    Case("of last year", true, run(created: "now() - interval '1 year'")),
    Case(
      "one that is not of it, and one that is", true,
      run(#"{"from":"2023-01","to":"2024-04"}"#) + run()),
  ]

  @Test(arguments: cases)
  func isInTheWayOfClosing(_ one: Case) async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      if !one.sql.isEmpty {
        try await database.pool.withConnection { try await $0.script(one.sql) }
      }
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      let may = try Period(parsing: "2024-05")
      do {
        try await closer.close(may)
        #expect(!one.isInTheWay)
      } catch let refusal as Closing.Refusal {
        guard case .beingFilled(may, let run, _) = refusal else { throw refusal }
        #expect(one.isInTheWay && run == (one.name.hasPrefix("one") ? 2 : 1))
        #expect(try await store.rollups.editions().isEmpty)
        try await closer.close(may, despiteBackfill: true)
        await #expect(throws: Closing.Refusal.self) { try await closer.restate(may, reason: "x") }
        try await closer.restate(may, reason: "x", despiteBackfill: true)
      }
    }
  }

  /// Begun while the closing waits for a writer, when everything has been computed already.
  @Test func aBackfillThatBeginsMeanwhileIsSeen() async throws {
    try await TestDatabase.migrated(size: 6) { database, store in
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      let patient = Patient(registeredAt: Date(), registrationFacilityID: UUID())
      try await store.insert(patient)
      let reading = Reading(
        patientID: patient.id, facilityID: nil, systolic: 120, diastolic: 80,
        recordedAt: Date(timeIntervalSince1970: 1_715_600_000))
      let may = try Period(parsing: "2024-05")
      try await withThrowingTaskGroup(of: Void.self) { group in
        let (written, continuation) = AsyncStream.makeStream(of: Void.self)
        group.addTask {
          try await store.transaction { tx in
            try await store.record(reading, in: tx)
            continuation.finish()
            // A closing asks for the lock, gives it up, and asks again; it has looked at runs before that.
            try await tx.untilAnotherWaits()
            try await database.pool.withConnection { try await $0.script(Self.run()) }
          }
        }
        for await _ in written {}
        group.addTask {
          let refusal = await #expect(throws: Closing.Refusal.self) { try await closer.close(may) }
          #expect(refusal?.description.contains("by run 1") == true)
        }
        try await group.waitForAll()
      }
      #expect(try await store.rollups.editions().isEmpty)
      try await database.pool.withConnection {
        try await $0.script("UPDATE rollup.runs SET finished_at = now()")
      }
      try await closer.close(may)
    }
  }
}
