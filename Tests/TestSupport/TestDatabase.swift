import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// A database of a test's own, made from a template.
public struct TestDatabase: Sendable {
  public let url: String
  public let pool: Pool

  public func settings(_ setUp: [String] = []) -> ConnectionSettings {
    var settings = ConnectionSettings(conninfo: url, applicationName: "tests")
    settings.setUp = setUp
    return settings
  }

  /// Makes an empty database, or a copy of a template, and drops it afterwards.
  public static func with<T: Sendable>(
    template: String = "template0", size: Int = 16, _ body: (TestDatabase) async throws -> T
  ) async throws -> T {
    let cluster = try await TestCluster.shared
    let admin = Pool(ConnectionSettings(conninfo: cluster.url("postgres")), size: 1)
    let name = "test_" + UUID().uuidString.lowercased().replacing("-", with: "")
    try await admin.withConnection { try await $0.script("CREATE DATABASE \(name) TEMPLATE \(template)") }
    let url = cluster.url(name)
    let pool = Pool(ConnectionSettings(conninfo: url, applicationName: "tests"), size: size)
    do {
      let value = try await body(TestDatabase(url: url, pool: pool))
      await finish(pool, admin, name)
      return value
    } catch {
      await finish(pool, admin, name)
      throw error
    }
  }

  private static func finish(_ pool: Pool, _ admin: Pool, _ name: String) async {
    await pool.close()
    try? await admin.withConnection { try await $0.script("DROP DATABASE IF EXISTS \(name) WITH (FORCE)") }
    await admin.close()
  }

  /// A migrated database with partitions for 2023 and 2024 only, so that tests also meet dates out of range.
  public static func migrated<T: Sendable>(
    timeZone: String = "Asia/Kolkata", size: Int = 16,
    _ body: (TestDatabase, Store) async throws -> T
  ) async throws -> T {
    let template = try await Templates.shared.name(timeZone)
    return try await with(template: template, size: size) { database in
      try await body(database, Store(database.pool))
    }
  }
}

/// One migrated template a time zone and process.
private actor Templates {
  static let shared = Templates()
  private var made: [String: Task<String, any Error>] = [:]

  func name(_ timeZone: String) async throws -> String {
    if let task = made[timeZone] { return try await task.value }
    let name = "template_\(made.count)"
    let task = Task { () async throws -> String in
      let cluster = try await TestCluster.shared
      let admin = Pool(ConnectionSettings(conninfo: cluster.url("postgres")), size: 1)
      try await admin.withConnection { try await $0.script("CREATE DATABASE \(name) TEMPLATE template0") }
      let pool = Pool(ConnectionSettings(conninfo: cluster.url(name)), size: 1)
      _ = try await Migrator(Rollups.catalog).run(
        pool, timeZone: timeZone, partitions: Partitions.span(fromYear: 2023, throughYear: 2024))
      await pool.close()
      // CREATE DATABASE wants nobody connected to its template.
      try await Task.sleep(for: .milliseconds(50))
      await admin.close()
      return name
    }
    made[timeZone] = task
    return try await task.value
  }
}
