import CLibPQ
import Foundation

extension Wire {
  /// Begins a COPY in either direction.
  /// - Throws: `misuse` when `sql` is not such a COPY.
  func beginCopy(_ sql: String, expecting status: ExecStatusType, bracket: [String]) throws {
    try check(Query(text: sql))
    for text in bracket { try script(text) }
    hasSent = true
    isCopyOver = false
    guard PQsendQuery(connection, sql) == 1 else { throw refusal() }
    guard let result = try nextResult() else { throw lost(nil) }
    guard result.status != status else { return }
    let failure =
      result.status == PGRES_FATAL_ERROR
      ? PostgresError(server: result)
      : PostgresError(.misuse, "the statement is not a COPY in that direction")
    try leaveCopy(result.status)
    while try nextResult() != nil {}
    throw failure
  }

  // MARK: - To the server

  /// Sends a piece, and waits until the network has taken it: the pace of the server is the pace of
  /// the source.
  /// - Returns: false when the server has something to say, which can only be that it has failed.
  func put(_ bytes: [UInt8]) throws -> Bool {
    let noticesBefore = notices.count
    let isSent = bytes.withUnsafeBytes { bytes in
      PQputCopyData(
        connection, bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count))
    }
    guard isSent == 1 else { throw refusal() }
    try flush()
    guard let ready = try poll(for: POLLIN, until: .now), ready != 0 else { return true }
    guard PQconsumeInput(connection) == 1 else { throw lost(nil) }
    // libpq keeps an error to itself until the COPY has ended, but it passes notices on.
    _ = PQisBusy(connection)
    return notices.count > noticesBefore
  }

  /// Ends the COPY.
  /// - Parameter reason: nil to keep the rows; otherwise they are dropped and the server says so.
  /// - Returns: how many rows were stored
  func endCopyIn(because reason: String?) throws -> Int {
    guard PQputCopyEnd(connection, reason) == 1 else { throw refusal() }
    try flush()
    return try onlyResult().affected
  }

  // MARK: - From the server

  /// The next rows, at least `size` bytes of them where there are that many; nil at the end.
  func take(atLeast size: Int) throws -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < size, !isCopyOver {
      var row: UnsafeMutablePointer<CChar>?
      let length = PQgetCopyData(connection, &row, 1)
      defer { PQfreemem(row) }
      switch length {
      case 1...:
        bytes.append(
          contentsOf: UnsafeRawBufferPointer(start: row, count: Int(length)))
      case 0:
        // With nothing at hand, what there is goes on its way rather than waiting for more.
        if !bytes.isEmpty { return bytes }
        try awaitInput()
      case -1:
        // Says why, if the server has broken off.
        _ = try onlyResult()
        isCopyOver = true
      default:
        throw isBroken ? lost(nil) : refusal()
      }
    }
    return bytes.isEmpty ? nil : bytes
  }

  private func awaitInput() throws {
    try flush()
    _ = try poll(for: POLLIN, until: nil)
    guard PQconsumeInput(connection) == 1 else {
      throw lost(PQgetResult(connection).map(ServerResult.init))
    }
  }

  /// Reads and drops the rest of a COPY from the server, or ends one to it without a row.
  func leaveCopy(_ status: ExecStatusType) throws {
    switch status {
    case PGRES_COPY_IN, PGRES_COPY_BOTH:
      _ = PQputCopyEnd(connection, "not expected here")
      try flush()
    case PGRES_COPY_OUT:
      while true {
        var row: UnsafeMutablePointer<CChar>?
        let length = PQgetCopyData(connection, &row, 1)
        PQfreemem(row)
        if length < 0 { return }
        if length == 0 { try awaitInput() }
      }
    default: return
    }
  }

  /// Breaks the connection, so that the server rolls back whatever it has begun.
  func hangUp() {
    isAbandoned = true
    if socket >= 0 { _ = shutdown(socket, Int32(SHUT_RDWR)) }
  }
}
