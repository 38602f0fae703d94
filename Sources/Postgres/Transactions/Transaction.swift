/// A transaction in progress. It exists only within the closure it is handed to: letting it escape
/// is a compile error.
///
/// Its methods are those of ``Connection``. They run where their caller runs, so that a statement
/// costs one change of thread and back.
public struct Transaction: ~Copyable, Sendable {
  let connection: Connection
  /// What the transaction sees of others.
  public let isolation: Isolation

  /// See ``Connection/query(_:)``.
  public nonisolated(nonsending) func query(_ query: Query) async throws -> Rows {
    try await connection.query(query)
  }

  /// See ``Connection/prepared(_:)``.
  @discardableResult
  public nonisolated(nonsending) func prepared(_ query: Query) async throws -> Rows {
    try await connection.prepared(query)
  }

  /// See ``Connection/execute(_:)``.
  @discardableResult
  public nonisolated(nonsending) func execute(_ query: Query) async throws -> Int {
    try await connection.execute(query)
  }

  /// See ``Connection/script(_:)``. The script must not end the transaction.
  public nonisolated(nonsending) func script(_ sql: String) async throws {
    try await connection.script(sql)
  }

  /// See ``Connection/pipeline(_:)``.
  @discardableResult
  public nonisolated(nonsending) func pipeline(_ queries: [Query]) async throws -> [Rows] {
    try await connection.pipeline(queries)
  }

  /// Executes the last statements of the transaction and commits it, all in one round trip. Nothing
  /// can be executed in the transaction afterwards.
  /// - Throws: as ``Connection/pipeline(_:)``; nothing is committed then.
  @discardableResult
  public nonisolated(nonsending) func commit(after queries: [Query]) async throws -> [Rows] {
    try await connection.commit(after: queries)
  }

  /// See ``Connection/copyIn(_:_:)``.
  @discardableResult
  public nonisolated(nonsending) func copyIn(
    _ sql: String, _ body: (borrowing CopyWriter) async throws -> Void
  ) async throws -> Int {
    try await connection.copyIn(sql, body)
  }

  /// See ``Connection/copyOut(_:)``. To be read before the transaction ends.
  public func copyOut(_ sql: String) -> CopyOut { connection.copyOut(sql) }

  /// A part that can fail without the whole: when `body` throws, what it did is undone, and the
  /// transaction can go on if the caller catches the error.
  @discardableResult
  public nonisolated(nonsending) func savepoint<Value>(
    _ body: (borrowing Transaction) async throws -> Value
  ) async throws -> Value {
    let name = connection.session.withLock { $0.openSavepoint() }
    do {
      let value = try await body(self)
      connection.session.withLock { $0.releaseSavepoint(name) }
      return value
    } catch {
      try? await connection.rollBack(to: name)
      throw error
    }
  }
}
