/// Where and how to connect.
public struct ConnectionSettings: Sendable {
  /// A connection URI or keyword/value string as libpq takes them (manual, 34.1.1), so TLS and every other setting of
  /// libpq work; empty for libpq's own environment and service files.
  public var conninfo: String
  /// What `pg_stat_activity` shows.
  public var applicationName: String
  /// Seconds to wait for a server; only where the conninfo does not say.
  public var connectTimeout: Int = 10
  /// Statements run first on each connection.
  public var setUp: [String] = []

  public init(conninfo: String, applicationName: String = "rollup") {
    self.conninfo = conninfo
    self.applicationName = applicationName
  }
}
