import CLibPQ
import Foundation
import Logging

/// A connection to PostgreSQL. Its calls wait on a thread of its own; a task that is cancelled cancels its statement, and
/// the connection stays usable.
///
/// One task uses it at a time: borrow one from a ``Pool``.
///
/// ## Topics
/// - One statement: ``query(_:)``, ``prepared(_:)``, ``execute(_:)``, ``script(_:)``
/// - Several in one round trip: ``pipeline(_:)``
/// - Transactions: ``transaction(_:readOnly:retrying:_:)``
/// - Streams: ``copyIn(_:_:)``, ``copyOut(_:_:)``
public actor Connection {
  private let thread: ConnectionThread
  private var session: Session?
  private let logger: Logger
  /// `BEGIN …`, to be sent with the first statement of a transaction.
  private var pendingBegin: String?

  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    thread.asUnownedSerialExecutor()
  }

  /// - Throws: ``PostgresError`` of kind `connectionFailed`, with libpq's reason and the address it tried.
  public static func connect(
    _ settings: ConnectionSettings, logger: Logger = Logger(label: "postgres")
  ) async throws -> Connection {
    let connection = Connection(logger)
    try await connection.open(settings)
    return connection
  }

  private init(_ logger: Logger) {
    self.thread = ConnectionThread()
    self.logger = logger
  }

  deinit { thread.stop() }

  private func open(_ settings: ConnectionSettings) throws {
    let session = try Session(settings, logger: logger)
    for statement in settings.setUp { try session.script(statement) }
    self.session = session
  }

  public func close() { session = nil }

  /// Whether it is connected and in no transaction.
  public var isIdle: Bool { session?.isIdle ?? false }

  /// The server's version as a number: 150018 for 15.18.
  public var serverVersion: Int { session.map { Int(PQserverVersion($0.pointer)) } ?? 0 }

  // MARK: Statements

  /// Runs a statement that is parsed and planned for these values.
  @discardableResult
  public func query(_ query: Query) async throws -> Rows {
    try await begin()
    return try await run { try $0.query(query) }
  }

  /// Runs a statement that is parsed once a connection. The first time costs no further round trip.
  @discardableResult
  public func prepared(_ query: Query) async throws -> Rows {
    let rows = try await pipeline([query])
    guard let first = rows.first else { throw UnexpectedRowCount(expected: 1, found: 0) }
    return first
  }

  /// As ``prepared(_:)``, outside a transaction, and again when PostgreSQL aborted it so that others could go on.
  public nonisolated func prepared(_ query: Query, retrying: RetryPolicy) async throws -> Rows {
    try await retry(retrying) { try await prepared(query) }
  }

  /// Runs a statement and says how many rows it affected.
  @discardableResult
  public func execute(_ query: Query) async throws -> Int { try await self.query(query).affected }

  /// Runs any number of statements, separated by semicolons; for migrations.
  public func script(_ sql: String) async throws {
    try await begin()
    try await run { try $0.script(sql) }
  }

  /// Runs statements in one round trip, each prepared once a connection. Outside a transaction they are one: all are
  /// committed or none.
  /// - Throws: the error of the first that failed, with its place; those after it were not run.
  public func pipeline(_ queries: [Query]) async throws -> [Rows] {
    guard !queries.isEmpty else { return [] }
    let pending = pendingBegin
    pendingBegin = nil
    return try await run { session in
      try session.trimPrepared()
      guard let pending else { return try session.pipeline(queries) }
      do {
        return Array(try session.pipeline([Query(text: pending)] + queries).dropFirst())
      } catch var error as PostgresError {
        error.statementIndex = error.statementIndex.map { $0 - 1 }
        throw error
      }
    }
  }

  // MARK: COPY

  /// Runs `COPY … FROM STDIN` with what `body` writes. An error thrown by it ends the COPY and is thrown on.
  /// - Returns: the number of rows copied.
  @discardableResult
  public nonisolated func copyIn(_ sql: String, _ body: (inout CopyWriter) async throws -> Void) async throws
    -> Int
  {
    try await beginCopy(sql, PGRES_COPY_IN)
    do {
      var writer = CopyWriter(connection: self)
      try await body(&writer)
      try await writer.flush()
    } catch {
      await abortCopy()
      throw error
    }
    return try await endCopy()
  }

  private func beginCopy(_ sql: String, _ status: ExecStatusType) async throws {
    try await begin()
    try await run { try $0.beginCopy(sql, status) }
  }

  private func endCopy() async throws -> Int { try await run { try $0.endCopy() } }

  func copy(_ bytes: [UInt8]) async throws { try await run { try $0.copy(bytes) } }

  /// Not cancelled with the task: the connection has to be left clean.
  private func abortCopy() { _ = try? session?.endCopy(failure: "the program gave up") }

  /// Runs `COPY … TO STDOUT` and gives each row's bytes to `body`, which the server waits for.
  public nonisolated func copyOut(_ sql: String, _ body: ([UInt8]) async throws -> Void) async throws {
    try await beginCopy(sql, PGRES_COPY_OUT)
    while let chunk = try await copiedOut() { try await body(chunk) }
  }

  private func copiedOut() async throws -> [UInt8]? { try await run { try $0.copiedOut() } }

  // MARK: Transactions

  /// Runs `body` in a transaction: committed when it returns, rolled back when it throws. `BEGIN` travels with the first
  /// statement. The transaction cannot outlive `body`: letting it escape does not compile.
  public nonisolated func transaction<T: Sendable>(
    _ isolation: Isolation = .readCommitted, readOnly: Bool = false, retrying: RetryPolicy = .none,
    _ body: (borrowing Transaction) async throws -> T
  ) async throws -> T {
    try await retry(retrying) { try await attemptTransaction(isolation, readOnly: readOnly, body) }
  }

  private nonisolated func retry<T: Sendable>(_ policy: RetryPolicy, _ body: () async throws -> T)
    async throws -> T
  {
    var attempt = 1
    while true {
      do {
        return try await body()
      } catch let error as PostgresError {
        guard let delay = policy.delay(after: error, attempt: attempt, random: .random(in: 0...1))
        else { throw error }
        logger.debug(
          "run again", metadata: ["attempt": "\(attempt)", "state": "\(error.sqlState?.rawValue ?? "-")"])
        try await Task.sleep(for: delay)
        attempt += 1
      }
    }
  }

  private nonisolated func attemptTransaction<T: Sendable>(
    _ isolation: Isolation, readOnly: Bool, _ body: (borrowing Transaction) async throws -> T
  ) async throws -> T {
    await willBegin("BEGIN ISOLATION LEVEL \(isolation.sql)\(readOnly ? " READ ONLY" : "")")
    do {
      let value = try await body(Transaction(connection: self, isolation: isolation))
      try await commit()
      return value
    } catch {
      await rollBack()
      throw error
    }
  }

  private func willBegin(_ statement: String) { pendingBegin = statement }

  private func commit() async throws {
    if pendingBegin == nil { try await run { try $0.script("COMMIT") } }
    pendingBegin = nil
  }

  /// Not cancelled with the task: the connection has to be left clean.
  private func rollBack() {
    pendingBegin = nil
    if let session, session.isUsable, !session.isIdle { try? session.script("ROLLBACK") }
  }

  private func begin() async throws {
    guard let pending = pendingBegin else { return }
    pendingBegin = nil
    try await run { try $0.script(pending) }
  }

  /// Runs blocking work, with cancellation armed while it lasts.
  private func run<T>(_ body: (Session) throws -> T) async throws -> T {
    guard let session else { throw PostgresError(.connectionLost, "the connection is closed") }
    let canceller = session.canceller
    return try await withTaskCancellationHandler {
      // Through `self`: a closure that does not mention the actor runs elsewhere, on one of the few threads all tasks share,
      // and enough statements that wait for each other's locks would stop the program.
      try self.block(on: session, body)
    } onCancel: {
      canceller.cancel()
    }
  }

  private func block<T>(on session: Session, _ body: (Session) throws -> T) throws -> T {
    session.canceller.arm()
    defer { session.canceller.disarm() }
    guard !Task.isCancelled else { throw PostgresError(.cancelled, "the task was cancelled") }
    return try body(session)
  }
}

