import Foundation
import PeriodRollups
import Postgres
import Reports
import RollupStore
import TestSupport
import Testing

@testable import Hypertension

/// `range-bp` against a count of the readings, for ranges that begin and end anywhere.
@Suite struct RangeTests {
  @Test(arguments: OracleTests.seeds.prefix(5))
  func aRangeIsWhatItsReadingsSay(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 10_000)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      try await programme.load(into: store)
      var random = Seeded(seed)
      // Late rows of closed months are read too.
      if seed % 2 == 0 {
        let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
        try await closer.close(Period(parsing: "2024-01"))
      }
      let start = CalendarDate(daysSince1970: 19_480)
      for _ in 0..<12 {
        let first = start.daysSince1970 + Int.random(in: 0...400, using: &random)
        let length = [0, 1, 27, 30, 31, 45, 91, 200].randomElement(using: &random) ?? 0
        let days =
          CalendarDate(daysSince1970: first)...CalendarDate(daysSince1970: first + length)
        try await compare(days, programme, database.pool, "seed \(seed)")
      }
      // A range of whole months is read from rollups alone, and is what the month's report says.
      let month = try Period(parsing: "2024-02")
      try await compare(month.start...month.lastDay, programme, database.pool, "seed \(seed)")
      #expect(
        RangeQuery(month.start...month.lastDay, limits: .standard, facilities: nil, closed: [])
          .ends.isEmpty)
    }
  }

  private func compare(
    _ days: ClosedRange<CalendarDate>, _ programme: Programme, _ pool: Pool, _ about: String
  ) async throws {
    var question = ReportQuestion(try Period(parsing: "2024-01"))
    question.days = days
    let table = try await RangeBPReport.report.make(question, pool)
    var expected: [String: [Int]] = [:]
    let clock = ReportingClock(programme.timeZone)
    let last = days.upperBound.year * 12 + days.upperBound.month - 1
    for patient in programme.patients where patient.isHypertensive && !patient.isDeleted {
      guard let registered = patient.registeredAt, clock.month(registered) <= last else { continue }
      let readings = programme.readings.filter { reading in
        reading.patient == patient.id && !reading.isDeleted
          && (reading.recordedAt.map { days.contains(clock.day($0)) } ?? false)
      }
      guard
        let recent = readings.max(by: {
          ($0.recordedAt ?? 0, $0.id.uuidString) < ($1.recordedAt ?? 0, $1.id.uuidString)
        })
      else { continue }
      let controlled = recent.systolic < 140 && recent.diastolic < 90
      let id = patient.assignedFacility?.uuidString.lowercased() ?? ""
      for key in [id, "all"] {
        let old = expected[key] ?? [0, 0, 0]
        expected[key] = [old[0] + 1, old[1] + (controlled ? 1 : 0), old[2] + (controlled ? 0 : 1)]
      }
    }
    for row in table.rows where ["all", "facility"].contains(row.cells[1].text) {
      let key = row.cells[1].text == "all" ? "all" : row.cells[5].text
      let wanted = expected.removeValue(forKey: key) ?? [0, 0, 0]
      #expect(
        (7...9).map { row.cells[$0] } == wanted.map { .integer($0) }, "\(about), \(days), \(key)")
      #expect(row.cells.suffix(2) == [.text("never closed"), .integer(0)])
    }
    #expect(expected.isEmpty, "\(about), \(days): \(expected)")
    #expect(table.facts.contains { $0.value.contains("never closed") })
  }

  @Test func wholeMonthsAndTheDaysBesideThem() throws {
    func days(_ from: (Int, Int, Int), _ to: (Int, Int, Int)) throws -> RangeQuery {
      let first = try #require(CalendarDate(year: from.0, month: from.1, day: from.2))
      let last = try #require(CalendarDate(year: to.0, month: to.1, day: to.2))
      return RangeQuery(first...last, limits: .standard, facilities: nil, closed: [])
    }
    let issue = try days((2024, 1, 20), (2024, 3, 5))
    #expect(issue.whole.map(\.description) == ["2024-02"])
    #expect(issue.ends.map { "\($0)" } == ["2024-01-20...2024-01-31", "2024-03-01...2024-03-05"])
    #expect(try days((2024, 1, 2), (2024, 1, 31)).whole.isEmpty)
    #expect(
      try days((2023, 12, 31), (2024, 4, 1)).whole.map(\.description) == ["2024Q1"])
  }

  @Test func theDaysAtTheEndsAreReadThroughTheIndex() async throws {
    try await ExampleProgramme.with { database in
      let first = CalendarDate(daysSince1970: 19_742)
      let query = RangeQuery(
        first...CalendarDate(daysSince1970: 19_787), limits: .standard, facilities: nil, closed: []
      ).query
      let plan = try await database.pool.transaction(.readCommitted) { tx in
        try await tx.execute("SET LOCAL enable_seqscan = off")
        return try await tx.query(Query(text: "EXPLAIN " + query.text, binds: query.binds))
          .map { try $0.decode(String.self) }
      }
      let uses = plan.count { $0.contains("blood_pressures_by_time") }
      #expect(uses >= 2, "\(plan.joined(separator: "\n"))")
    }
  }

  @Test func withoutItsIndexItSaysHowToMakeIt() async throws {
    try await ExampleProgramme.with { database in
      try await database.pool.withConnection {
        try await $0.script("DROP INDEX blood_pressures_by_time")
      }
      var question = ReportQuestion(try Period(parsing: "2024-01"))
      let day = try #require(CalendarDate(year: 2024, month: 1, day: 20))
      question.days = day...day
      do {
        _ = try await RangeBPReport.report.make(question, database.pool)
        Issue.record("it was made")
      } catch let refusal as ReportQuestion.Refusal {
        #expect(refusal.description.contains(RangeQuery.indexStatement))
        try await database.pool.withConnection {
          try await $0.script(RangeQuery.indexStatement)
        }
        _ = try await RangeBPReport.report.make(question, database.pool)
      }
    }
  }
}
