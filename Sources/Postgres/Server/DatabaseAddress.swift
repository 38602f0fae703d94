import CLibPQ
import Foundation

/// Where the database is.
///
/// The first of these that says something counts: what the user gave (`--database-url`),
/// `DATABASE_URL`, libpq's own environment, and otherwise the private server.
public enum DatabaseAddress: Sendable, Hashable {
  /// A URL or libpq's `key=value` form.
  case conninfo(String)
  /// What `PGHOST`, `PGSERVICE` and their like say; libpq reads them itself.
  case libpqEnvironment
  /// The server that ``LocalServer`` keeps for whoever has none.
  case privateServer

  /// The variables of which one is enough to say that the user has a server.
  static let libpqVariables = [
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGSERVICEFILE",
  ]

  /// - Parameter url: what the user gave; nil when nothing
  /// - Throws: `invalidAddress`, which says what an address looks like and does not repeat the one
  ///   given, because it may contain a password
  public static func resolve(
    url: String?, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> DatabaseAddress {
    if let url { return .conninfo(try checked(url, from: "--database-url")) }
    if let url = environment["DATABASE_URL"], !url.isEmpty {
      return .conninfo(try checked(url, from: "DATABASE_URL"))
    }
    let isLibpqSet = libpqVariables.contains { environment[$0, default: ""] != "" }
    return isLibpqSet ? .libpqEnvironment : .privateServer
  }

  /// What to give libpq. Starts the private server where the address is that.
  /// - Parameter home: the folder of the private server; nil is
  ///   ``LocalServer/defaultHome(environment:)``
  public func conninfo(home: URL? = nil) async throws -> String {
    switch self {
    case .conninfo(let conninfo): conninfo
    case .libpqEnvironment: ""
    case .privateServer:
      try await LocalServer(home: home ?? LocalServer.defaultHome()).start()
    }
  }

  private static func checked(_ text: String, from source: String) throws -> String {
    let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !trimmed.isEmpty, Conninfo(trimmed) != nil else {
      throw PostgresError(
        .invalidAddress, "\(source) is not the address of a PostgreSQL database",
        hint: """
          Expected a URL or libpq's key=value form, for example
            postgresql://clerk@db.example.org:5432/hypertension?sslmode=verify-full
            host=/var/run/postgresql dbname=hypertension
          """)
    }
    return trimmed
  }
}

extension DatabaseAddress: CustomStringConvertible {
  /// The address without any password, for messages.
  public var description: String {
    switch self {
    case .conninfo(let text): Conninfo(text)?.description ?? "an address that cannot be read"
    case .libpqEnvironment: "the server named by the environment (PGHOST, PGSERVICE, …)"
    case .privateServer: "the private server"
    }
  }
}

/// What libpq reads in an address.
struct Conninfo: CustomStringConvertible {
  private let values: [String: String]

  /// - Returns: nil when libpq cannot read it.
  init?(_ text: String) {
    guard let options = PQconninfoParse(text, nil) else { return nil }
    defer { PQconninfoFree(options) }
    var values: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val {
        values[String(cString: keyword)] = String(cString: value)
      }
      option += 1
    }
    self.values = values
  }

  /// Only what is known to hold no secret.
  var description: String {
    if let service = values["service"] { return "service=\(service)" }
    let shown = ["host", "hostaddr", "port", "dbname", "user"].compactMap { key in
      values[key].map { "\(key)=\($0)" }
    }
    return shown.isEmpty ? "libpq's defaults" : shown.joined(separator: " ")
  }
}