/// Feeds a COPY. Rows are gathered and sent in chunks; a write waits while the server is behind.
public struct CopyWriter: ~Copyable {
  let connection: Connection
  private var buffer: [UInt8] = []
  private static let chunk = 64 << 10

  init(connection: Connection) {
    self.connection = connection
    buffer.reserveCapacity(Self.chunk + 4096)
  }

  public mutating func write(_ bytes: some Sequence<UInt8>) async throws {
    buffer.append(contentsOf: bytes)
    if buffer.count >= Self.chunk { try await flush() }
  }

  /// One row in the text format: fields separated by tabs, nil as NULL (manual, COPY, "Text Format").
  public mutating func writeRow(_ fields: [String?]) async throws {
    for (index, field) in fields.enumerated() {
      if index > 0 { buffer.append(UInt8(ascii: "\t")) }
      guard let field else {
        buffer.append(contentsOf: "\\N".utf8)
        continue
      }
      for byte in field.utf8 {
        switch byte {
        case UInt8(ascii: "\\"): buffer.append(contentsOf: "\\\\".utf8)
        case UInt8(ascii: "\t"): buffer.append(contentsOf: "\\t".utf8)
        case UInt8(ascii: "\n"): buffer.append(contentsOf: "\\n".utf8)
        case UInt8(ascii: "\r"): buffer.append(contentsOf: "\\r".utf8)
        default: buffer.append(byte)
        }
      }
    }
    buffer.append(UInt8(ascii: "\n"))
    if buffer.count >= Self.chunk { try await flush() }
  }

  mutating func flush() async throws {
    guard !buffer.isEmpty else { return }
    try await connection.copy(buffer)
    buffer.removeAll(keepingCapacity: true)
  }
}
