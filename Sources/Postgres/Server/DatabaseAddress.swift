import Foundation

/// Where the database is, in the order in which users say it: `--database-url`, `DATABASE_URL`, what libpq reads by itself
/// (the `PG*` variables and service files), and else a private server.
public enum DatabaseAddress: Sendable, Hashable {
  /// A connection URI or keyword/value string of libpq; empty for libpq's own environment.
  case conninfo(String)
  /// The private server whose files are in this folder.
  case privateServer(home: String)

  /// libpq's variables that say where to connect (manual, 34.15).
  static let variables = [
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGSERVICEFILE",
  ]

  /// - Throws: ``Unreadable`` for a text that is no address.
  public static func resolve(
    url: String?, environment: [String: String] = ProcessInfo.processInfo.environment,
    currentFolder: String = FileManager.default.currentDirectoryPath
  ) throws -> DatabaseAddress {
    if let url { return .conninfo(try checked(url, from: "--database-url")) }
    if let url = environment["DATABASE_URL"], !url.isEmpty {
      return .conninfo(try checked(url, from: "DATABASE_URL"))
    }
    if variables.contains(where: { environment[$0]?.isEmpty == false }) { return .conninfo("") }
    let home = environment["ROLLUP_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? ".rollup"
    return .privateServer(
      home: URL(fileURLWithPath: home, relativeTo: URL(fileURLWithPath: currentFolder + "/"))
        .standardizedFileURL.path)
  }

  private static func checked(_ text: String, from origin: String) throws -> String {
    let isURL = text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
    guard isURL || text.contains("=") else { throw Unreadable(origin: origin) }
    return text
  }

  /// A text that names no database. The text is not shown: it may hold a password.
  public struct Unreadable: Error, Hashable, CustomStringConvertible {
    public let origin: String
    public var description: String {
      "\(origin) is neither a URL such as postgresql://user@host:5432/name nor a string such as "
        + "'host=/run/postgresql dbname=name'"
    }
  }

  /// The settings to connect with; starts the private server when it is that and does not run.
  public func settings(applicationName: String) async throws -> ConnectionSettings {
    switch self {
    case .conninfo(let conninfo):
      return ConnectionSettings(conninfo: conninfo, applicationName: applicationName)
    case .privateServer(let home):
      let url = try await LocalServer(home: home).start()
      return ConnectionSettings(conninfo: url, applicationName: applicationName)
    }
  }
}
