import CLibPQ

extension Connection {
  /// Executes `body` in a transaction: committed when it returns, rolled back when it throws or the
  /// task is cancelled.
  ///
  /// `BEGIN` travels with the first statement; a transaction without statements costs nothing.
  ///
  /// ```swift
  /// try await connection.transaction { transaction in
  ///   try await transaction.execute("UPDATE …")
  /// }
  /// ```
  /// - Throws: what `body` throws; `transactionAborted` when `body` kept the error of a statement
  ///   to itself; `commitUnknown` when the connection broke during the COMMIT.
  @discardableResult
  public nonisolated(nonsending) func transaction<Value>(
    _ isolation: Isolation = .readCommitted, readOnly: Bool = false,
    _ body: (borrowing Transaction) async throws -> Value
  ) async throws -> Value {
    let begin = "BEGIN ISOLATION LEVEL \(isolation.sql)" + (readOnly ? " READ ONLY" : "")
    guard transactionStatus == .idle, session.withLock({ $0.openTransaction(begin) }) else {
      guard isHealthy else {
        throw PostgresError(.connectionLost, "the connection to the server is closed")
      }
      throw PostgresError(
        .misuse, "the connection is in a transaction already; use its savepoint")
    }
    defer { session.withLock { $0.closeTransaction() } }
    do {
      let value = try await body(Transaction(connection: self, isolation: isolation))
      guard !Task.isCancelled || transactionStatus == .idle else { throw Connection.cancelled }
      try await commit()
      return value
    } catch {
      await rollBack()
      throw error
    }
  }

  /// Commits what has been begun; nothing when nothing has.
  private nonisolated(nonsending) func commit() async throws {
    guard transactionStatus != .idle else { return }
    try await sendCommit()
  }

  private func sendCommit() async throws {
    // Not to be cancelled: it would be left open whether it had happened.
    try await perform(ignoringCancellation: true) { wire, _ in
      do {
        _ = try wire.pipeline([], .parsed, bracket: ["COMMIT"])
      } catch let error as PostgresError {
        throw Connection.explained(error)
      }
    }
  }

  func commit(after queries: [Query]) async throws -> [Rows] {
    let rows = try await perform { wire, bracket in
      do {
        return try wire.pipeline(queries, .prepared, bracket: bracket, closing: "COMMIT")
      } catch let error as PostgresError {
        throw Connection.explained(error)
      }
    }
    session.withLock { $0.isCommitted = true }
    return rows
  }

  /// A connection lost with a COMMIT on its way leaves open whether it happened.
  private static func explained(_ error: PostgresError) -> PostgresError {
    guard error.kind == .connectionLost || error.kind == .timeout else { return error }
    var unknown = error
    unknown.kind = .commitUnknown
    unknown.hint = "The transaction may have been committed or not; look before repeating it."
    return unknown
  }

  /// Rolls back whatever is open. A connection that cannot is closed, with the same effect.
  func rollBack() async {
    session.withLock { $0.bracket.removeAll() }
    guard transactionStatus != .idle, transactionStatus != .closed else { return }
    do {
      try await perform(ignoringCancellation: true) { wire, _ in try wire.script("ROLLBACK") }
    } catch {
      close()
    }
  }

  func rollBack(to savepoint: String) async throws {
    guard session.withLock({ !$0.forgetSavepoint(savepoint) }) else { return }
    // What still waits came after the savepoint and is undone with it.
    session.withLock { $0.bracket.removeAll() }
    try await perform(ignoringCancellation: true) { wire, _ in
      try wire.script("ROLLBACK TO SAVEPOINT \(savepoint); RELEASE SAVEPOINT \(savepoint)")
    }
  }
}
