import Foundation
import PeriodRollups
import Postgres
import Reports
import RollupStore
import Synchronization
import TestSupport
import Testing

@testable import Hypertension
@testable import ReportService

/// A page that is kept is shown only while what it rests on is what it was.
@Suite struct CopyTests {
  /// A programme in which one facility's registrations are asked for, again and again, beside writes.
  private struct Asked {
    let served: ServedDatabase
    let secret: String
    let reader: Reader
    let copies: Copies<Int>
    let made = Count()

    init(_ served: ServedDatabase, _ scope: AccessToken.Scope) async throws {
      self.served = served
      secret = try await served.token(scope)
      reader = Reader(pool: served.pool)
      copies = Copies(reader.history) { _ in 8 }
    }

    func registrations(of region: RegionChoice) async throws -> Int {
      let gate = Gate(pool: served.pool, isSecure: false)
      let moment = try await gate.admission(of: secret)?.moment
      #expect(moment != nil)
      let question = CopyQuestion(scope: .all, readsLists: false, address: "/?\(region.query)")
      return try await copies.value(of: question, at: moment) {
        try await count(region)
      }
    }

    @Sendable func count(_ region: RegionChoice) async throws -> Copies<Int>.Made {
      let period = try Period(parsing: "2024Q2")
      var question = ReportQuestion(period...period, figures: ["cumulative_registrations"])
      question.region = region
      let (reader, secret, made) = (reader, secret, made)
      let asked = question
      return try await reader.counted(secret) { tx in
        made.increase()
        let table = try await DistrictBPReport.report.make(asked, in: tx)
        let place = try #require(table.place(of: "cumulative_registrations"))
        return Int(table.rows[0].cells[place].number ?? 0)
      }
    }
  }

  private static func patient(of facility: UInt8) throws -> Patient {
    Patient(
      registeredAt: try Date("2024-05-01T00:00:00Z", strategy: .iso8601),
      registrationFacilityID: ExampleProgramme.id(facility))
  }

  private static func region(of facility: UInt8) -> RegionChoice {
    RegionChoice(facility: ExampleProgramme.id(facility).uuidString.lowercased())
  }

