import CLibPQ
import Foundation

extension Wire {
  /// - Throws: `connectionFailed`, with the address that was tried.
  static func connect(_ settings: ConnectionSettings) throws -> OpaquePointer {
    guard let connection = withParameters(settings, { PQconnectdbParams($0, $1, 1) }) else {
      throw PostgresError(.connectionFailed, "there is no memory for a connection")
    }
    do {
      guard PQstatus(connection) == CONNECTION_OK else {
        throw failure(message(of: connection), settings)
      }
      try apply(settings.sessionOptions, to: connection)
      return connection
    } catch {
      PQfinish(connection)
      throw error
    }
  }

  private static func failure(_ message: String, _ settings: ConnectionSettings) -> PostgresError {
    var error = PostgresError(.connectionFailed, message)
    error.sqlState = refusal(settings)
    return error
  }

  /// How long a second attempt may take that only asks why the first one failed.
  private static let patienceForReason: Duration = .seconds(3)

  /// Why the server refuses a connection; nil where it is not the server that does.
  ///
  /// libpq does not pass on the SQLSTATE of a refused connection, and the message is in the server's language. It is asked for
  /// by another attempt whose errors are said as states alone (the manual, 34.1.1, `PQconnectStart`, and 34.12,
  /// `PQERRORS_SQLSTATE`).
  private static func refusal(_ settings: ConnectionSettings) -> SQLState? {
    guard let connection = withParameters(settings, { PQconnectStartParams($0, $1, 1) }) else {
      return nil
    }
    defer { PQfinish(connection) }
    PQsetErrorVerbosity(connection, PQERRORS_SQLSTATE)
    let deadline = ContinuousClock.now + patienceForReason
    var next = PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
    while next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING {
      let events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT
      var descriptor = pollfd(fd: PQsocket(connection), events: Int16(events), revents: 0)
      let left = ContinuousClock.now.duration(to: deadline).milliseconds
      guard left > 0 else { return nil }
      let ready = Glibc.poll(&descriptor, 1, Int32(left))
      guard ready != 0 else { return nil }
      if ready > 0 { next = PQconnectPoll(connection) }
    }
    guard next == PGRES_POLLING_FAILED else { return nil }
    if PQconnectionNeedsPassword(connection) == 1 { return .invalidPassword }
    return SQLState(endOf: message(of: connection))
  }

  /// One round trip for all, before libpq is put into its non-blocking mode.
  private static func apply(_ options: [String: String], to connection: OpaquePointer) throws {
    let calls = options.sorted { $0.key < $1.key }.map { name, value in
      "set_config(\(literal(name)), \(literal(value)), false)"
    }
    let sql = "SELECT " + calls.joined(separator: ", ")
    guard let result = PQexec(connection, sql).map(ServerResult.init) else {
      throw PostgresError(.connectionFailed, message(of: connection))
    }
    guard result.status == PGRES_TUPLES_OK else {
      let refusal = PostgresError(server: result)
      throw PostgresError(
        .connectionFailed, "a setting of the session was refused: \(refusal.message)",
        sqlState: refusal.sqlState)
    }
  }

  /// A string constant; backslashes stand for themselves whatever the server's settings.
  private static func literal(_ text: String) -> String {
    " E'" + text.replacing("\\", with: "\\\\").replacing("'", with: "''") + "'"
  }

  /// Calls `body` with libpq's null-terminated arrays of keywords and values.
  private static func withParameters<Result>(
    _ settings: ConnectionSettings,
    _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result
  ) -> Result {
    let keywords = settings.parameters.map { strdup($0.keyword) }
    let values = settings.parameters.map { strdup($0.value) }
    defer { for text in keywords + values { free(text) } }
    let end: [UnsafePointer<CChar>?] = [nil]
    return body(
      keywords.map { UnsafePointer($0) } + end, values.map { UnsafePointer($0) } + end)
  }
}

extension SQLState {
  /// The state that a message ends with: `connection to server at "db", port 5432 failed: FATAL:  28P01`.
  fileprivate init?(endOf message: String) {
    let last = message.split(whereSeparator: \.isWhitespace).last ?? ""
    guard last.utf8.count == 5, message.hasSuffix(":  " + last),
      last.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) })
    else { return nil }
    self.init(rawValue: String(last))
  }
}
