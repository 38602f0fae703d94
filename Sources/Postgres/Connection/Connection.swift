import CLibPQ
import Foundation
import Logging

/// A session of a PostgreSQL server.
///
/// ```swift
/// let connection = try await Connection.connect(ConnectionSettings(conninfo: url))
/// let rows = try await connection.prepared("SELECT name FROM facilities WHERE id = \(id)")
/// ```
///
/// Statements are executed one after another, in the order in which they arrive. Cancelling the
/// task that waits for one cancels that statement on the server, and the connection stays usable.
/// Between the statements of a ``transaction(_:readOnly:_:)`` or during a COPY the connection
/// belongs to the task that began it: do not share it, take one each from a ``Pool``.
///
/// Every method throws ``PostgresError``. After `connectionLost` and `timeout` the connection is
/// closed.
public actor Connection {
  private nonisolated let thread: ConnectionThread
  nonisolated let canceller = Canceller()
  /// What is known of the session without asking its thread.
  nonisolated let session = Locked(SessionState())
  private var wire: Wire?
  /// Whether a COPY holds the connection, and which.
  private var copy: CopyInProgress?

  enum CopyInProgress: Equatable {
    case toServer(Int)
    case fromServer(Int)
  }

  private var lastCopy = 0

  func nextCopy() -> Int {
    lastCopy += 1
    return lastCopy
  }

  func hold(_ copy: CopyInProgress) { self.copy = copy }

  func release() { copy = nil }

  /// libpq blocks, so each connection has a thread to itself.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    thread.asUnownedSerialExecutor()
  }

  private init() { thread = ConnectionThread(name: "postgres") }

  deinit { thread.stop() }

  // MARK: - Opening and closing

  /// Opens a session.
  ///
  /// - Parameters:
  ///   - statementCapacity: how many prepared statements to keep
  ///   - logger: takes the server's notices, at the level `debug`
  /// - Throws: `connectionFailed` with the address that was tried, and never the password.
  ///   Cancelling does not interrupt it; `settings.connectTimeout` bounds it.
  public static func connect(
    _ settings: ConnectionSettings, statementCapacity: Int = 256, logger: Logger? = nil
  ) async throws -> Connection {
    let connection = Connection()
    try await connection.open(settings, statementCapacity, logger)
    if let introduction = settings.introduction { _ = try? await connection.query(introduction) }
    return connection
  }

  private func open(
    _ settings: ConnectionSettings, _ statementCapacity: Int, _ logger: Logger?
  ) throws {
    let wire = try Wire(settings: settings, statementCapacity: statementCapacity, logger: logger)
    canceller.attach(wire.connection)
    session.withLock {
      $0.condition = .idle
      $0.socket = wire.socket
      $0.serverVersion = Int(PQserverVersion(wire.connection))
    }
    self.wire = wire
  }

  /// Ends the session; what is not committed is rolled back. Whatever is asked of the connection
  /// afterwards throws `connectionLost`.
  public func close() {
    wire = nil
    session.withLock { $0.condition = .closed }
  }

  // MARK: - Statements

  /// Executes a statement that is parsed each time: for those that are used once.
  public func query(_ query: Query) async throws -> Rows {
    try await perform { try $0.execute(query, .parsed, bracket: $1) }
  }

  /// Executes a statement that the server keeps prepared: for those that are used again.
  ///
  /// The first use prepares it in the same round trip. When the server has to forget its plan,
  /// because a table was changed, it is prepared anew.
  @discardableResult
  public func prepared(_ query: Query) async throws -> Rows {
    try await perform { try $0.execute(query, .prepared, bracket: $1) }
  }

  /// Executes a statement for its effect.
  /// - Returns: how many rows it inserted, updated or deleted
  @discardableResult
  public func execute(_ query: Query) async throws -> Int {
    try await self.query(query).affected
  }

  /// Executes several statements separated by semicolons, without parameters: a migration. They are
  /// one transaction unless they contain transaction control.
  public func script(_ sql: String) async throws {
    try await perform { try $0.script(sql, bracket: $1) }
  }

  /// Executes several statements in one round trip, each prepared as by ``prepared(_:)``.
  ///
  /// Outside of a transaction they are one: all are committed, or none. Each sees what those before
  /// it did.
  /// - Throws: the first error of the server, with ``PostgresError/statementIndex``.
  @discardableResult
  public func pipeline(_ queries: [Query]) async throws -> [Rows] {
    guard !queries.isEmpty else { return [] }
    return try await perform { try $0.pipeline(queries, .prepared, bracket: $1) }
  }

  // MARK: - State

  /// Whether the session is in a transaction, and whether it can be used at all.
  public nonisolated var transactionStatus: TransactionStatus {
    session.withLock { $0.condition }
  }

  /// False once the connection is closed or has broken.
  public nonisolated var isHealthy: Bool { transactionStatus != .closed }

  /// The server's version as a number: 150018 is 15.18.
  public nonisolated var serverVersion: Int { session.withLock { $0.serverVersion } }

  /// Whether the server has sent something unasked. On an idle connection that is nearly always its
  /// goodbye. Only for the one who has the connection to himself.
  nonisolated var hasUnreadInput: Bool {
    let (condition, socket) = session.withLock { ($0.condition, $0.socket) }
    guard condition == .idle else { return true }
    var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    return poll(&descriptor, 1, 0) != 0
  }

  // MARK: - How a statement is executed

  /// Executes `operation` on the connection's thread, to the end, while the task can cancel it.
  ///
  /// There is no suspension between the first line and the last, so nothing else happens on this
  /// connection meanwhile.
  func perform<Result>(
    ignoringCancellation: Bool = false, within copy: CopyInProgress? = nil,
    _ operation: (Wire, _ bracket: [String]) throws -> Result
  ) async throws -> Result {
    if ignoringCancellation {
      return try settled(within: copy, wasCancelled: { false }, operation)
    }
    let ticket = canceller.arm()
    var isArmed = true
    defer { if isArmed { canceller.disarm() } }
    return try await withTaskCancellationHandler {
      guard !Task.isCancelled else { throw Connection.cancelled }
      return try settled(
        within: copy,
        wasCancelled: {
          isArmed = false
          return canceller.disarm()
        }, operation)
    } onCancel: {
      canceller.cancel(ticket)
    }
  }

  static let cancelled = PostgresError(.cancelled, "the task was cancelled")

  private func settled<Result>(
    within copy: CopyInProgress?, wasCancelled: () -> Bool,
    _ operation: (Wire, [String]) throws -> Result
  ) throws -> Result {
    let wire = try availableWire(within: copy)
    let bracket = copy == nil ? session.withLock { $0.takeBracket() } : []
    wire.hasSent = false
    defer { settle(wire) }
    do {
      let result = try operation(wire, bracket)
      _ = wasCancelled()
      return result
    } catch let error as PostgresError {
      // What was not sent is still to travel with the next statement.
      if !wire.hasSent { session.withLock { $0.bracket = bracket + $0.bracket } }
      let isCancelled = wasCancelled() && error.sqlState == .queryCanceled
      throw isCancelled ? Connection.cancelled : error
    }
  }

  private func availableWire(within copy: CopyInProgress?) throws -> Wire {
    guard let wire else {
      throw PostgresError(.connectionLost, "the connection to the server is closed")
    }
    guard !session.withLock({ $0.isCommitted }) else {
      throw PostgresError(.misuse, "the transaction has been committed")
    }
    guard self.copy != copy else { return wire }
    if case .fromServer(let number) = self.copy,
      session.withLock({ $0.abandonedCopy }) == number
    {
      try leaveCopy(wire)
      return wire
    }
    throw PostgresError(
      .misuse, copy == nil ? "a COPY is in progress on this connection" : "the COPY has ended")
  }

  /// Cancels the rest of a COPY from the server, and reads what has come of it.
  private func leaveCopy(_ wire: Wire) throws {
    copy = nil
    guard wire.transactionStatus == PQTRANS_ACTIVE else { return }
    // Cancelling would abort a transaction; there the rest is read instead.
    if !session.withLock({ $0.isTransactionOpen }) { canceller.cancelNow() }
    try wire.leaveCopy(PGRES_COPY_OUT)
    while try wire.nextResult() != nil {}
  }

  /// Notes in what state the statement has left the session, and lets go of a broken connection.
  private func settle(_ wire: Wire) {
    let condition = wire.isBroken ? .closed : TransactionStatus(wire.transactionStatus)
    session.withLock { $0.condition = condition }
    if condition == .closed { self.wire = nil }
  }
}
