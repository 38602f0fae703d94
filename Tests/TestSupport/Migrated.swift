import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

extension TestDatabase {
  /// A migrated database of a test's own, with partitions for 2023 and 2024 only, so that tests also meet dates out of
  /// range. One template a time zone and process.
  public static func migrated<T: Sendable>(
    timeZone: String = "Asia/Kolkata", size: Int = 16,
    _ body: (TestDatabase, Store) async throws -> T
  ) async throws -> T {
    let template = "migrated_" + timeZone.lowercased().replacing("/", with: "_")
    try await TestCluster.shared.template(named: template) { url in
      let pool = Pool(ConnectionSettings(conninfo: url), size: 1)
      _ = try await Migrator.programme.run(
        pool, timeZone: timeZone, partitions: Partitions.span(fromYear: 2023, throughYear: 2024))
      await pool.close()
    }
    return try await withDatabase(template: template) { url in
      // The session's zone is never the reporting one.
      let settings = ConnectionSettings(conninfo: url, options: ["TimeZone": "America/Caracas"])
      let pool = Pool(settings, size: size, acquireTimeout: .seconds(60))
      let value = try await body(TestDatabase(url: url, pool: pool), Store(pool))
      await pool.close()
      return value
    }
  }
}
