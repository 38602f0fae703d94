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
    // libpq does not pass on the SQLSTATE of a refused connection. That a server is only starting
    // is worth a question of its own, because then it is worth trying again.
    if withParameters(settings, { PQpingParams($0, $1, 1) }) == PQPING_REJECT {
      error.sqlState = .cannotConnectNow
    }
    return error
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
