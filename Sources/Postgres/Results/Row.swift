/// One row of a result.
public struct Row: Sendable {
  let result: ServerResult
  let index: Int

  /// How many columns there are.
  public var count: Int { result.columnCount }

  /// The row's values in the order of its columns, all of them.
  ///
  /// ```swift
  /// let (id, diedAt) = try row.decode((UUID, Timestamp?).self)
  /// ```
  /// - Throws: ``PostgresError`` of the kind `decoding`, which names the column but not the value.
  public func decode<each Value: PostgresDecodable>(
    _ types: (repeat each Value).Type
  ) throws -> (repeat each Value) {
    var expected = 0
    for _ in repeat (each Value).self { expected += 1 }
    guard expected == count else {
      throw PostgresError(
        .decoding, "the row has \(count) columns, and values for \(expected) are asked for")
    }
    var column = 0
    return (repeat try next((each Value).self, &column))
  }

  /// The value of the column at `column`, counted from 0.
  public func decode<Value: PostgresDecodable>(
    _ column: Int, as type: Value.Type = Value.self
  ) throws -> Value {
    guard (0..<count).contains(column) else {
      throw PostgresError(.decoding, "the row has \(count) columns, and none at \(column)")
    }
    do {
      // The bytes belong to the result, which must outlive their reading.
      return try withExtendedLifetime(result) {
        try Value.decodeNullable(
          result.value(row: index, column: column), type: result.columnType(column))
      }
    } catch let failure as DecodingFailure {
      throw explained(failure, column: column, type: type)
    }
  }

  /// The value of the first column with that name.
  public func decode<Value: PostgresDecodable>(
    _ column: String, as type: Value.Type = Value.self
  ) throws -> Value {
    guard let index = (0..<count).first(where: { result.columnName($0) == column }) else {
      throw PostgresError(.decoding, "the row has no column \"\(column)\"")
    }
    return try decode(index, as: type)
  }

  /// A value as the server sent it, to be sent back or compared.
  public subscript(column: Int) -> Bind {
    precondition((0..<count).contains(column), "there is no column \(column)")
    return withExtendedLifetime(result) {
      Bind(
        type: result.columnType(column),
        bytes: result.value(row: index, column: column).map { [UInt8]($0) })
    }
  }

  /// The value of a row's only column.
  public func decode<Value: PostgresDecodable>(_ type: Value.Type) throws -> Value {
    guard count == 1 else {
      throw PostgresError(.decoding, "the row has \(count) columns, and a value for 1 is asked for")
    }
    return try decode(0, as: type)
  }

  private func next<Value: PostgresDecodable>(
    _ type: Value.Type, _ column: inout Int
  ) throws -> Value {
    defer { column += 1 }
    return try decode(column, as: type)
  }

  private func explained<Value>(
    _ failure: DecodingFailure, column: Int, type: Value.Type
  ) -> PostgresError {
    let subject = "column \"\(result.columnName(column))\" (\(result.columnType(column)))"
    let reason =
      switch failure {
      case .null: "is NULL; read it as Optional<\(type)>"
      case .typeMismatch: "cannot be read as \(type)"
      case .outOfRange: "holds a value that \(type) cannot"
      case .malformed: "is not in the format that PostgreSQL documents"
      }
    return PostgresError(.decoding, "\(subject) \(reason)")
  }
}
