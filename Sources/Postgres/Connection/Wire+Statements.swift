import CLibPQ
import Foundation

extension Wire {
  /// How a statement gets to the server.
  enum Mode {
    /// Parsed now and forgotten.
    case parsed
    /// Prepared when it is first used, in the same round trip.
    case prepared
  }

  /// One statement, in one round trip.
  ///
  /// - Parameter bracket: statements without parameters (`BEGIN`, `SAVEPOINT …`) to be executed
  ///   before it, in the same round trip.
  func execute(_ query: Query, _ mode: Mode, bracket: [String]) throws -> Rows {
    if bracket.isEmpty, let rows = try executeAlone(query, mode) { return rows }
    do {
      return try pipeline([query], mode, bracket: bracket)[0]
    } catch var error as PostgresError {
      error.statementIndex = nil
      throw error
    }
  }

  /// The short way, without libpq's pipeline mode.
  /// - Returns: nil where there is none, because the statement has yet to be prepared.
  private func executeAlone(_ query: Query, _ mode: Mode) throws -> Rows? {
    switch mode {
    case .parsed:
      try check(query)
      try send(query)
      return Rows(result: try onlyResult())
    case .prepared:
      let key = StatementCache.Key(query)
      guard let name = statements.name(of: key) else { return nil }
      try send(query, prepared: name)
      do {
        return Rows(result: try onlyResult())
      } catch let error as PostgresError where error.isStalePlan {
        statements.evict(key)
        // Within a transaction the error has aborted it, and only its owner can begin again.
        guard transactionStatus == PQTRANS_IDLE else { throw error }
        return nil
      }
    }
  }

  /// Several statements separated by semicolons, by the simple protocol.
  func script(_ sql: String, bracket: [String] = []) throws {
    try check(Query(text: sql))
    for text in bracket { try script(text) }
    hasSent = true
    guard PQsendQuery(connection, sql) == 1 else { throw refusal() }
    _ = try onlyResult()
  }

  func check(_ query: Query) throws {
    guard query.binds.count <= Int(UInt16.max) else {
      throw PostgresError(
        .misuse, "a statement takes 65535 parameters, not \(query.binds.count); use an array")
    }
    guard !query.text.utf8.contains(0) else {
      throw PostgresError(.misuse, "the text of a statement contains the character NUL")
    }
  }

  func send(_ query: Query) throws {
    hasSent = true
    let sent = parameters.with(query.binds) { count, types, values, lengths, formats in
      PQsendQueryParams(connection, query.text, count, types, values, lengths, formats, 1)
    }
    guard sent == 1 else { throw refusal() }
  }

  func send(_ query: Query, prepared name: String) throws {
    hasSent = true
    let sent = parameters.with(query.binds) { count, _, values, lengths, formats in
      PQsendQueryPrepared(connection, name, count, values, lengths, formats, 1)
    }
    guard sent == 1 else { throw refusal() }
  }

  func sendPreparation(of query: Query, as name: String) throws {
    let sent = parameters.with(query.binds) { count, types, _, _, _ in
      PQsendPrepare(connection, name, query.text, count, types)
    }
    guard sent == 1 else { throw refusal() }
  }
}
