/// What a transaction sees of others (manual, 13.2).
public enum Isolation: Sendable, Hashable {
  case readCommitted, repeatableRead, serializable

  var sql: String {
    switch self {
    case .readCommitted: "READ COMMITTED"
    case .repeatableRead: "REPEATABLE READ"
    case .serializable: "SERIALIZABLE"
    }
  }
}

/// A transaction in progress. It cannot be copied, so it cannot escape the closure it is lent to.
public struct Transaction: ~Copyable, Sendable {
  let connection: Connection
  public let isolation: Isolation

  /// See ``Connection/query(_:)``.
  @discardableResult
  public func query(_ query: Query) async throws -> Rows { try await connection.query(query) }

  /// See ``Connection/prepared(_:)``.
  @discardableResult
  public func prepared(_ query: Query) async throws -> Rows { try await connection.prepared(query) }

  /// See ``Connection/execute(_:)``.
  @discardableResult
  public func execute(_ query: Query) async throws -> Int { try await connection.execute(query) }

  /// See ``Connection/pipeline(_:)``.
  public func pipeline(_ queries: [Query]) async throws -> [Rows] {
    try await connection.pipeline(queries)
  }

  /// See ``Connection/script(_:)``.
  public func script(_ sql: String) async throws { try await connection.script(sql) }

  /// See ``Connection/copyIn(_:_:)``.
  @discardableResult
  public func copyIn(_ sql: String, _ body: (inout CopyWriter) async throws -> Void) async throws
    -> Int
  {
    try await connection.copyIn(sql, body)
  }

  /// Runs `body` in a savepoint: what it did is undone when it throws, and the transaction can go on.
  public func savepoint<T: Sendable>(_ body: () async throws -> T) async throws -> T {
    try await connection.script("SAVEPOINT step")
    do {
      let value = try await body()
      try await connection.script("RELEASE SAVEPOINT step")
      return value
    } catch {
      try await connection.script("ROLLBACK TO SAVEPOINT step; RELEASE SAVEPOINT step")
      throw error
    }
  }
}
