import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import Synchronization
import TestSupport
import Testing

@testable import ReportService

/// A page that is kept is shown only while the database is what it was.
@Suite struct CopyTests {
  /// After each write the answer is that of a report made anew; between them it is made once.
  @Test(arguments: seeds(3))
  func aCopyIsNeverStale(seed: UInt64) async throws {
    try await ServedExample.database { served in
      let gate = Gate(pool: served.pool, isSecure: false)
      let reader = Reader(pool: served.pool)
      let secret = try await served.token(.all)
      let store = try await Store(served.owner.pool)
      let copies = Copies<Int> { _ in 8 }
      let made = Count()
      var random = Seeded(seed)
      let period = try Period(parsing: "2024Q2")
      let question = ReportQuestion(period...period, figures: ["cumulative_registrations"])

      @Sendable func counted() async throws -> (moment: Moment?, value: Int) {
        try await reader.dated(secret) { tx in
          made.increase()
          let table = try await DistrictBPReport.report.make(question, in: tx)
          let place = try #require(table.place(of: "cumulative_registrations"))
          return Int(table.rows[0].cells[place].number ?? 0)
        }
      }

      func asked() async throws -> Int {
        let moment = try await gate.admission(of: secret)?.moment
        #expect(moment != nil)
        return try await copies.value(of: .example, at: moment) { try await counted() }
      }

      // Its use is noted once a minute, which is a write.
      _ = try await asked()
      var expected = try await counted().value
      for _ in 0..<30 {
        if Bool.random(using: &random) {
          let patient = Patient(
            registeredAt: try Date("2024-05-01T00:00:00Z", strategy: .iso8601),
            registrationFacilityID: ExampleProgramme.id(1))
          if Bool.random(using: &random) {
            try await store.insert(patient)
            expected += 1
          } else {
            // What is rolled back was never there.
            struct Undone: Error {}
            await #expect(throws: Undone.self) {
              try await store.transaction { tx in
                try await store.insert(patient, in: tx)
                throw Undone()
              }
            }
          }
        }
        #expect(try await asked() == expected)
      }
      // Other tests write to the same server: sooner or later none does for as long as two questions take.
      var times = made.value
      for _ in 0..<1000 {
        #expect(try await asked() == expected)
        guard made.value > times else { return }
        times = made.value
      }
      Issue.record("it was made anew each time")
    }
  }

  /// Who asks while it is being made waits for it; another's failure is not theirs.
  @Test func itIsMadeOnceForAllWhoAsk() async throws {
    struct Mistake: Error {}
    let copies = Copies<Int> { _ in 8 }
    let moment = Moment("1:1:")
    let made = Count()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<20 {
        group.addTask {
          try await copies.value(of: .example, at: moment) {
            made.increase()
            try await Task.sleep(for: .milliseconds(200))
            return (moment, 7)
          }
        }
      }
      for try await value in group { #expect(value == 7) }
    }
    #expect(made.value == 1)
    let unknown = try await copies.value(of: .example, at: nil) { (nil, 8) }
    #expect(unknown == 8)
    await #expect(throws: Mistake.self) {
      _ = try await copies.value(of: .example, at: Moment("2:2:")) { throw Mistake() }
    }
    #expect(try await copies.value(of: .example, at: Moment("2:2:")) { (Moment("2:2:"), 9) } == 9)
  }
}

extension CopyQuestion {
  fileprivate static var example: CopyQuestion {
    CopyQuestion(scope: .all, readsLists: false, address: "/")
  }
}

/// How often something was done.
private final class Count: Sendable {
  private let count = Atomic(0)

  var value: Int { count.load(ordering: .relaxed) }

  func increase() { count.add(1, ordering: .relaxed) }
}
