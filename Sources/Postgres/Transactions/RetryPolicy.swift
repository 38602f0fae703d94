/// Which failed transactions are begun again, how often, and after how long.
///
/// Delays grow exponentially and are drawn evenly from zero to their bound ("full jitter"), so that
/// transactions that met once do not meet again.
public struct RetryPolicy: Sendable, Hashable {
  /// How often a transaction is tried in all; 1 is once.
  public var attempts: Int
  public var sqlStates: Set<SQLState>
  /// Whether to begin again after a lost connection. Only for transactions that do not write: a lost
  /// connection does not say whether the transaction was committed.
  public var retriesLostConnections: Bool
  /// The bound of the delay after the first attempt.
  public var baseDelay: Duration
  public var maximumDelay: Duration

  public init(
    attempts: Int, sqlStates: Set<SQLState> = [.serializationFailure, .deadlockDetected],
    retriesLostConnections: Bool = false, baseDelay: Duration = .milliseconds(10),
    maximumDelay: Duration = .seconds(1)
  ) {
    self.attempts = attempts
    self.sqlStates = sqlStates
    self.retriesLostConnections = retriesLostConnections
    self.baseDelay = baseDelay
    self.maximumDelay = maximumDelay
  }

  /// Once and no more.
  public static let none = RetryPolicy(attempts: 1)
  /// What the server aborts for the sake of another transaction, twenty times in all.
  public static let standard = RetryPolicy(attempts: 20)
  /// ``standard``, and after a lost connection too.
  public static let readOnly = RetryPolicy(attempts: 6, retriesLostConnections: true)

  /// Whether a transaction that failed with `error` is to be begun again.
  /// - Parameter attempt: how many attempts there have been, the failed one included
  public func retries(_ error: any Error, afterAttempt attempt: Int) -> Bool {
    guard attempt < attempts, let error = error as? PostgresError else { return false }
    if error.isStalePlan || error.isClashOfNames { return true }
    switch error.kind {
    case .server: return error.sqlState.map(sqlStates.contains) ?? false
    case .connectionLost: return retriesLostConnections
    default: return false
    }
  }

  /// How long to wait before the next attempt.
  /// - Parameters:
  ///   - attempt: how many attempts there have been, from 1
  ///   - random: evenly distributed from 0 to 1
  public func delay(afterAttempt attempt: Int, random: Double) -> Duration {
    // Twenty doublings are a million: beyond any maximum worth having.
    let doublings = min(max(attempt - 1, 0), 20)
    let bound = min(baseDelay * (1 << doublings), maximumDelay)
    return bound * min(max(random, 0), 1)
  }
}
