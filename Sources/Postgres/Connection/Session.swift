import CLibPQ
import Foundation
import Logging

/// One libpq connection, used from its own thread only. Every wait is in ``wait(_:)``.
final class Session {
  let pointer: OpaquePointer
  let canceller: Canceller
  /// Names of prepared statements by their text, most recently used last.
  private var prepared: [String: String] = [:]
  private var recency: [String] = []
  private var preparedCount = 0
  private static let preparedBound = 256

  init(_ settings: ConnectionSettings, logger: Logger) throws {
    let keywords = ["dbname", "fallback_application_name", "connect_timeout", "client_encoding"]
    let values = [
      settings.conninfo, settings.applicationName, String(settings.connectTimeout), "UTF8",
    ]
    let url = settings.conninfo.contains("connect_timeout")
    let count = url ? [0, 1, 3] : [0, 1, 2, 3]
    pointer = try Self.withCStrings(count.map { keywords[$0] }) { keywords in
      try Self.withCStrings(count.map { values[$0] }) { values in
        guard let pointer = PQconnectdbParams(keywords, values, 1) else {
          throw PostgresError(.connectionFailed, "libpq is out of memory")
        }
        return pointer
      }
    }
    guard PQstatus(pointer) == CONNECTION_OK else {
      let reason = String(cString: PQerrorMessage(pointer)).trimmingCharacters(in: .whitespacesAndNewlines)
      PQfinish(pointer)
      throw PostgresError(.connectionFailed, reason)
    }
    canceller = Canceller(pointer)
    PQsetnonblocking(pointer, 1)
    // Notices would go to standard error; they may quote rows.
    PQsetNoticeReceiver(pointer, { _, _ in }, nil)
  }

  deinit { PQfinish(pointer) }

