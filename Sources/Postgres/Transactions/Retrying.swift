extension Connection {
  /// As ``prepared(_:)``, outside a transaction, and again as the policy says.
  public nonisolated(nonsending) func prepared(_ query: Query, retrying policy: RetryPolicy)
    async throws -> Rows
  {
    try await policy.run { try await prepared(query) }
  }

  /// As ``transaction(_:readOnly:_:)``, and again as the policy says, on this connection.
  @discardableResult
  public nonisolated(nonsending) func transaction<Value>(
    _ isolation: Isolation = .readCommitted, readOnly: Bool = false, retrying policy: RetryPolicy,
    _ body: (borrowing Transaction) async throws -> Value
  ) async throws -> Value {
    try await policy.run { try await transaction(isolation, readOnly: readOnly, body) }
  }
}

extension RetryPolicy {
  /// A batch also meets rows that somebody else has just inserted; the next attempt sees them.
  public static let batch = RetryPolicy(
    attempts: 20, sqlStates: [.serializationFailure, .deadlockDetected, .uniqueViolation])

  /// For schema changes with a lock time-out.
  public static let lockTimeout = RetryPolicy(
    attempts: 30, sqlStates: [.lockNotAvailable, .deadlockDetected], baseDelay: .milliseconds(50))

  /// Runs `body` until it succeeds, or fails in a way that another attempt will not change.
  nonisolated(nonsending) func run<Value>(_ body: () async throws -> Value) async throws -> Value {
    var attempt = 1
    while true {
      do {
        return try await body()
      } catch  where retries(error, afterAttempt: attempt) && !Task.isCancelled {
        try await Task.sleep(for: delay(afterAttempt: attempt, random: .random(in: 0..<1)))
        attempt += 1
      }
    }
  }
}
