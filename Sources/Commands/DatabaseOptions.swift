import ArgumentParser
import Foundation
import Hypertension
import Logging
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
  public func pool(size: Int = 4, setUp: [String] = []) async throws -> Pool {
    let address = try DatabaseAddress.resolve(url: databaseURL)
    var settings = try await address.settings(applicationName: Terminal.program)
    settings.setUp = setUp
    return Pool(settings, size: size)
  }

  /// The address as a user may read it: without a password.
  public var described: String {
    switch try? DatabaseAddress.resolve(url: databaseURL) {
    case .conninfo(""): "what the PG* variables say"
    case .conninfo(let conninfo): Self.redacted(conninfo)
    case .privateServer(let home): "the private server in \(home)"
    case nil: "no readable address"
    }
  }

  static func redacted(_ conninfo: String) -> String {
    conninfo.replacing(/:\/\/([^:\/@]*):[^@]*@/) { "://\($0.output.1):…@" }
      .replacing(/(password|sslpassword)\s*=\s*('[^']*'|[^\s&]*)/) { "\($0.output.1)=…" }
  }
}
