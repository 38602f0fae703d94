/// Which failed transactions are run again, how often, and after how long. A value: it sleeps nowhere.
public struct RetryPolicy: Sendable, Hashable {
  /// The states that mean "nothing was committed, and the same again may succeed".
  public var states: Set<SQLState>
  /// How often a transaction is run in all.
  public var attempts: Int
  /// The upper bound of the first delay; it doubles each time.
  public var firstDelay: Duration
  public var longestDelay: Duration

  public init(
    _ states: Set<SQLState>, attempts: Int = 10, firstDelay: Duration = .milliseconds(5),
    longestDelay: Duration = .seconds(1)
  ) {
    self.states = states
    self.attempts = attempts
    self.firstDelay = firstDelay
    self.longestDelay = longestDelay
  }

  public static let none = RetryPolicy([], attempts: 1)
  /// What PostgreSQL aborts so that others can go on. A lost connection is not here: the commit may have happened.
  public static let transient = RetryPolicy([.serializationFailure, .deadlockDetected])
  /// A batch also meets rows that somebody else has just inserted; the next attempt sees them.
  public static let batch = RetryPolicy([.serializationFailure, .deadlockDetected, .uniqueViolation])
  /// For schema changes with a lock time-out.
  public static let lockTimeout = RetryPolicy(
    [.lockNotAvailable, .deadlockDetected], attempts: 30, firstDelay: .milliseconds(50))

  /// How long to wait before the next attempt; nil when there is none.
  /// - Parameter random: 0 to 1; the delay is that part of the bound (full jitter).
  public func delay(after error: PostgresError, attempt: Int, random: Double) -> Duration? {
    guard let state = error.sqlState, states.contains(state), attempt < attempts else { return nil }
    let bound = min(firstDelay * (1 << min(attempt - 1, 20)), longestDelay)
    return bound * random
  }
}
