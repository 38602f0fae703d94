import ArgumentParser
import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// Where the database is, for every command.
public struct DatabaseOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The database, as a URL or a libpq connection string.",
      discussion: """
        Without it: DATABASE_URL, else libpq's PG* variables and service files, else a private server in $ROLLUP_HOME \
        or .rollup, which is started when needed.
        """, valueName: "url"))
  public var databaseURL: String?

  public init() {}

  /// A pool on the database; the private server is started when that is the one.
  /// - Parameter size: the most connections at a time.
  /// - Parameter worker: whose sessions they are.
  /// - Throws: what ``checkSources(_:)`` throws.
  public func pool(
    size: Int = 4, as worker: String? = nil, options: [String: String] = [:]
  ) async throws -> Pool {
    let settings = try await settings(applicationName: Terminal.program, options: options)
    let pool = Pool(worker.map(settings.sessions) ?? settings, size: size)
    try await Self.checkSources(pool)
    return pool
  }

  /// Refuses to read the application's tables by rights that their owner does not have, where reading them runs its code.
  /// - Throws: `Closing.Refusal.untrustedSources`.
  public static func checkSources(_ pool: Pool) async throws {
    try await SourceTrust(Rollups.catalog, besides: ["facilities"]).check(pool)
  }

  /// How to reach the database; the private server is started when that is the one.
  /// - Parameter applicationName: what its sessions are called.
  public func settings(applicationName: String, options: [String: String] = [:]) async throws
    -> ConnectionSettings
  {
    let conninfo = try await DatabaseAddress.resolve(url: databaseURL).conninfo()
    return ConnectionSettings(
      conninfo: conninfo, applicationName: applicationName, options: options)
  }

  /// The address as a user may read it: without a password.
  public var described: String {
    guard let address = try? DatabaseAddress.resolve(url: databaseURL) else {
      return "the database"
    }
    return "\(address)"
  }
}
