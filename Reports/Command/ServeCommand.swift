import ArgumentParser
import Commands
import Foundation
import Logging
import Postgres
import ReportService
import Reports

/// `report serve`.
struct ServeCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve a dashboard and an API, to whoever holds a token.",
    discussion: """
      Tokens are made with 'rollup token create'. The database's login should be a member of rollup_server and of nothing else: \
      then what a token opens is decided in the database (docs/access.md). For example:
      report serve --database-url postgresql://dashboard@db/programme --host 0.0.0.0 --certificate chain.pem --key key.pem
      SIGHUP reads the certificate's files again; SIGTERM ends the service when what is being answered is answered (docs/serve.md).
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions

  @Option(help: "The address to listen at.")
  var host = "127.0.0.1"

  @Option(help: "The port; 0 for one that is free.")
  var port = 8080

  @Option(help: ArgumentHelp("The certificate's chain, as PEM: serve by TLS.", valueName: "file"))
  var certificate: String?

  @Option(help: ArgumentHelp("The certificate's key, as PEM.", valueName: "file"))
  var key: String?

  @Flag(help: "A proxy in front does TLS and says in X-Forwarded-For who asks.")
  var behindProxy = false

  @Option(help: "Connections to the database.")
  var connections = 8

  @Option(help: "Connections of browsers at once.")
  var clients = 500

  @Option(help: "Requests a minute from one address; 0 for no limit.")
  var rateLimit = 600

  @Option(help: "After how many seconds a statement is given up.")
  var statementTimeout = 30

  @Option(help: "Seconds that what is being answered may take when the service is told to stop.")
  var drain = 30

  @Option(
    help: ArgumentHelp("What is what in DHIS2, as for 'report --mapping'.", valueName: "file"))
  var mapping: String?

  var databaseDescription: String? { database.described }

  func validate() throws {
    guard (certificate == nil) == (key == nil) else {
      throw ValidationError("--certificate and --key go together")
    }
    guard (0...65535).contains(port), (1...1000).contains(connections),
      (1...100_000).contains(clients),
      (0...1_000_000).contains(rateLimit), (1...3600).contains(statementTimeout),
      (0...3600).contains(drain)
    else {
      throw ValidationError(
        "--port is 0 to 65535, --connections 1 to 1000, --clients 1 to 100000, --rate-limit 0 to 1000000, --statement-timeout 1 to 3600, --drain 0 to 3600"
      )
    }
    let isLocal = ["127.0.0.1", "::1", "localhost"].contains(host)
    guard isLocal || certificate != nil || behindProxy else {
      throw ValidationError(
        "tokens are not to be sent in the clear: give --certificate and --key, or say --behind-proxy where a proxy does TLS"
      )
    }
  }

  func execute() async throws {
    // A visitor who has gone is no reason to end.
    signal(SIGPIPE, SIG_IGN)
    let settings = DashboardSettings(
      host: host, port: port,
      certificate: certificate.flatMap { chain in key.map { (chain, $0) } },
      isBehindProxy: behindProxy, clients: clients, requestsAtOnce: connections * 16,
      requestsPerMinute: rateLimit, drainLimit: .seconds(drain),
      mapping: try mapping.map { try DHIS2Mapping(reading: $0) }, version: projectVersion)
    // A login that may do more does no more than the service's role may.
    var connection = try await database.settings(
      applicationName: "report serve",
      // Statements here are short, and compiling one takes longer than it.
      options: ["search_path": Dashboard.searchPath, "role": "rollup_server", "jit": "off"])
    connection.statementTimeout = .seconds(statementTimeout)
    connection.connectTimeout = .seconds(3)
    let logger = Logger(label: "report") { label in JSONLogHandler(label: label) }
    try await warn(connection, logger)
    var probing = connection
    probing.statementTimeout = .seconds(3)
    let dashboard = Dashboard(
      settings, pool: Pool(connection, size: connections, acquireTimeout: .seconds(5)),
      probe: Pool(probing, size: 1, acquireTimeout: .seconds(3)), logger: logger)
    do {
      try await dashboard.run { address in logger.info("serving at \(address)") }
    } catch let unable as Dashboard.Unable {
      throw unable.isOfFile ? Failure.data(unable.description) : .unavailable(unable.description)
    }
  }

  /// Says so where SQL by the login's name could leave the role. Of a database without the role the service itself says what is
  /// missing, and waits for it.
  private func warn(_ settings: ConnectionSettings, _ logger: Logger) async throws {
    let mayMore: Query = """
      SELECT session_user::text, r.rolsuper OR EXISTS (
        SELECT FROM pg_roles AS o
        WHERE o.rolname IN ('rollup_owner', 'rollup_reporter', 'rollup_writer', 'rollup_closer')
          AND pg_has_role(session_user, o.oid, 'MEMBER')
      )
      FROM pg_roles AS r
      WHERE r.rolname = session_user
      """
    do {
      let connection = try await Connection.connect(settings)
      let (login, more) = try await connection.query(mayMore).only((String, Bool).self)
      await connection.close()
      guard more else { return }
      logger.warning(
        "the login may do more than rollup_server may. Give the service one of its own: CREATE ROLE dashboard LOGIN IN ROLE rollup_server",
        metadata: ["login": "\(login)"])
    } catch let error as PostgresError
      where [.insufficientPrivilege, .invalidParameterValue].contains(error.sqlState)
    {
      logger.warning(
        "the service's role cannot be taken: 'rollup migrate' makes rollup_server, and the login has to be a member of it",
        metadata: ["error": "\(error)"])
    }
  }
}
