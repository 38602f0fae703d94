import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import TestSupport
import Testing

/// What a token opens is what the same question gives to one who may see everything.
@Suite struct ServedReadingTests {
  private static func csv(_ table: ReportTable) throws -> String {
    var bytes: [UInt8] = []
    try CSVFormat(raw: true).write(table) { bytes += $0 }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Open, closed, known now, over all levels of a random programme.
  @Test(arguments: OracleTests.seeds.few)
  func aTokenSeesItsRegionAsEverybodySeesIt(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 12_000)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 4) { database, store in
      try await programme.load(into: store)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(Period(parsing: "2023Q4"))
      try await closer.close(Period(parsing: "2024-01"))
      try await ServedDatabase.with(database) { served in
        for (scope, region) in Self.scopes(programme) {
          let secret = try await served.token(scope)
          for question in try Self.questions(region) {
            for report in [DistrictBPReport.report, TrendReport.report] {
              // A region that a closed period does not have is unknown to both.
              guard let expected = try? await report.make(question, database.pool) else {
                await #expect(throws: (any Error).self) {
                  _ = try await served.make(report, question, secret)
                }
                continue
              }
              let found = try await served.make(report, question, secret)
              #expect(
                try Self.csv(found) == Self.csv(expected),
                "seed \(seed), \(scope.description), \(question.periodText), \(question.view)")
            }
          }
        }
      }
    }
  }

  /// Each list is what the owner reads, and is on record with how many it had.
  @Test(arguments: OracleTests.seeds.few)
  func listsAreTheSameAndOnRecord(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 12_500)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 4) { database, store in
      try await programme.load(into: store)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(Period(parsing: "2024-01"))
      try await ServedDatabase.with(database) { served in
        for (scope, region) in Self.scopes(programme) where scope != .all {
          let (secret, id) = try await served.tokenAndID(scope)
          var asked = 0
          for name in ["2024-01", "2024-02", "2024Q1"] {
            var question = ReportQuestion(try Period(parsing: name))
            question.region = region
            question.patients = .missedVisit
            let report = DistrictBPReport.report
            guard let expected = try? await report.make(question, database.pool) else { continue }
            let found = try await served.list(report, question, secret)
            asked += 1
            #expect(try Self.csv(found) == Self.csv(expected), "seed \(seed), \(name)")
          }
          var recall = ReportQuestion(try Period(parsing: "2024-02"))
          recall.region = region
          recall.today = CalendarDate(year: 2024, month: 2, day: 11)
          if let expected = try? await RecallReport.report.make(recall, database.pool) {
            let found = try await served.list(RecallReport.report, recall, secret)
            asked += 1
            #expect(try Self.csv(found) == Self.csv(expected), "seed \(seed), recall")
            let last = try await AccessTokens(database.pool).reads(token: id, limit: 1)
            #expect(last.first?.patients == Int64(expected.rows.count))
          }
          let reads = try await AccessTokens(database.pool).reads(token: id, limit: 100)
          #expect(reads.count == asked)
          #expect(reads.allSatisfy { $0.readAt != nil && $0.login == ServedDatabase.login })
        }
      }
    }
  }

  /// What was read of an edition is read no more, by nobody else, and is not taken for the next edition's.
  @Test func whatIsRememberedIsOfOneEditionAndOneScope() async throws {
    let programme = RandomProgramme.make(seed: 12_900)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 4) { database, store in
      try await programme.load(into: store)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      let period = try Period(parsing: "2024-01")
      try await closer.close(period)
      try await ServedDatabase.with(database) { served in
        let report = DistrictBPReport.report
        let facilities = try await Self.published(database)
        #expect(facilities > 0)
        let all = try await served.token(.all)
        func check(_ question: ReportQuestion, _ secret: String) async throws {
          let found = try await served.make(report, question, secret)
          let expected = try await report.make(question, database.pool)
          #expect(try Self.csv(found) == Self.csv(expected))
        }
        for _ in 1...2 { try await check(ReportQuestion(period), all) }
        #expect(served.memory.published.count == facilities)

        let (scope, region) = try #require(Self.scopes(programme).last)
        let (narrow, id) = try await served.tokenAndID(scope)
        try await check(ReportQuestion(period...period, region: region), narrow)
        #expect(served.memory.published.count > facilities)

        try await database.pool.withConnection { connection in
          try await connection.script("UPDATE facilities SET name = name || ' (new)'")
        }
        try await closer.restate(period, reason: "a test")
        try await check(ReportQuestion(period), all)
        try await check(ReportQuestion(period...period, view: .edition(1)), all)

        // What is remembered is told only to a token that holds.
        _ = try await AccessTokens(database.pool).revoke(id)
        await #expect(throws: PostgresError.self) {
          _ = try await served.make(
            report, ReportQuestion(period...period, region: region), narrow)
        }
      }
    }
  }

  /// What is counted of a few facilities again and remembered of the others is what everybody sees, after each write.
  @Test(arguments: OracleTests.seeds.few)
  func whatIsCountedAgainGoesWithWhatIsRemembered(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 13_500)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 4) { database, store in
      try await programme.load(into: store)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(Period(parsing: "2023Q4"))
      var random = Seeded(seed)
      try await ServedDatabase.with(database) { served in
        var scopes: [(secret: String, region: RegionChoice)] = []
        for (scope, region) in Self.scopes(programme) {
          scopes.append((try await served.token(scope), region))
        }
        for step in 0..<12 {
          for _ in 0..<(step % 3) {
            try await Self.write(programme, in: store, &random)
          }
          for (secret, region) in scopes {
            for question in try Self.questions(region).suffix(4) {
              let report = TrendReport.report
              guard let expected = try? await report.make(question, database.pool) else { continue }
              let found = try await served.make(report, question, secret)
              #expect(
                try Self.csv(found) == Self.csv(expected),
                "seed \(seed), step \(step), \(region), \(question.periodText), \(question.view)")
            }
          }
        }
        #expect(served.memory.counted.used > 0)
      }
    }
  }

  /// A reading, a transfer, a death or a registration.
  private static func write(
    _ programme: Programme, in store: Store, _ random: inout Seeded
  ) async throws {
    let facility = programme.facilities.randomElement(using: &random)?.id
    let time = Date(
      timeIntervalSince1970: Double.random(in: 1_693_000_000..<1_710_000_000, using: &random))
    guard let patient = programme.patients.randomElement(using: &random),
      Int.random(in: 0..<5, using: &random) > 0
    else {
      return try await store.insert(
        Patient(
          registeredAt: time, registrationFacilityID: facility, assignedFacilityID: facility))
    }
    switch Int.random(in: 0..<4, using: &random) {
    case 0:
      guard let facility else { return }
      try await store.transfer(patient.id, to: facility)
    case 1: try await store.recordDeath(of: patient.id, at: time)
    default:
      try await store.record(
        Reading(
          patientID: patient.id, facilityID: facility,
          systolic: Int.random(in: 100..<180, using: &random), diastolic: 80, recordedAt: time))
    }
  }

  @Test func noMoreIsRememberedThanMayBe() async throws {
    let programme = RandomProgramme.make(seed: 12_950)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 4) { database, store in
      try await programme.load(into: store)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      let periods = try ["2023-12", "2024-01"].map { try Period(parsing: $0) }
      for period in periods { try await closer.close(period) }
      try await ServedDatabase.with(database) { served in
        let facilities = try await Self.published(database)
        var served = served
        served.memory = ReadingMemory(published: PublishedMemory(most: facilities - 1))
        let secret = try await served.token(.all)
        for period in periods + periods {
          let question = ReportQuestion(period)
          let found = try await served.make(DistrictBPReport.report, question, secret)
          let expected = try await DistrictBPReport.report.make(question, database.pool)
          #expect(try Self.csv(found) == Self.csv(expected))
          #expect(served.memory.published.count < facilities)
        }
      }
    }
  }

  /// How many rows the editions have together.
  private static func published(_ database: TestDatabase) async throws -> Int {
    try await database.pool.withConnection { connection in
      try await connection.query("SELECT count(*) FROM rollup.published_figures").only(Int.self)
    }
  }

  /// One scope of each level, of a facility that there is, and all.
  private static func scopes(_ programme: Programme) -> [(AccessToken.Scope, RegionChoice)] {
    guard let one = programme.facilities.first(where: { !$0.isDeleted }) else {
      return [(.all, RegionChoice())]
    }
    var scopes: [(AccessToken.Scope, RegionChoice)] = [
      (.all, RegionChoice()), (.state(one.state), RegionChoice(state: one.state)),
      (
        .district(state: one.state, one.district),
        RegionChoice(state: one.state, district: one.district)
      ), (.facility(one.id), RegionChoice(facility: one.id.uuidString.lowercased())),
    ]
    if let block = one.block {
      scopes.append(
        (
          .block(state: one.state, district: one.district, block),
          RegionChoice(state: one.state, district: one.district, block: block)
        ))
    }
    return scopes
  }

  private static func questions(_ region: RegionChoice) throws -> [ReportQuestion] {
    try ["2023-12", "2023Q4", "2024-01", "2024-02", "2024Q1"].flatMap { name in
      let period = try Period(parsing: name)
      return [ReportView.published, .knownNow].map { view in
        ReportQuestion(period...period, region: region, view: view)
      }
    } + [
      ReportQuestion(
        Period(parsing: "2023-11")...Period(parsing: "2024-02"), region: region)
    ]
  }
}
