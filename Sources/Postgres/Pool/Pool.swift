import Foundation
import Logging

/// A bounded set of connections to one server, lent to one task at a time.
///
/// ```swift
/// let pool = Pool(ConnectionSettings(conninfo: url), size: 8)
/// try await pool.transaction(retrying: .standard) { transaction in … }
/// ```
///
/// What is lent when, and to whom, ``PoolState`` decides; this class carries it out. Connections
/// are opened when they are needed. Nothing of a session's state is reset between two users except
/// that an open transaction is rolled back: do not leave `SET`s, temporary tables or advisory locks
/// behind.
public final class Pool: Sendable {
  private let settings: ConnectionSettings
  private let acquireTimeout: Duration
  private let statementCapacity: Int
  private let logger: Logger?
  private let inner: Locked<Inner>
  private let start = ContinuousClock.now

  private struct Inner {
    var state: PoolState
    var connections: [PoolState.ConnectionID: Connection] = [:]
    var waiters: [PoolState.WaiterID: Waiter] = [:]
    var draining: [CheckedContinuation<Void, Never>] = []
    var lastWaiter = 0
    /// Why a connection could last not be opened.
    var lastFailure: PostgresError?
    var reaper: Task<Void, Never>?
  }

  private struct Waiter {
    let continuation: CheckedContinuation<Loan, any Error>
    var timer: Task<Void, Never>?
  }

  private struct Loan: Sendable {
    let id: PoolState.ConnectionID
    let connection: Connection
  }

  /// - Parameters:
  ///   - size: how many connections there may be at once
  ///   - acquireTimeout: how long to wait for one
  ///   - idleTimeout: how long one may stay unused before it is closed
  ///   - maximumAge: how old one may grow; bounds what a session of the server gathers
  ///   - checkAfter: after how long unused one is tried before it is lent
  ///   - statementCapacity: how many prepared statements each keeps
  public init(
    _ settings: ConnectionSettings, size: Int = 8, acquireTimeout: Duration = .seconds(10),
    idleTimeout: Duration = .seconds(60), maximumAge: Duration = .seconds(3600),
    checkAfter: Duration = .seconds(5), statementCapacity: Int = 256, logger: Logger? = nil
  ) {
    self.settings = settings
    self.acquireTimeout = acquireTimeout
    self.statementCapacity = statementCapacity
    self.logger = logger
    let limits = PoolState.Limits(
      size: size, idleTimeout: idleTimeout, maximumAge: maximumAge, checkAfter: checkAfter,
      reconnectDelay: .milliseconds(100))
    inner = Locked(Inner(state: PoolState(limits: limits)))
  }

  deinit { inner.withLock { $0.reaper?.cancel() } }

  // MARK: - Use

  /// Lends a connection to `body`. A transaction that `body` leaves open is rolled back.
  ///
  /// - Throws: what `body` throws; `connectionFailed` when none can be opened, `poolTimeout` when
  ///   none comes free in time, `poolClosed`, `cancelled`.
  @discardableResult
  public nonisolated(nonsending) func withConnection<Value>(
    _ body: (Connection) async throws -> Value
  ) async throws -> Value {
    let loan = try await acquire()
    do {
      let value = try await body(loan.connection)
      await giveBack(loan)
      return value
    } catch {
      await giveBack(loan)
      throw error
    }
  }

  /// Executes `body` in a transaction on a connection of the pool.
  ///
  /// - Parameters:
  ///   - retrying: when to begin again. `body` is then called again from its beginning: what it
  ///     does outside of the database it does again.
  @discardableResult
  public nonisolated(nonsending) func transaction<Value>(
    _ isolation: Isolation = .readCommitted, readOnly: Bool = false,
    retrying policy: RetryPolicy = .none,
    _ body: (borrowing Transaction) async throws -> Value
  ) async throws -> Value {
    var attempt = 1
    while true {
      do {
        return try await withConnection {
          try await $0.transaction(isolation, readOnly: readOnly, body)
        }
      } catch  where policy.retries(error, afterAttempt: attempt) && !Task.isCancelled {
        logger?.debug("attempt \(attempt) failed and is repeated: \(error)")
        // The connection has been given back: others may use it meanwhile.
        let delay = policy.delay(afterAttempt: attempt, random: .random(in: 0..<1))
        guard (try? await Task.sleep(for: delay)) != nil else { throw Connection.cancelled }
        attempt += 1
      }
    }
  }

  /// Lends no more connections, and waits until those that are lent have come back.
  public func close() async {
    await withCheckedContinuation { continuation in
      let actions = inner.withLock { inner in
        inner.draining.append(continuation)
        inner.reaper?.cancel()
        return inner.state.close()
      }
      carryOut(actions)
    }
  }

  // MARK: - Lending

