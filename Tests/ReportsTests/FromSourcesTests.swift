import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import TestSupport
import Testing

/// `Resources/district-bp-from-sources.sql`, which the report is timed against, gives the same
/// figures.
@Suite struct FromSourcesTests {
  @Test(arguments: OracleTests.seeds.prefix(6))
  func thePlainStatementOverTheSourcesGivesTheSameFigures(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 5000)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      try await programme.load(into: store)
      for district in Set(programme.facilities.map(\.district)) {
        for quarter in try Period(parsing: "2023Q1")...Period(parsing: "2024Q4") {
          let plain = try await Self.plain(
            quarter, district, programme.timeZone, database.pool)
          let report = try await DistrictBP(quarter, district: district).make(database.pool)
          let stored = report.rows.map { $0.cells.map(\.text) }.filter { $0[1] == "facility" }
          let rows = Set(stored.map { Self.counts($0) })
          for row in plain where row.dropFirst().contains(where: { $0 != "0" }) {
            #expect(rows.contains(row), "seed \(seed), \(quarter), \(district)")
          }
        }
      }
    }
  }

  /// Each facility's id and counts, by the plain statement.
  static func plain(_ quarter: Period, _ district: String, _ zone: String, _ pool: Pool)
    async throws -> [[String]]
  {
    let file = try #require(
      Bundle.module.url(
        forResource: "district-bp-from-sources", withExtension: "sql", subdirectory: "Resources"))
    let query = Query(
      text: try String(contentsOf: file, encoding: .utf8),
      binds: [
        Bind(district),
        Bind(CalendarDay(daysSince2000: Int32(quarter.start.daysSince1970 - 10_957))), Bind(zone),
      ])
    return try await pool.withConnection { connection in
      try await connection.query(query).map { row in
        try (0..<19).map {
          try $0 == 0
            ? row.decode(0, as: UUID.self).uuidString.lowercased()
            : String(row.decode($0, as: Int.self))
        }
      }
    }
  }

  /// The facility's id and its stored counts: no sums and rates.
  static func counts(_ row: [String]) -> [String] {
    let derived = ["denominator", "status", "edition"]
    let places = Oracle.header.indices.dropFirst(7).filter {
      !derived.contains(Oracle.header[$0]) && !Oracle.header[$0].hasSuffix("_rate")
    }
    return [row[5]] + places.map { row[$0] }
  }
}
