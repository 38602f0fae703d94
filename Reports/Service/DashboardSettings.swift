import Reports

/// How the service is reached.
public struct DashboardSettings: Sendable {
  public var host: String
  /// 0 for one that is free.
  public var port: Int
  /// The files of a certificate's chain and of its key, as PEM; nil without TLS.
  public var certificate: (chain: String, key: String)?
  /// Whether a proxy in front does TLS, and says in `X-Forwarded-For` who asks.
  public var isBehindProxy: Bool
  /// Connections of browsers at once; further ones wait to be accepted.
  public var clients: Int
  /// Requests that are being answered or wait for the database; further ones are told to come again.
  public var requestsAtOnce: Int
  /// Requests a minute and address; 0 for no limit.
  public var requestsPerMinute: Int
  /// How long what is being answered may go on when the service is told to stop.
  public var drainLimit: Duration
  /// What is what in DHIS2; nil to offer no such files.
  public var mapping: DHIS2Mapping?
  /// Of the program, as `/metrics` says it.
  public var version: String

  public init(
    host: String = "127.0.0.1", port: Int = 8080, certificate: (chain: String, key: String)? = nil,
    isBehindProxy: Bool = false, clients: Int = 500, requestsAtOnce: Int = 128,
    requestsPerMinute: Int = 600,
    drainLimit: Duration = .seconds(30), mapping: DHIS2Mapping? = nil,
    version: String = "1.0.0-beta"
  ) {
    self.host = host
    self.port = port
    self.certificate = certificate
    self.isBehindProxy = isBehindProxy
    self.clients = clients
    self.requestsAtOnce = requestsAtOnce
    self.requestsPerMinute = requestsPerMinute
    self.drainLimit = drainLimit
    self.mapping = mapping
    self.version = version
  }

  /// Connections of one address: half of all, so that one cannot keep the others out. Behind a proxy all are the proxy's.
  var clientsOfOne: Int? { isBehindProxy ? nil : max(clients / 2, 50) }

  /// Whether browsers reach it by TLS.
  var isSecure: Bool { certificate != nil || isBehindProxy }

  /// Where it can be reached, given the port it has.
  func address(port: Int) -> String {
    let name = host.contains(":") ? "[\(host)]" : host
    return "\(certificate == nil ? "http" : "https")://\(name):\(port)/"
  }
}
