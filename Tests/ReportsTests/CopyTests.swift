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

  /// Beside a steady stream of writes no two ask at the same moment: still one at a time is made, and nobody is shown what was
  /// before he asked.
  @Test func whileOthersWriteItIsMadeForAllWhoHaveAskedByThen() async throws {
    let copies = Copies<Int> { _ in 8 }
    let now = Count()
    let made = Count()
    let atOnce = Count()
    try await withThrowingTaskGroup(of: (asked: Int, shown: Int).self) { group in
      for _ in 0..<60 {
        group.addTask {
          let asked = now.increase()
          let shown = try await copies.value(of: .example, at: Moment("\(asked)")) {
            #expect(atOnce.increase() == 1)
            made.increase()
            let seen = now.value
            try await Task.sleep(for: .milliseconds(30))
            atOnce.decrease()
            return (Moment("\(seen)"), seen)
          }
          return (asked, shown)
        }
        try await Task.sleep(for: .milliseconds(3))
      }
      for try await (asked, shown) in group { #expect(shown >= asked) }
    }
    #expect(made.value < 30)
  }

  @Test func theyNeverGrowBeyondTheirBound() async throws {
    let copies = Copies<Int>(most: 10_000) { $0 }
    let moment = Moment("1:1:")
    for number in 0..<500 {
      let address = "/?\(String(repeating: "a", count: number % 50))\(number)"
      let question = CopyQuestion(scope: .all, readsLists: false, address: address)
      let size = number * 37 % 4000
      #expect(try await copies.value(of: question, at: moment) { (moment, size) } == size)
      #expect(copies.keptSize <= 10_000)
    }
    #expect(copies.keptSize > 0)
  }

  /// What is shown to nobody any more goes first.
  @Test func copiesOfEarlierMomentsMakeRoom() async throws {
    let copies = Copies<Int>(most: 10_000) { _ in 1_990 }
    func ask(_ number: Int, at moment: Moment?) async throws -> Bool {
      let made = Count()
      let question = CopyQuestion(scope: .all, readsLists: false, address: "/?page=\(number)")
      _ = try await copies.value(of: question, at: moment) {
        made.increase()
        return (moment, number)
      }
      return made.value == 1
    }
    let (before, now) = (Moment("1:1:"), Moment("2:2:"))
    for number in 0..<3 { #expect(try await ask(number, at: before)) }
    for number in 3..<6 { #expect(try await ask(number, at: now)) }
    for number in 3..<6 { #expect(try await !ask(number, at: now)) }
    #expect(try await ask(0, at: before))
  }

  /// Tokens that open something else, or lists too, are not shown another's copy.
  @Test func aCopyIsOfOneScope() async throws {
    let copies = Copies<Int> { _ in 8 }
    let moment = Moment("1:1:")
    let scopes: [AccessToken.Scope] = [
      .all, .state("Punjab"), .district(state: "Punjab", "Bathinda"),
      .district(state: "Punjab", "Mansa"), .facility(ExampleProgramme.id(1)),
    ]
    for (number, scope) in scopes.enumerated() {
      for lists in [false, true] {
        let value = number * 2 + (lists ? 1 : 0)
        let question = CopyQuestion(scope: scope, readsLists: lists, address: "/")
        #expect(try await copies.value(of: question, at: moment) { (moment, value) } == value)
      }
    }
  }
}

/// Equal moments, equal data.
@Suite struct MomentTests {
  private static let both: Query = """
    SELECT \(unescaped: Moment.expression), (SELECT coalesce(sum(number), 0) FROM facts)::bigint
    """

  /// Whatever others commit, roll back, prepare or undo meanwhile. No two statements that say the same moment see other rows.
  @Test func equalMomentsSeeEqualRows() async throws {
    try await withDatabase(template: "template0") { url in
      let pool = Pool(ConnectionSettings(conninfo: url), size: 8, acquireTimeout: .seconds(60))
      try await pool.withConnection {
        try await $0.script("CREATE TABLE facts (number bigint)")
      }
      let seen = try await withThrowingTaskGroup(of: [String: Set<Int64>].self) { group in
        for writer in 0..<3 {
          group.addTask {
            var random = Seeded(UInt64(writer))
            for number in 0..<150 {
              let end = ["COMMIT", "ROLLBACK", "PREPARE"].randomElement(using: &random) ?? "COMMIT"
              let name = "'facts-\(writer)-\(number)'"
              try await pool.withConnection { connection in
                try await connection.script(
                  """
                  BEGIN; INSERT INTO facts VALUES (\(number + 1));
                  SAVEPOINT inner_one; INSERT INTO facts VALUES (1000000); ROLLBACK TO inner_one;
                  \(end == "PREPARE" ? "PREPARE TRANSACTION \(name)" : end)
                  """)
                if end == "PREPARE" { try await connection.script("COMMIT PREPARED \(name)") }
              }
            }
            return [:]
          }
        }
        for _ in 0..<3 {
          group.addTask {
            var seen: [String: Set<Int64>] = [:]
            for _ in 0..<600 {
              let (moment, sum) = try await pool.withConnection {
                try await $0.query(Self.both).only((String, Int64).self)
              }
              seen[moment, default: []].insert(sum)
            }
            return seen
          }
        }
        var all: [String: Set<Int64>] = [:]
        for try await part in group { all.merge(part) { $0.union($1) } }
        return all
      }
      #expect(seen.count > 20)
      #expect(seen.allSatisfy { $0.value.count == 1 })
      await pool.close()
    }
  }

  /// After a crash that a server comes back from by itself it may count from where it was, without its last commits.
  @Test func aServerThatHasRecoveredIsAnother() async throws {
    let server = try await onItsOwnThread { try TestServer() }
    let before = try await moment(server)
    #expect(try await moment(server) == before)
    let victim = try await Connection.connect(ConnectionSettings(conninfo: server.address))
    kill(try await victim.query("SELECT pg_backend_pid()").only(Int32.self), SIGKILL)
    try await Task.sleep(for: .milliseconds(100))
    await victim.close()
    var after: Moment?
    while after == nil {
      after = try? await moment(server)
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(after != before)
  }

  /// A standby's moments are not known; when it takes over they are others than those of the server that it followed.
  @Test func whoTakesOverIsAnother() async throws {
    let (primary, replica) = try await onItsOwnThread {
      let primary = try TestServer()
      return (primary, try primary.replica())
    }
    let before = try await moment(primary)
    #expect(before != nil)
    #expect(try await moment(replica) == nil)
    try await shell("psql '\(replica.address)' -Xqc 'SELECT pg_promote()'")
    let after = try await moment(replica)
    #expect(after != nil && after != before)
  }

  /// But for the quarter of an hour: this is of the server alone.
  private func moment(_ server: TestServer) async throws -> Moment? {
    let connection = try await Connection.connect(ConnectionSettings(conninfo: server.address))
    let text = try await connection.query("SELECT \(unescaped: Moment.expression)")
      .only(String?.self)
    await connection.close()
    return Moment(text?.split(separator: " ").dropLast().joined(separator: " "))
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

  @discardableResult
  func increase() -> Int { count.add(1, ordering: .relaxed).newValue }
  func decrease() { count.subtract(1, ordering: .relaxed) }
}
