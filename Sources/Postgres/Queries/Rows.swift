import CLibPQ

/// The rows a statement returned, whole and in memory; for answers of unbounded size use COPY.
public struct Rows: Sendable, RandomAccessCollection {
  private let result: Result

  init(_ result: Result) { self.result = result }

  public var startIndex: Int { 0 }
  public var endIndex: Int { Int(PQntuples(result.pointer)) }
  public subscript(index: Int) -> Row { Row(result: result, index: Int32(index)) }

  /// How many rows the statement inserted, changed, deleted, locked or returned.
  public var affected: Int { Int(String(cString: PQcmdTuples(result.pointer))) ?? 0 }

  public var columns: [String] {
    (0..<PQnfields(result.pointer)).map { String(cString: PQfname(result.pointer, $0)) }
  }

  /// The only row of a statement that always returns one.
  public var only: Row {
    get throws {
      guard count == 1, let row = first else { throw UnexpectedRowCount(expected: 1, found: count) }
      return row
    }
  }
}

/// A statement returned another number of rows than the code can mean.
public struct UnexpectedRowCount: Error, CustomStringConvertible {
  public let expected: Int
  public let found: Int
  public var description: String { "\(found) rows where \(expected) was expected" }
}

/// One row.
public struct Row: Sendable {
  let result: Result
  let index: Int32

  /// All columns, in order: `let (id, name) = try row.decode((UUID, String?).self)`.
  public func decode<First: PostgresDecodable, Second: PostgresDecodable, each Rest: PostgresDecodable>(
    _ types: (First, Second, repeat each Rest).Type
  ) throws -> (First, Second, repeat each Rest) {
    var column: Int32 = 1
    func next<V: PostgresDecodable>(_: V.Type) throws -> V {
      column += 1
      return try decode(column, as: V.self)
    }
    return (
      try decode(0, as: First.self), try decode(1, as: Second.self), repeat try next((each Rest).self)
    )
  }

  /// The first column.
  public func decode<V: PostgresDecodable>(_ type: V.Type) throws -> V { try decode(0, as: type) }

  /// A column by its place, from 0.
  public func decode<V: PostgresDecodable>(_ column: Int32, as type: V.Type) throws -> V {
    guard column >= 0, column < PQnfields(result.pointer) else {
      throw UnexpectedRowCount(expected: Int(column) + 1, found: Int(PQnfields(result.pointer)))
    }
    let isNull = PQgetisnull(result.pointer, index, column) == 1
    let bytes = UnsafeRawBufferPointer(
      start: PQgetvalue(result.pointer, index, column),
      count: Int(PQgetlength(result.pointer, index, column)))
    return try V.decode(
      WireValue(
        type: PostgresType(rawValue: PQftype(result.pointer, column)), bytes: isNull ? nil : bytes))
  }

  /// A column by its name.
  public func decode<V: PostgresDecodable>(_ column: String, as type: V.Type) throws -> V {
    try decode(PQfnumber(result.pointer, column), as: type)
  }
}

/// Owns a PGresult.
///
/// Unchecked: libpq says that "PGresult objects are … read-only after creation and can be passed around freely between
/// threads" (manual, 34.20); this class only reads it, and clears it when nobody can.
final class Result: @unchecked Sendable {
  let pointer: OpaquePointer

  init(_ pointer: OpaquePointer) { self.pointer = pointer }
  deinit { PQclear(pointer) }
}
