import Logging
import Synchronization

/// A bounded number of connections, lent one at a time to one task each.
///
/// Connections are opened when they are needed. One that broke is thrown away; one that has been idle is checked before
/// it is lent, so a server that was restarted is noticed and the next connection is new.
public final class Pool: Sendable {
  public let settings: ConnectionSettings
  private let acquireTimeout: Duration
  private let logger: Logger
  private let shared: Mutex<Shared>

  private struct Shared {
    var state: PoolState<Connection>
    var continuations: [Int: CheckedContinuation<Grant, any Error>] = [:]
  }

  private enum Grant: Sendable {
    case use(Connection)
    case check(Connection)
    case open
  }

  /// - Parameters:
  ///   - size: the most connections at a time.
  ///   - acquireTimeout: how long a task waits for one.
  public init(
    _ settings: ConnectionSettings, size: Int = 8, acquireTimeout: Duration = .seconds(30),
    logger: Logger = Logger(label: "postgres.pool")
  ) {
    self.settings = settings
    self.acquireTimeout = acquireTimeout
    self.logger = logger
    shared = Mutex(Shared(state: PoolState(size: size, checkAfter: 5)))
  }

  /// Lends a connection to `body`.
  /// - Throws: ``PostgresError`` of kind `timeout` when none became free in time.
  public func withConnection<T: Sendable>(
    _ body: (Connection) async throws -> T
  ) async throws -> T {
    let connection = try await acquire()
    do {
      let value = try await body(connection)
      await release(connection)
      return value
    } catch {
      await release(connection)
      throw error
    }
  }

  /// Runs `body` in a transaction; see ``Connection/transaction(_:readOnly:retrying:_:)``.
  public func transaction<T: Sendable>(
    _ isolation: Isolation = .readCommitted, readOnly: Bool = false, retrying: RetryPolicy = .none,
    _ body: (borrowing Transaction) async throws -> T
  ) async throws -> T {
    try await withConnection {
      try await $0.transaction(isolation, readOnly: readOnly, retrying: retrying, body)
    }
  }

  /// Closes the connections that nobody uses, and the others when they come back.
  public func close() async {
    let (idle, waiting) = shared.withLock { shared in
      let (idle, waiting) = shared.state.close()
      return (idle, waiting.compactMap { shared.continuations.removeValue(forKey: $0) })
    }
    for waiter in waiting { waiter.resume(throwing: PostgresError(.poolClosed, "the pool is closed")) }
    for connection in idle { await connection.close() }
  }

  // MARK: Effects

  private func acquire() async throws -> Connection {
    switch try await grant() {
    case .use(let connection): return connection
    case .check(let connection):
      if await connection.isAlive { return connection }
      await connection.close()
      return try await open()
    case .open: return try await open()
    }
  }

  private func open() async throws -> Connection {
    do {
      return try await Connection.connect(settings, logger: logger)
    } catch {
      lost()
      throw error
    }
  }

  /// What the state decides, at once or when a waiter's turn comes.
  private func grant() async throws -> Grant {
    let ticket = Mutex<Int?>(nil)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let waiter = shared.withLock { shared -> Int? in
          switch shared.state.acquire(now: Self.now) {
          case .lend(let connection): continuation.resume(returning: .use(connection))
          case .check(let connection): continuation.resume(returning: .check(connection))
          case .open: continuation.resume(returning: .open)
          case .refuse: continuation.resume(throwing: PostgresError(.poolClosed, "the pool is closed"))
          case .wait(let waiter):
            shared.continuations[waiter] = continuation
            return waiter
          }
          return nil
        }
        guard let waiter else { return }
        ticket.withLock { $0 = waiter }
        if Task.isCancelled { abandon(waiter, PostgresError(.cancelled, "the task was cancelled")) }
        Task { [acquireTimeout] in
          try await Task.sleep(for: acquireTimeout)
          self.abandon(
            waiter, PostgresError(.timeout, "no connection became free in \(acquireTimeout)"))
        }
      }
    } onCancel: {
      guard let waiter = ticket.withLock({ $0 }) else { return }
      abandon(waiter, PostgresError(.cancelled, "the task was cancelled"))
    }
  }

  private func abandon(_ waiter: Int, _ error: PostgresError) {
    let continuation = shared.withLock { shared in
      shared.state.abandon(waiter) ? shared.continuations.removeValue(forKey: waiter) : nil
    }
    continuation?.resume(throwing: error)
  }

  private func release(_ connection: Connection) async {
    guard await connection.isIdle else {
      await connection.close()
      lost()
      return
    }
    let (action, continuation) = shared.withLock { shared in
      let action = shared.state.release(connection, now: Self.now)
      guard case .hand(let waiter) = action else { return (action, nil as CheckedContinuation<Grant, any Error>?) }
      return (action, shared.continuations.removeValue(forKey: waiter))
    }
    continuation?.resume(returning: .use(connection))
    if case .close = action { await connection.close() }
  }

  private func lost() {
    let continuation = shared.withLock { shared in
      shared.state.lost().flatMap { shared.continuations.removeValue(forKey: $0) }
    }
    continuation?.resume(returning: .open)
  }

  private static var now: Double {
    let elapsed = ContinuousClock.now - epoch
    return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
  }

  private static let epoch = ContinuousClock.now
}

extension Connection {
  /// Whether the server answers.
  var isAlive: Bool {
    get async { (try? await script("")) != nil }
  }
}
