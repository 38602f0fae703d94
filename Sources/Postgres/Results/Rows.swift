/// What a statement returned.
///
/// The rows stay where libpq has put them and are read in place; see ``ServerResult`` for why that is
/// safe between threads.
public struct Rows: Sendable, RandomAccessCollection {
  let result: ServerResult

  /// Rows inserted, updated, deleted or selected.
  public var affected: Int { result.affected }

  /// The names of the columns.
  public var columns: [String] { (0..<result.columnCount).map(result.columnName) }

  public var startIndex: Int { 0 }
  public var endIndex: Int { result.rowCount }

  public subscript(position: Int) -> Row {
    precondition(indices.contains(position), "there is no row \(position)")
    return Row(result: result, index: position)
  }

  /// The one row that the statement returned, as values.
  ///
  /// ```swift
  /// let (count, latest) = try rows.only((Int, Timestamp?).self)
  /// ```
  /// - Throws: ``PostgresError`` of the kind `decoding` when there is not exactly one row.
  public func only<each Value: PostgresDecodable>(
    _ types: (repeat each Value).Type
  ) throws -> (repeat each Value) {
    guard count == 1 else {
      throw PostgresError(.decoding, "expected one row, and there are \(count)")
    }
    return try self[0].decode(types)
  }

  /// Every row, as values.
  public func decode<each Value: PostgresDecodable>(
    _ types: (repeat each Value).Type
  ) throws -> [(repeat each Value)] {
    try map { try $0.decode(types) }
  }

  /// The only value of the only row.
  public func only<Value: PostgresDecodable>(_ type: Value.Type) throws -> Value {
    guard count == 1 else {
      throw PostgresError(.decoding, "expected one row, and there are \(count)")
    }
    return try self[0].decode(type)
  }
}