  private nonisolated(nonsending) func acquire() async throws -> Loan {
    let id = inner.withLock { inner in
      inner.lastWaiter += 1
      return inner.lastWaiter
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let actions = inner.withLock { inner in
          inner.waiters[id] = Waiter(continuation: continuation)
          // Cancelled before there was anything to cancel: the handler has found nothing.
          guard !Task.isCancelled else {
            return [PoolState.Action.fail(id, .cancelled)]
          }
          return inner.state.acquire(id, now: now)
        }
        carryOut(actions)
        startTimer(of: id)
      }
    } onCancel: {
      carryOut(inner.withLock { $0.state.giveUp(id, .cancelled) })
    }
  }

  private nonisolated(nonsending) func giveBack(_ loan: Loan) async {
    let status = loan.connection.transactionStatus
    if status != .idle, status != .closed { await loan.connection.rollBack() }
    let isHealthy = loan.connection.transactionStatus == .idle
    carryOut(
      inner.withLock { $0.state.release(loan.id, isHealthy: isHealthy, now: now) })
    startReaper()
  }

  /// Only for those who really have to wait; most are served before.
  private func startTimer(of id: PoolState.WaiterID) {
    inner.withLock { inner in
      guard inner.waiters[id] != nil else { return }
      inner.waiters[id]?.timer = Task { [weak self, acquireTimeout] in
        guard (try? await Task.sleep(for: acquireTimeout)) != nil, let self else { return }
        carryOut(self.inner.withLock { $0.state.giveUp(id, .timeout) })
      }
    }
  }

  // MARK: - Carrying out

  private var now: Duration { start.duration(to: .now) }

  private func carryOut(_ actions: [PoolState.Action]) {
    for action in actions { carryOut(action) }
  }

  private func carryOut(_ action: PoolState.Action) {
    switch action {
    case .lend(let id, let waiter): lend(id, to: waiter)
    case .fail(let waiter, let failure): fail(waiter, failure)
    case .connect(let id, let delay): Task { await connect(id, after: delay) }
    case .check(let id): Task { await check(id) }
    case .close(let id): discard(id)
    case .drained:
      let draining = inner.withLock { inner in
        defer { inner.draining.removeAll() }
        return inner.draining
      }
      for continuation in draining { continuation.resume() }
    }
  }

  private func lend(_ id: PoolState.ConnectionID, to waiter: PoolState.WaiterID) {
    let connection = inner.withLock { $0.connections[id] }
    guard let connection, !connection.hasUnreadInput else {
      carryOut(inner.withLock { $0.state.suspect(id, for: waiter, now: now) })
      return
    }
    let served = inner.withLock { $0.waiters.removeValue(forKey: waiter) }
    served?.timer?.cancel()
    served?.continuation.resume(returning: Loan(id: id, connection: connection))
  }

  private func fail(_ waiter: PoolState.WaiterID, _ failure: PoolState.Failure) {
    let (failed, reason) = inner.withLock {
      ($0.waiters.removeValue(forKey: waiter), $0.lastFailure)
    }
    failed?.timer?.cancel()
    failed?.continuation.resume(throwing: error(failure, reason))
  }

  private func error(_ failure: PoolState.Failure, _ reason: PostgresError?) -> PostgresError {
    switch failure {
    case .cancelled: return Connection.cancelled
    case .poolClosed: return PostgresError(.poolClosed, "the pool of connections is closed")
    case .connectionFailed:
      return reason ?? PostgresError(.connectionFailed, "no connection could be made")
    case .timeout:
      var error = PostgresError(
        .poolTimeout, "no connection came free within \(acquireTimeout)")
      error.detail = reason.map { "The last attempt to connect failed: \($0.message)" }
      return error
    }
  }

  private func connect(_ id: PoolState.ConnectionID, after delay: Duration) async {
    do {
      if delay > .zero { try await Task.sleep(for: delay) }
      let connection = try await Connection.connect(
        settings, statementCapacity: statementCapacity, logger: logger)
      let actions = inner.withLock { inner in
        inner.connections[id] = connection
        inner.lastFailure = nil
        return inner.state.connected(id, now: now)
      }
      carryOut(actions)
    } catch {
      let failure = error as? PostgresError
      let actions = inner.withLock { inner in
        inner.lastFailure = failure
        return inner.state.connectFailed(
          id, isServerStarting: failure?.sqlState == .cannotConnectNow, now: now)
      }
      carryOut(actions)
    }
  }

  private func check(_ id: PoolState.ConnectionID) async {
    let connection = inner.withLock { $0.connections[id] }
    let answer = try? await connection?.query("SELECT 1")
    carryOut(
      inner.withLock { $0.state.checked(id, isHealthy: answer != nil, now: now) })
  }

  private func discard(_ id: PoolState.ConnectionID) {
    guard let connection = inner.withLock({ $0.connections.removeValue(forKey: id) }) else {
      return
    }
    Task { await connection.close() }
  }

  /// Closes idle connections in time, for as long as the pool exists.
  private func startReaper() {
    inner.withLock { inner in
      guard inner.reaper == nil, !inner.state.isClosed else { return }
      let period = inner.state.limits.idleTimeout / 2
      inner.reaper = Task { [weak self] in
        while (try? await Task.sleep(for: period)) != nil {
          guard let self else { return }
          carryOut(self.inner.withLock { $0.state.tick(now: self.now) })
        }
      }
    }
  }
}
