import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport

/// ``ExampleProgramme`` behind `report serve`: 2024Q1 is closed, there are two districts, and tables until this year.
enum ServedExample {
  static let bathinda = AccessToken.Scope.district(state: "Punjab", "Bathinda")
  /// In Bathinda.
  static let facility = ExampleProgramme.id(1).uuidString.lowercased()
  /// In Mansa.
  static let foreign = ExampleProgramme.id(3).uuidString.lowercased()

  /// Lends a service of its own, and the database behind it.
  static func with(
    _ arguments: [String] = [], _ body: (RunningService, ServedDatabase) async throws -> Void
  ) async throws {
    try await database { served in
      let url = ServedDatabase.address(of: served.owner)
      try await RunningService.with(url, arguments) { try await body($0, served) }
    }
  }

  static func database(_ body: (ServedDatabase) async throws -> Void) async throws {
    let template = "served_example"
    try await TestCluster.shared.template(named: template) { url in try await prepare(url) }
    try await withDatabase(template: template) { url in
      let pool = Pool(ConnectionSettings(conninfo: url), size: 4, acquireTimeout: .seconds(60))
      try await ServedDatabase.with(TestDatabase(url: url, pool: pool), body)
      await pool.close()
    }
  }

  /// Once for all tests: filing the statements of four years takes some seconds.
  @Sendable private static func prepare(_ url: String) async throws {
    let programme = try ExampleProgramme.make()
    let year = CalendarDate(daysSince1970: Int(Date().timeIntervalSince1970 / 86_400)).year
    let pool = Pool(ConnectionSettings(conninfo: url), size: 4)
    _ = try await Migrator.programme.run(
      pool, timeZone: programme.timeZone,
      partitions: Partitions.span(fromYear: 2023, throughYear: year + 1))
    let store = try await Store(pool)
    try await programme.record(in: store)
    let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
    try await closer.close(Period(parsing: "2024Q1"))
    try await Filing.refresh(pool)
    await pool.close()
  }
}