  /// After each write the answer is that of a report made anew; and it is made anew only if the write was of its facility.
  @Test(arguments: seeds(3))
  func aCopyIsNeverStale(seed: UInt64) async throws {
    try await ServedExample.database { served in
      let asked = try await Asked(served, .all)
      let store = try await Store(served.owner.pool)
      var random = Seeded(seed)
      // Its use is noted once an hour, which is a write.
      _ = try await asked.registrations(of: RegionChoice())
      var expected: [UInt8: Int] = [:]
      for facility in UInt8(1)...3 {
        expected[facility] = try await asked.count(Self.region(of: facility)).value
      }
      for _ in 0..<30 {
        let facility = UInt8.random(in: 1...3, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
          try await store.insert(Self.patient(of: facility))
          expected[facility, default: 0] += 1
        case 1:
          // What is rolled back was never there.
          struct Undone: Error {}
          await #expect(throws: Undone.self) {
            try await store.transaction { tx in
              try await store.insert(Self.patient(of: facility), in: tx)
              throw Undone()
            }
          }
        default: break
        }
        for (facility, count) in expected {
          #expect(try await asked.registrations(of: Self.region(of: facility)) == count)
        }
        #expect(
          try await asked.registrations(of: RegionChoice()) == expected.values.reduce(0, +))
      }
      // Other tests have the server make checkpoints, which end all copies: sooner or later there is none for as long as it takes.
      for _ in 0..<100 {
        let before = asked.made.value
        try await store.insert(Self.patient(of: 2))
        _ = try await asked.registrations(of: Self.region(of: 1))
        if asked.made.value == before { return }
      }
      Issue.record("what is written of one facility makes another's anew each time")
    }
  }

  /// What no write path notes: the application renames a facility, a period is closed, a backfill mends, statements are filed
  /// anew.
  @Test func whateverElseChangesMakesItAnew() async throws {
    try await ServedExample.database { served in
      let asked = try await Asked(served, .all)
      let region = Self.region(of: 1)
      func isMadeAnew(_ change: () async throws -> Void) async throws -> Bool {
        _ = try await asked.registrations(of: region)
        let before = asked.made.value
        try await change()
        _ = try await asked.registrations(of: region)
        return asked.made.value > before
      }
      let owner = served.owner.pool
      let store = try await Store(owner)
      #expect(
        try await isMadeAnew {
          try await owner.withConnection {
            try await $0.script("UPDATE facilities SET district = district || ' (new)'")
          }
        })
      #expect(
        try await isMadeAnew {
          let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
          try await closer.close(Period(parsing: "2024-04"))
        })
      #expect(
        try await isMadeAnew {
          try await owner.withConnection {
            try await $0.script("DELETE FROM rollup.patient_register")
          }
          let chunk = Chunk<UUID>(
            try await owner.withConnection {
              try await $0.query("SELECT id FROM patients").map { try $0.decode(UUID.self) }
            })
          _ = try await store.rollups.derive(
            chunk, in: .all, rollups: [], registers: store.rollups.catalog.registers)
        })
      #expect(
        try await isMadeAnew {
          try await owner.withConnection {
            try await $0.script(
              "UPDATE rollup.filed_statements SET text = text || ' ' WHERE name = 'figures'")
          }
          try await Filing.refresh(owner)
        })
    }
  }

  /// Who asks while it is being made waits for it; another's failure is not theirs.
  @Test func itIsMadeOnceForAllWhoAsk() async throws {
    struct Mistake: Error {}
    let database = InventedDatabase()
    let copies = Copies<Int>(database.history) { _ in 8 }
    let made = Count()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<20 {
        group.addTask {
          try await copies.value(of: .example, at: database.moment) {
            made.increase()
            try await Task.sleep(for: .milliseconds(200))
            return (.all, 7)
          }
        }
      }
      for try await value in group { #expect(value == 7) }
    }
    #expect(made.value == 1)
    let unknown = try await copies.value(of: .example, at: nil) { (nil, 8) }
    #expect(unknown == 8)
    database.commit(["a"])
    await #expect(throws: Mistake.self) {
      _ = try await copies.value(of: .example, at: database.moment) { throw Mistake() }
    }
    #expect(try await copies.value(of: .example, at: database.moment) { (.all, 9) } == 9)
  }

  /// Beside a steady stream of writes no two ask at the same moment: still one at a time is made, and nobody is shown what was
  /// before he asked.
  @Test func whileOthersWriteItIsMadeForAllWhoHaveAskedByThen() async throws {
    let database = InventedDatabase()
    let copies = Copies<Int>(database.history) { _ in 8 }
    let made = Count()
    let atOnce = Count()
    try await withThrowingTaskGroup(of: (asked: Int, shown: Int).self) { group in
      for _ in 0..<60 {
        group.addTask {
          let asked = database.commit(["a"])
          let shown = try await copies.value(of: .example, at: database.moment) {
            #expect(atOnce.increase() == 1)
            made.increase()
            let seen = database.commits
            try await Task.sleep(for: .milliseconds(30))
            atOnce.decrease()
            return (.these(["a"]), seen)
          }
          return (asked, shown)
        }
        try await Task.sleep(for: .milliseconds(3))
      }
      for try await (asked, shown) in group { #expect(shown >= asked) }
    }
    #expect(made.value < 30)
  }

  /// However fast others write of something else, it is made once.
  @Test func whatOthersWriteOfSomethingElseMakesNoDifference() async throws {
    let database = InventedDatabase()
    let copies = Copies<Int>(database.history) { _ in 8 }
    let made = Count()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<200 {
        group.addTask {
          database.commit(["\(number % 7)"])
          _ = try await copies.value(of: .example, at: database.moment) {
            made.increase()
            return (.these(["other"]), 1)
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(made.value == 1)
    database.commit(nil)
    _ = try await copies.value(of: .example, at: database.moment) {
      made.increase()
      return (.these([]), 1)
    }
    #expect(made.value == 2)
    database.becomeAnother()
    _ = try await copies.value(of: .example, at: database.moment) {
      made.increase()
      return (.these([]), 1)
    }
    #expect(made.value == 3)
  }

  @Test func theyNeverGrowBeyondTheirBound() async throws {
    let database = InventedDatabase()
    let copies = Copies<Int>(database.history, most: 10_000) { $0 }
    for number in 0..<500 {
      let address = "/?\(String(repeating: "a", count: number % 50))\(number)"
      let question = CopyQuestion(scope: .all, readsLists: false, address: address)
      let size = number * 37 % 4000
      #expect(try await copies.value(of: question, at: database.moment) { (.all, size) } == size)
      #expect(copies.keptSize <= 10_000)
    }
    #expect(copies.keptSize > 0)
  }

  /// What is shown to nobody any more goes first.
  @Test func copiesThatDoNotHoldMakeRoom() async throws {
    let database = InventedDatabase()
    let copies = Copies<Int>(database.history, most: 10_000) { _ in 1_990 }
    func isMade(_ number: Int) async throws -> Bool {
      let made = Count()
      let question = CopyQuestion(scope: .all, readsLists: false, address: "/?page=\(number)")
      _ = try await copies.value(of: question, at: database.moment) {
        made.increase()
        return (.these(["\(number)"]), number)
      }
      return made.value == 1
    }
    for number in 0..<4 { #expect(try await isMade(number)) }
    database.commit(["0", "1", "2"])
    for number in 4..<7 { #expect(try await isMade(number)) }
    for number in 3..<7 { #expect(try await !isMade(number)) }
    #expect(try await isMade(0))
  }

  /// Tokens that open something else, or lists too, are not shown another's copy.
  @Test func aCopyIsOfOneScope() async throws {
    let database = InventedDatabase()
    let copies = Copies<Int>(database.history) { _ in 8 }
    let scopes: [AccessToken.Scope] = [
      .all, .state("Punjab"), .district(state: "Punjab", "Bathinda"),
      .district(state: "Punjab", "Mansa"), .facility(ExampleProgramme.id(1)),
      // One letter é, and an e with an accent: to a String they are equal.
      .state("Orl\u{E9}ans"), .state("Orle\u{301}ans"),
      .district(state: "Orl\u{E9}ans", "a"), .district(state: "Orle\u{301}ans", "a"),
    ]
    for (number, scope) in scopes.enumerated() {
      for lists in [false, true] {
        let value = number * 2 + (lists ? 1 : 0)
        let question = CopyQuestion(scope: scope, readsLists: lists, address: "/")
        let shown = try await copies.value(of: question, at: database.moment) { (.all, value) }
        #expect(shown == value)
      }
    }
  }
}

/// A database that commits when it is told to, for ``ChangeHistory``.
private final class InventedDatabase: Sendable {
  private struct State {
    var commits: [[String]?] = []
    var server = 1
  }

  private let state = Mutex(State())

  var commits: Int { state.withLock { $0.commits.count } }
  var moment: Moment? { state.withLock { Self.moment($0) } }

  /// - Parameter places: whose figures it changes; nil for anything.
  @discardableResult
  func commit(_ places: [String]?) -> Int {
    state.withLock { state in
      state.commits.append(places)
      return state.commits.count
    }
  }

  func becomeAnother() { state.withLock { $0.server += 1 } }

  var history: ChangeHistory {
    ChangeHistory { since in
      // As long as it takes to ask.
      try await Task.sleep(for: .microseconds(300))
      return self.state.withLock { state -> ChangeHistory.Answer? in
        guard let now = Self.moment(state) else { return nil }
        let since = since.flatMap { Int($0.snapshot) } ?? 0
        var changed: [String]? = []
        for commit in state.commits[since...] {
          changed = changed.flatMap { all in commit.map { all + $0 } }
        }
        return .init(moment: now, circumstances: "", changed: changed)
      }
    }
  }

  private static func moment(_ state: State) -> Moment? {
    Moment("\(state.commits.count) \(state.server)")
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
    await victim.close()
    // Until the server has noticed it answers as before.
    var after: Moment?
    for _ in 0..<1000 where after == nil || after == before {
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
