import DeathsExample
import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import Synchronization
import TestSupport
import Testing

/// The reports besides `district-bp`, each against a computation that shares nothing with it.
@Suite struct ReportSetTests {
  /// Whatever rows and columns a report of figures chooses, they are the oracle's.
  @Test(arguments: OracleTests.seeds.few)
  func reportsOfFiguresSayWhatTheOracleSays(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 9500)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      try await programme.load(into: store)
      let oracle = Oracle(programme: programme, now: 2026 * 12, limits: (140, 90))
      let district = programme.facilities.first { !$0.isDeleted }?.district
      for (report, first, last) in [
        (TrendReport.report, "2023-05", "2024-06"), (TrendReport.report, "2022Q3", "2024Q2"),
        (RegistrationsReport.report, "2024Q1", "2024Q2"),
        (CohortReport.report, "2024-01", "2024-03"), (CohortReport.report, "2023Q4", "2023Q4"),
      ] {
        for region in [nil, district] {
          for level in [nil, RegionLevel.district, .block, .facility] {
            var question = ReportQuestion(try Period(parsing: first)...Period(parsing: last))
            question.region.district = region
            question.grouping = level
            let table = try await report.make(question, database.pool)
            let levels = Self.levels(level ?? report.grouping ?? .facility, region != nil)
            let expected = try question.periods.flatMap { period in
              oracle.rows(try Oracle.Span(period), district: region)
                .filter { levels.contains($0[1]) }
            }
            expect(
              table, expected,
              "seed \(seed), \(report.name), \(first), \(level.map { "\($0)" } ?? "")")
          }
        }
      }
    }
  }

  private static func levels(_ level: RegionLevel, _ isNarrowed: Bool) -> [String] {
    let all = ["all", "state", "district", "block", "facility"]
    let last = max(all.firstIndex(of: level.rawValue) ?? 0, isNarrowed ? 2 : 0)
    return Array(all[...last])
  }

  /// Every column that the oracle has, by name.
  private func expect(_ table: ReportTable, _ expected: [[String]], _ about: String) {
    let places = table.columns.enumerated().compactMap { number, column in
      Oracle.header.firstIndex(of: column.name).map { (number, $0) }
    }
    #expect(places.count > 7)
    let found = table.rows.map { row in places.map { row.cells[$0.0].text } }
    #expect(found == expected.map { row in places.map { row[$0.1] } }, "\(about)")
  }

  /// The sizes of facilities sum to the region, and each is the sum of its facilities.
  @Test func sizesAreSumsOfTheirFacilities() async throws {
    let programme = RandomProgramme.make(seed: 9600)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      try await programme.load(into: store)
      var question = ReportQuestion(try Period(parsing: "2024Q1"))
      let whole = try await DistrictBPReport.report.make(question, database.pool)
      question.grouping = .size
      let sizes = try await DistrictBPReport.report.make(question, database.pool)
      let known = Dictionary(
        uniqueKeysWithValues: programme.facilities.map {
          ($0.id.uuidString.lowercased(), $0.size ?? "unknown")
        })
      var expected: [String: Int] = [:]
      for row in whole.rows where row.cells[1] == .text("facility") {
        guard case .integer(let number) = row.cells[9] else { continue }
        expected[known[row.cells[5].text] ?? "unknown", default: 0] += number
      }
      var found: [String: Int] = [:]
      for row in sizes.rows.dropFirst() {
        guard case .integer(let number) = row.cells[10] else { continue }
        found[row.cells[7].text] = number
      }
      #expect(found == expected)
      #expect(sizes.rows[0].cells[10] == whole.rows[0].cells[9])
    }
  }

  /// A facility's place is one more than how many of its size in its district do better.
  @Test(arguments: OracleTests.seeds.few)
  func aRankIsOneMoreThanHowManyDoBetter(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 9700)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      try await programme.load(into: store)
      let oracle = Oracle(programme: programme, now: 2026 * 12, limits: (140, 90))
      let place = { (name: String) in Oracle.header.firstIndex(of: name) ?? 0 }
      let rate = place("controlled_rate")
      let quarters = ["2024Q1", "2023Q4"].compactMap { try? Period(parsing: $0) }
      let rows = try quarters.map { oracle.rows(try Oracle.Span($0)) }
      let sizes = Dictionary(
        uniqueKeysWithValues: programme.facilities.map {
          ($0.id.uuidString.lowercased(), $0.size ?? "unknown")
        })
      let table = try await FacilitiesReport.report.make(
        ReportQuestion(quarters[0]), database.pool)
      let found = table.rows.map { $0.cells.map(\.text) }
      let facilities = rows[0].filter { $0[1] == "facility" && sizes[$0[5]] != nil }
      #expect(Set(found.map { $0[5] }) == Set(facilities.map { $0[5] }))
      for row in found {
        let mine = try #require(facilities.first { $0[5] == row[5] })
        #expect(row[4] == sizes[row[5]] && row[11] == mine[rate])
        let rivals = facilities.filter {
          $0[2] == mine[2] && $0[3] == mine[3] && sizes[$0[5]] == row[4] && !$0[rate].isEmpty
        }
        let better = rivals.filter { Self.tenths($0[rate]) > Self.tenths(mine[rate]) }
        #expect(row[7] == (mine[rate].isEmpty ? "" : "\(better.count + 1)"), "seed \(seed)")
        #expect(row[8] == "\(rivals.count)")
        let district = rows[0].first { $0[1] == "district" && $0[2] == mine[2] && $0[3] == mine[3] }
        #expect(row[12] == district?[rate])
        let before = rows[1].first { $0[5] == row[5] }?[rate] ?? ""
        #expect(row[14] == before)
        let change = Self.tenths(mine[rate]) - Self.tenths(before)
        #expect(
          table.rows[found.firstIndex(of: row) ?? 0].cells[15]
            == (before.isEmpty || mine[rate].isEmpty ? .empty : .rate(tenths: change)))
      }
      // Within a group ranks only rise, and who has none comes last.
      for (a, b) in zip(found, found.dropFirst())
      where Array(a[1...2]) + [a[4]] == Array(b[1...2]) + [b[4]] {
        #expect((Int(a[7]) ?? .max) <= (Int(b[7]) ?? .max))
      }
    }
  }

  /// docs/reports.md shows how a report is added.
  @Test func theExampleOfANewReportIsAReport() async throws {
    try await ExampleProgramme.with { database in
      var question = ReportQuestion(try Period(parsing: "2024Q2"))
      let table = try await DeathsReport.report.make(question, database.pool)
      let dead = try #require(table.place(of: "dead"))
      #expect(table.columns.count == 12 && table.rows[0].cells[dead] == .integer(1))
      question.patients = .dead
      let list = try await DeathsReport.report.make(question, database.pool)
      #expect(
        list.rows.map { $0.cells[6] } == [.text(ExampleProgramme.id(14).uuidString.lowercased())])
    }
  }

  /// What hides a rate hides its rank: the place among others would give it away.
  @Test(arguments: OracleTests.seeds.prefix(3))
  func aHiddenRateHasNoRank(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 9750)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      try await programme.load(into: store)
      var question = ReportQuestion(try Period(parsing: "2024Q1"))
      question.suppressBelow = 3
      let table = try await FacilitiesReport.report.make(question, database.pool)
      for row in table.rows where row.cells[11] == .hidden {
        #expect(row.cells[7] == .empty && row.cells[13] == .hidden && row.cells[15] == .hidden)
      }
      for (a, b) in zip(table.rows, table.rows.dropFirst())
      where a.cells[1...2] == b.cells[1...2] && a.cells[4] == b.cells[4] {
        #expect(a.cells[7] != .empty || b.cells[7] == .empty)
      }
    }
  }

  /// Reports are simple reads of rollups, of what was published, and of facilities (DESIGN.md, P7): they work for a role
  /// that cannot see the sources.
  @Test func onlyTheReportsThatSaySoReadReadings() async throws {
    try await ExampleProgramme.with { database in
      let role = "reader_" + UUID().uuidString.lowercased().replacing("-", with: "")
      try await database.pool.withConnection {
        try await $0.script(
          """
          CREATE ROLE \(role);
          GRANT USAGE ON SCHEMA rollup TO \(role);
          GRANT SELECT ON facilities TO \(role);
          GRANT SELECT ON ALL TABLES IN SCHEMA rollup TO \(role);
          """)
      }
      let pool = Pool(ConnectionSettings(conninfo: database.url, options: ["role": role]), size: 1)
      let day = try #require(CalendarDate(year: 2024, month: 5, day: 2))
      for definition in Report.all {
        let report = definition.report
        for period in ["2024Q2", "2024-05"] {
          var question = ReportQuestion(try Period(parsing: period))
          question.region.district = "Bathinda"
          question.days = day...day
          if report.name == "range-bp" || report.name == "data-quality" {
            await #expect(throws: PostgresError.self) { _ = try await report.make(question, pool) }
          } else {
            _ = try await report.make(question, pool)
          }
        }
      }
      for period in ["2024Q2", "2031Q1"] {
        _ = try await DistrictBP(Period(parsing: period)).make(pool)
      }
      await #expect(throws: PostgresError.self) {
        try await pool.withConnection { try await $0.query("SELECT count(*) FROM patients") }
      }
      await pool.close()
      try await database.pool.withConnection {
        try await $0.script("DROP OWNED BY \(role); DROP ROLE \(role)")
      }
    }
  }

  /// Formats write while rows are still being made.
  @Test func outputsStream() throws {
    struct Enough: Error {}
    let name = "figure"
    for format in [
      CSVFormat(), JSONFormat(), NDJSONFormat(), MarkdownFormat(), HTMLFormat(), FHIRFormat(),
    ] as [any Format] {
      let made = Locked()
      let table = ReportTable(
        name: name, title: name, facts: [],
        columns: [
          .init("period", "", isNumber: false), .init(FigureSet.registrations[0]),
        ], sections: [.init(name, ["period"])],
        rows: ReportTable.Rows(count: 1_000_000) { number in
          made.count()
          return .init(label: "\(number)", depth: 0, cells: [.text("2024-06"), .integer(number)])
        })
      var written = 0
      #expect(throws: Enough.self) {
        try format.write(table) { bytes in
          written += bytes.count
          if written > 10_000 { throw Enough() }
        }
      }
      #expect(made.value < 2_000, "\(format) made \(made.value) rows")
    }
  }

  private static func tenths(_ text: String) -> Int { Int(text.replacing(".", with: "")) ?? 0 }
}

extension Oracle.Span {
  init(_ period: Period) throws {
    self.init(
      isQuarter: period.type == .quarter, first: period.start.year * 12 + period.start.month - 1)
  }
}

/// How often something happened.
private final class Locked: Sendable {
  private let state = Mutex(0)
  func count() { state.withLock { $0 += 1 } }
  var value: Int { state.withLock { $0 } }
}
