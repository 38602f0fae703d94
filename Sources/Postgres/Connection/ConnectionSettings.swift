import Foundation

/// How to reach a server, and how a session there is to behave.
public struct ConnectionSettings: Sendable {
  /// A URL (`postgresql://user@host/database`), libpq's `key=value` form, or "" for what libpq's
  /// own environment says (`PGHOST`, `PGSERVICE`, …). It goes to libpq untouched, so that TLS and
  /// every other setting of libpq's manual (34.1.2) can be given in it.
  public var conninfo: String
  /// How long to wait for each address of the server. A `connect_timeout` in ``conninfo`` or
  /// `PGCONNECT_TIMEOUT` goes before it. libpq counts in seconds, and in no fewer than two.
  public var connectTimeout: Duration
  /// The name that `pg_stat_activity` shows, unless ``conninfo`` or `PGAPPNAME` gives another.
  public var applicationName: String
  /// After how long the server is to cancel a statement; `nil` leaves it to the server's settings.
  /// A server that has not answered ten seconds after that is given up.
  public var statementTimeout: Duration?
  /// Settings of the session, as `SET` would make them.
  ///
  /// The time zone is UTC unless it is given here: no statement of ours may depend on the server's,
  /// and a `timestamp` column without time zone is taken for UTC.
  public var options: [String: String]
  /// What each session says of itself when it begins. That the server refuses it is no failure of the connection.
  public var introduction: Query?

  public init(
    conninfo: String = "", connectTimeout: Duration = .seconds(10),
    applicationName: String = "period-rollups", statementTimeout: Duration? = nil,
    options: [String: String] = [:]
  ) {
    self.conninfo = conninfo
    self.connectTimeout = connectTimeout
    self.applicationName = applicationName
    self.statementTimeout = statementTimeout
    self.options = options
  }

  /// What is set at the start of every session.
  var sessionOptions: [String: String] {
    var all = ["TimeZone": "UTC"]
    if let statementTimeout { all["statement_timeout"] = "\(statementTimeout.milliseconds)ms" }
    return all.merging(options) { _, given in given }
  }

  /// libpq's keywords and values. What comes later goes before what came earlier, and `dbname` is
  /// spread out into what it contains.
  var parameters: [(keyword: String, value: String)] {
    var parameters: [(String, String)] = []
    if ProcessInfo.processInfo.environment["PGCONNECT_TIMEOUT"] == nil {
      let seconds = max(2, (connectTimeout.milliseconds + 999) / 1000)
      parameters.append(("connect_timeout", String(seconds)))
    }
    // A peer that vanished without a word is noticed within about a minute, not after two hours.
    // Over a Unix socket these mean nothing.
    parameters += [
      ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
      ("tcp_user_timeout", "60000"),
    ]
    parameters.append(("dbname", conninfo))
    parameters.append(("fallback_application_name", applicationName))
    parameters.append(("client_encoding", "UTF8"))
    return parameters
  }
}

extension Duration {
  /// Rounded down, and never more than an Int32 holds, which is what the server and `poll` take.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    guard seconds < Int64(Int32.max) / 1000 else { return Int64(Int32.max) }
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}
