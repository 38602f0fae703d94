import Postgres

/// What a user can do about an error of the server or of the way to it: told by its SQLSTATE (the PostgreSQL manual, appendix
/// A), because messages are translated and change with versions.
extension Failure {
  /// - Parameter database: its address, without a password.
  init(_ error: PostgresError, database: String?) {
    let database = database ?? "the database"
    switch error.kind {
    case .connectionFailed: self = .connecting(error, database)
    case .connectionLost: self = .lost(error, database)
    case .cancelled:
      self = Failure(code: 130, "interrupted; the open transaction was rolled back")
    case .commitUnknown:
      self = .unavailable(
        "the connection to \(database) was lost during a COMMIT: it is not known whether the transaction was committed. "
          + "Run the command again: what is there already is not done twice.")
    case .timeout, .poolTimeout, .poolClosed, .localServer: self = .unavailable("\(error)")
    case .invalidAddress: self = .usage("\(error)")
    case .decoding, .misuse, .transactionAborted: self = .mistake("\(error)")
    case .server: self = .server(error, database)
    }
  }

  // MARK: Connecting

  private static func connecting(_ error: PostgresError, _ database: String) -> Failure {
    let begin = "no connection to \(database): \(error.message)\n"
    let other = "Name another database with --database-url, DATABASE_URL or the PG* variables."
    guard let state = error.sqlState else { return .unavailable(begin + other) }
    switch state {
    case .invalidPassword:
      return .refused(
        begin + "Give the role's password in the address, in PGPASSWORD or in ~/.pgpass.")
    case .invalidAuthorizationSpecification:
      return .refused(
        begin
          + "Name another role, or have this one allowed: ALTER ROLE … LOGIN, and a line in pg_hba.conf."
      )
    case .insufficientPrivilege:
      return .refused(
        begin + "Have the role allowed to connect: GRANT CONNECT ON DATABASE … TO …")
    case .invalidCatalogName:
      return .unavailable(
        begin
          + "Create it ('createdb NAME'), or name another with --database-url, DATABASE_URL or PGDATABASE."
      )
    case .cannotConnectNow:
      return .unavailable(
        begin + "The server is starting, stopping or recovering. Run the command again in a moment."
      )
    case .invalidParameterValue where error.message.contains("role"):
      return .refused(begin + other)
    case .objectNotReady:
      return .unavailable(
        begin + "Have it opened: ALTER DATABASE … ALLOW_CONNECTIONS true; or name another database."
      )
    default:
      let isOfServer = ["53", "57", "58"].contains(state.errorClass)
      let advice = isOfServer ? advice(on: state)?.text : nil
      return .unavailable(
        begin + (advice.map { $0.prefix(1).uppercased() + $0.dropFirst() } ?? other))
    }
  }

  private static func lost(_ error: PostgresError, _ database: String) -> Failure {
    .unavailable(
      "the connection to \(database) was lost: \(error.message)\n"
        + "The open transaction was not committed; what was reported done before is. Run the command again."
    )
  }

  // MARK: Statements

  private static func server(_ error: PostgresError, _ database: String) -> Failure {
    let undone = "Nothing of the open transaction was committed."
    let state = error.sqlState ?? SQLState(rawValue: "XX000")
    if state == .closedPeriod {
      return .refused("\(error.message). \(undone) \(error.hint ?? "")")
    }
    if state == .insufficientPrivilege {
      return .refused(
        "the database role may not do this: \(error). \(undone) "
          + "Have it made a member of rollup_writer, rollup_reporter, rollup_closer or rollup_owner: 'Roles' in docs/closing.md "
          + "says what each may do.")
    }
    guard let advice = advice(on: state) else {
      return .mistake(
        "the database refused a statement: \(error). \(undone) "
          + "This is probably a mistake of the program: please report it with the message above.")
    }
    return Failure(
      code: advice.code,
      "\(advice.text) \(undone)\n\(database) says: \(error.message) (SQLSTATE \(state))")
  }

  /// What to do about a state that is of the server or of its settings, and not of the statement; nil for all others.
  static func advice(on state: SQLState) -> (code: Int32, text: String)? {
    switch state {
    case .readOnlyTransaction:
      (
        69,
        "the server only reads: it is a standby, or default_transaction_read_only is set for the server, the database or the "
          + "role. Name the primary with --database-url, or set it off."
      )
    case .undefinedTable, .invalidSchemaName:
      (
        69,
        "the tables are not where this role looks for them. Put their schema into its search_path, for example "
          + "ALTER ROLE … SET search_path = programme, public; or run 'rollup migrate' if this database has none yet."
      )
    case SQLState(rawValue: "42P10"):
      (
        69,
        "a table of the schema rollup lacks its key: the database was restored in part. Restore the rest "
          + "(pg_restore --section=post-data), and then run 'rollup migrate'."
      )
    case .undefinedColumn, .undefinedFunction, .undefinedObject:
      (
        69,
        "the database is of another version of this program, or search_path leads to other tables: run 'rollup migrate', and "
          + "compare 'rollup --version' on both machines."
      )
    case .queryCanceled:
      (
        69,
        "either somebody ended the statement, or statement_timeout is too short for it. Set the time-out off for this role: "
          + "ALTER ROLE … SET statement_timeout = 0; then run the command again."
      )
    case .lockNotAvailable:
      (
        69,
        "another session holds a lock for longer than lock_timeout of this role allows. Run the command again when it has "
          + "ended (pg_stat_activity shows it)."
      )
    case .idleTransactionTimeout, .transactionTimeout, .idleSessionTimeout:
      (
        69,
        "a time-out of the role or the server is too short for this command. Set it off for this role, for example "
          + "ALTER ROLE … SET transaction_timeout = 0, idle_in_transaction_session_timeout = 0."
      )
    case .objectNotReady:
      (69, "the database is not in the state that this needs. Run the command again in a moment.")
    default: advice(onClassOf: state)
    }
  }

  private static func advice(onClassOf state: SQLState) -> (code: Int32, text: String)? {
    switch state.errorClass {
    case "53" where state == .diskFull:
      (
        69,
        "the disk of the database's server is full. Free space there, then run the command again."
      )
    case "53" where state == .outOfMemory:
      (
        69,
        "the database's server is out of memory, or of shared memory for locks: raise max_locks_per_transaction there, or "
          + "run the command when less is at work."
      )
    case "53" where state == .tooManyConnections:
      (
        69,
        "all connections of the server or the role are in use. Run the command again later, or raise max_connections there "
          + "(or the role's CONNECTION LIMIT)."
      )
    case "53":
      (69, "the database's server lacks a resource. Run the command again when less is at work.")
    case "57": (69, "the server is stopping or starting. Run the command again in a moment.")
    case "58", "F0": (69, "the database's server has trouble with its files: look at its log.")
    case "08": (69, "the connection is at fault. Run the command again.")
    case "28": (77, "the role may not log in: name another, or have this one allowed.")
    case "40":
      (69, "other sessions were in the way each time. Run the command again when less is at work.")
    case "XX" where state.rawValue != "XX000":
      (
        69,
        "the database's server reports damaged data: look at its log, and restore a backup if need be."
      )
    default: nil
    }
  }
}
