/// What a ``Pool`` knows and decides, without sockets, clocks or tasks: an event goes in, what is
/// to be done comes out.
///
/// The rules:
/// - there are never more than `size` connections, those being opened included;
/// - whoever waited longest is served first;
/// - the connection used last is lent first, so that those not needed grow old and are closed;
/// - one that has been idle for longer than `checkAfter` is checked before it is lent;
/// - a connection that cannot be opened fails the one waiter it was opened for, unless the server
///   is only starting: then it is tried again for as long as somebody waits.
///
/// Time is a duration since whatever moment the caller likes.
struct PoolState {
  typealias ConnectionID = Int
  typealias WaiterID = Int

  struct Limits: Sendable, Hashable {
    var size: Int
    /// How long a connection may stay unused before it is closed.
    var idleTimeout: Duration
    /// How old a connection may grow.
    var maximumAge: Duration
    /// After how long unused a connection is checked before it is lent.
    var checkAfter: Duration
    /// How long to wait before connecting again to a server that is starting.
    var reconnectDelay: Duration
  }

  /// What is to be done.
  enum Action: Hashable {
    case lend(ConnectionID, to: WaiterID)
    case fail(WaiterID, Failure)
    case connect(ConnectionID, after: Duration)
    case check(ConnectionID)
    case close(ConnectionID)
    /// The pool is closed and nothing is left of it.
    case drained
  }

  /// Why a waiter gets no connection.
  enum Failure: Hashable {
    case timeout, cancelled, poolClosed, connectionFailed
  }

  private enum Stage: Equatable {
    case connecting
    case idle(since: Duration)
    case checking
    case lent
  }

  private struct Member {
    var stage: Stage
    var openedAt: Duration
  }

  let limits: Limits
  private var members: [ConnectionID: Member] = [:]
  /// Idle connections, the one used last at the end.
  private var idle: [ConnectionID] = []
  /// In the order in which they are to be served.
  private var waiters: [WaiterID] = []
  private var lastConnection = 0
  private(set) var isClosed = false

  init(limits: Limits) {
    precondition(limits.size > 0, "a pool needs room for at least one connection")
    self.limits = limits
  }

  /// How many connections there are, those being opened included.
  var count: Int { members.count }
  var waiterCount: Int { waiters.count }
  var idleCount: Int { idle.count }

  // MARK: - What waiters do

  mutating func acquire(_ waiter: WaiterID, now: Duration) -> [Action] {
    guard !isClosed else { return [.fail(waiter, .poolClosed)] }
    waiters.append(waiter)
    return serve(now)
  }

  /// A waiter has waited for long enough, or its task was cancelled. Nothing happens when it was
  /// served in the meantime.
  mutating func giveUp(_ waiter: WaiterID, _ failure: Failure) -> [Action] {
    guard let index = waiters.firstIndex(of: waiter) else { return [] }
    waiters.remove(at: index)
    return [.fail(waiter, failure)]
  }

  /// A connection comes back.
  mutating func release(_ connection: ConnectionID, isHealthy: Bool, now: Duration) -> [Action] {
    settle(connection, isHealthy: isHealthy, now)
  }

  /// A connection that was to be lent looks as if the server had hung up. It is checked, and the
  /// waiter is the next to be served again.
  mutating func suspect(
    _ connection: ConnectionID, for waiter: WaiterID, now: Duration
  ) -> [Action] {
    guard members[connection]?.stage == .lent else { return [] }
    members[connection]?.stage = .checking
    guard !isClosed else { return [.check(connection), .fail(waiter, .poolClosed)] }
    waiters.insert(waiter, at: 0)
    return [.check(connection)] + serve(now)
  }

  // MARK: - What connections do

  mutating func connected(_ connection: ConnectionID, now: Duration) -> [Action] {
    members[connection]?.openedAt = now
    return settle(connection, isHealthy: true, now)
  }

  mutating func connectFailed(
    _ connection: ConnectionID, isServerStarting: Bool, now: Duration
  ) -> [Action] {
    guard members[connection]?.stage == .connecting else { return [] }
    if isServerStarting, !waiters.isEmpty {
      return [.connect(connection, after: limits.reconnectDelay)]
    }
    members[connection] = nil
    guard !waiters.isEmpty else { return drainedActions() }
    return [.fail(waiters.removeFirst(), .connectionFailed)] + serve(now)
  }

  mutating func checked(_ connection: ConnectionID, isHealthy: Bool, now: Duration) -> [Action] {
    settle(connection, isHealthy: isHealthy, now)
  }

  // MARK: - Time and the end

  /// To be called now and then: closes what has been idle for too long.
  mutating func tick(now: Duration) -> [Action] {
    let expired = idle.filter { id in
      guard let member = members[id], case .idle(let since) = member.stage else { return false }
      return now - since >= limits.idleTimeout || isAged(member, now)
    }
    idle.removeAll { expired.contains($0) }
    return expired.map { discard($0) }
  }

  mutating func close() -> [Action] {
    guard !isClosed else { return drainedActions() }
    isClosed = true
    let failures = waiters.map { Action.fail($0, .poolClosed) }
    waiters.removeAll()
    let closed = idle.map { discard($0) }
    idle.removeAll()
    return failures + closed + drainedActions()
  }

  // MARK: - Decisions

  private mutating func settle(
    _ connection: ConnectionID, isHealthy: Bool, _ now: Duration
  ) -> [Action] {
    guard let member = members[connection] else { return [] }
    guard isHealthy, !isClosed, !isAged(member, now) else {
      return [discard(connection)] + (isClosed ? drainedActions() : serve(now))
    }
    members[connection]?.stage = .idle(since: now)
    idle.append(connection)
    return serve(now)
  }

  private mutating func serve(_ now: Duration) -> [Action] {
    var actions: [Action] = []
    // A connection being checked or opened is for one waiter; the others are to get another.
    while waiters.count > pendingCount, let connection = idle.popLast() {
      actions.append(offer(connection, now))
    }
    while waiters.count > pendingCount, members.count < limits.size {
      lastConnection += 1
      members[lastConnection] = Member(stage: .connecting, openedAt: now)
      actions.append(.connect(lastConnection, after: .zero))
    }
    return actions
  }

  private mutating func offer(_ connection: ConnectionID, _ now: Duration) -> Action {
    guard let member = members[connection], !isAged(member, now) else { return discard(connection) }
    if case .idle(let since) = member.stage, now - since >= limits.checkAfter {
      members[connection]?.stage = .checking
      return .check(connection)
    }
    members[connection]?.stage = .lent
    return .lend(connection, to: waiters.removeFirst())
  }

  /// Connections that will be there for a waiter.
  private var pendingCount: Int {
    members.values.count { $0.stage == .connecting || $0.stage == .checking }
  }

  private func isAged(_ member: Member, _ now: Duration) -> Bool {
    now - member.openedAt >= limits.maximumAge
  }

  private mutating func discard(_ connection: ConnectionID) -> Action {
    members[connection] = nil
    return .close(connection)
  }

  private func drainedActions() -> [Action] { isClosed && members.isEmpty ? [.drained] : [] }
}