  private static func withCStrings<T>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) throws -> T
  ) rethrows -> T {
    let copies = strings.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    let pointers = copies.map { UnsafePointer($0) } + [nil]
    return try pointers.withUnsafeBufferPointer { buffer in
      try body(buffer.baseAddress)
    }
  }

  var isUsable: Bool { PQstatus(pointer) == CONNECTION_OK }
  var isIdle: Bool { isUsable && PQtransactionStatus(pointer) == PQTRANS_IDLE }

  // MARK: Statements

  /// Parsed each time.
  func query(_ query: Query) throws -> Rows {
    try check(
      Self.withBinds(query) { PQsendQueryParams(pointer, query.text, $0, $1, $2, $3, $4, 1) })
    return try results().last ?? Rows(Result(PQmakeEmptyPGresult(pointer, PGRES_EMPTY_QUERY)))
  }

  /// The simple protocol: any number of statements, no binds.
  func script(_ sql: String) throws {
    try check(PQsendQuery(pointer, sql))
    _ = try results()
  }

  /// The binds as libpq's parallel arrays.
  static func withBinds(
    _ query: Query,
    _ body: (
      Int32, UnsafePointer<Oid>?, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?,
      UnsafePointer<Int32>?
    ) -> Int32
  ) -> Int32 {
    var storage: [UInt8] = []
    var offsets: [Int?] = []
    for bind in query.binds {
      offsets.append(bind.bytes == nil ? nil : storage.count)
      storage += bind.bytes ?? []
    }
    storage.append(0)
    let lengths = query.binds.map { Int32($0.bytes?.count ?? 0) }
    let formats = [Int32](repeating: 1, count: query.binds.count)
    let types = query.binds.map(\.type.rawValue)
    return storage.withUnsafeBytes { bytes in
      let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      let values = offsets.map { offset in offset.flatMap { base?.advanced(by: $0) } }
      return body(Int32(query.binds.count), types, values, lengths, formats)
    }
  }

  // MARK: Pipelines

  /// Sends all statements and one Sync, then reads all answers: one round trip. All are prepared.
  func pipeline(_ queries: [Query]) throws -> [Rows] {
    guard PQenterPipelineMode(pointer) == 1 else { throw lost() }
    defer { PQexitPipelineMode(pointer) }
    var expected: [(index: Int, preparing: String?)] = []
    for (index, query) in queries.enumerated() {
      let (name, isNew) = name(of: query)
      if isNew {
        let types = query.binds.map(\.type.rawValue)
        try check(PQsendPrepare(pointer, name, query.text, Int32(types.count), types))
        expected.append((index, query.text))
      }
      try check(
        Self.withBinds(query) { count, _, values, lengths, formats in
          PQsendQueryPrepared(pointer, name, count, values, lengths, formats, 1)
        })
      expected.append((index, nil))
    }
    try check(PQpipelineSync(pointer))
    return try answers(expected)
  }

  private func answers(_ expected: [(index: Int, preparing: String?)]) throws -> [Rows] {
    var rows: [Rows] = []
    var failure: PostgresError?
    for (index, preparing) in expected {
      while let result = try next() {
        switch PQresultStatus(result.pointer) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
          if preparing == nil { rows.append(Rows(result)) }
        case PGRES_PIPELINE_ABORTED:
          if let preparing { forget(preparing) }
        default:
          failure = failure ?? PostgresError(result.pointer, statementIndex: index)
          if let preparing { forget(preparing) }
        }
      }
    }
    // The answer to the Sync.
    while let result = try next() {
      if PQresultStatus(result.pointer) == PGRES_PIPELINE_SYNC { break }
    }
    if let failure { throw failure }
    return rows
  }

  private func name(of query: Query) -> (String, isNew: Bool) {
    // The same text with binds of other types is another statement.
    let key = query.text + "|" + query.binds.map { String($0.type.rawValue) }.joined(separator: ",")
    if let name = prepared[key] { return (name, false) }
    preparedCount += 1
    let name = "s\(preparedCount)"
    prepared[key] = name
    recency.append(key)
    return (name, true)
  }

  private func forget(_ text: String) {
    for key in recency where key.hasPrefix(text + "|") { prepared[key] = nil }
    recency.removeAll { $0.hasPrefix(text + "|") }
  }

  /// Drops the oldest prepared statements beyond the bound; called between statements.
  func trimPrepared() throws {
    while recency.count > Self.preparedBound {
      let key = recency.removeFirst()
      guard let name = prepared.removeValue(forKey: key) else { continue }
      try script("DEALLOCATE \(name)")
    }
  }

  // MARK: COPY

  func beginCopy(_ sql: String, _ status: ExecStatusType) throws {
    try check(PQsendQuery(pointer, sql))
    guard let result = try next() else { throw lost() }
    guard PQresultStatus(result.pointer) == status else {
      while try next() != nil {}
      throw PostgresError(result.pointer)
    }
  }

  func copy(_ bytes: [UInt8]) throws {
    while true {
      let sent = bytes.withUnsafeBufferPointer { buffer in
        buffer.withMemoryRebound(to: CChar.self) { PQputCopyData(pointer, $0.baseAddress, Int32($0.count)) }
      }
      if sent == 1 { break }
      guard sent == 0 else { throw lost() }
      try flush()
    }
    try flush()
  }

  /// - Parameter failure: ends the COPY so that the server forgets it.
  func endCopy(failure: String? = nil) throws -> Int {
    while true {
      let sent = PQputCopyEnd(pointer, failure)
      if sent == 1 { break }
      guard sent == 0 else { throw lost() }
      try flush()
    }
    return try results().last?.affected ?? 0
  }

  /// The next chunk of a COPY TO; nil at its end.
  func copiedOut() throws -> [UInt8]? {
    var buffer: UnsafeMutablePointer<CChar>?
    while true {
      let count = PQgetCopyData(pointer, &buffer, 1)
      if count > 0, let buffer {
        defer { PQfreemem(buffer) }
        return Array(UnsafeRawBufferPointer(start: buffer, count: Int(count)))
      }
      if count == -1 {
        _ = try results()
        return nil
      }
      guard count == 0 else { throw lost() }
      try wait(Int16(POLLIN))
      guard PQconsumeInput(pointer) == 1 else { throw lost() }
    }
  }

  // MARK: Waiting

  /// All results up to the end of the command; the first error is thrown once they are read.
  private func results() throws -> [Rows] {
    var rows: [Rows] = []
    var failure: PostgresError?
    while let result = try next() {
      switch PQresultStatus(result.pointer) {
      case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: rows.append(Rows(result))
      case PGRES_COPY_IN, PGRES_COPY_OUT:
        throw PostgresError(.server, "COPY must be run with copyIn or copyOut")
      default: failure = failure ?? PostgresError(result.pointer)
      }
    }
    if let failure { throw failure }
    return rows
  }

  /// The next result; nil at the end of a command. Reads while it writes, so that full buffers on both sides cannot
  /// make client and server wait for each other.
  private func next() throws -> Result? {
    try flush()
    while PQisBusy(pointer) == 1 {
      try wait(Int16(POLLIN))
      guard PQconsumeInput(pointer) == 1 else { throw lost() }
    }
    guard let result = PQgetResult(pointer) else {
      if !isUsable { throw lost() }
      return nil
    }
    if PQresultStatus(result) == PGRES_FATAL_ERROR, !isUsable {
      defer { PQclear(result) }
      throw lost()
    }
    return Result(result)
  }

  private func flush() throws {
    while true {
      let left = PQflush(pointer)
      if left == 0 { return }
      guard left == 1 else { throw lost() }
      if try wait(Int16(POLLIN | POLLOUT)) & Int16(POLLIN) != 0 {
        guard PQconsumeInput(pointer) == 1 else { throw lost() }
      }
    }
  }

  @discardableResult
  private func wait(_ events: Int16) throws -> Int16 {
    var descriptor = pollfd(fd: PQsocket(pointer), events: events, revents: 0)
    guard descriptor.fd >= 0 else { throw lost() }
    while poll(&descriptor, 1, -1) < 0 {
      guard errno == EINTR else { throw lost() }
    }
    return descriptor.revents
  }

  private func check(_ sent: Int32) throws {
    guard sent == 1 else { throw lost() }
  }

  private func lost() -> PostgresError {
    let reason = String(cString: PQerrorMessage(pointer)).trimmingCharacters(in: .whitespacesAndNewlines)
    return PostgresError(
      .connectionLost, reason.isEmpty ? "the connection to the server was lost" : reason)
  }
}
