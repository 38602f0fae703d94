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
