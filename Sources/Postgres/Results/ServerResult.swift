import CLibPQ
import Foundation

/// The owner of a `PGresult`, which it frees.
///
/// Unchecked: libpq never writes to a result after it has returned it, and its manual (34.20,
/// "Behavior in Threaded Programs") lets results pass freely between threads.
final class ServerResult: @unchecked Sendable {
  let pointer: OpaquePointer

  init(_ pointer: OpaquePointer) { self.pointer = pointer }

  deinit { PQclear(pointer) }

  var status: ExecStatusType { PQresultStatus(pointer) }

  /// The tag of the command that was executed: `INSERT 0 1`, `ROLLBACK`.
  var command: String { PQcmdStatus(pointer).map { String(cString: $0) } ?? "" }

  /// Rows inserted, updated, deleted, selected, or copied; 0 for what has no rows.
  var affected: Int { PQcmdTuples(pointer).flatMap { Int(String(cString: $0)) } ?? 0 }

  var rowCount: Int { Int(PQntuples(pointer)) }

  var columnCount: Int { Int(PQnfields(pointer)) }

  func columnName(_ column: Int) -> String {
    PQfname(pointer, Int32(column)).map { String(cString: $0) } ?? ""
  }

  func columnType(_ column: Int) -> PostgresType {
    PostgresType(rawValue: PQftype(pointer, Int32(column)))
  }

  /// A value, `nil` being NULL. The bytes live as long as this object.
  func value(row: Int, column: Int) -> UnsafeRawBufferPointer? {
    let (row, column) = (Int32(row), Int32(column))
    guard PQgetisnull(pointer, row, column) == 0 else { return nil }
    return UnsafeRawBufferPointer(
      start: PQgetvalue(pointer, row, column), count: Int(PQgetlength(pointer, row, column)))
  }

  /// A field of an error or a notice. libpq's names for them (`PG_DIAG_…`) are macros that Swift
  /// does not import; each is the ASCII code of a letter.
  func field(_ field: DiagnosticField) -> String? { Self.field(field, of: pointer) }

  /// The same of a result that belongs to libpq.
  static func field(_ field: DiagnosticField, of pointer: OpaquePointer) -> String? {
    PQresultErrorField(pointer, field.rawValue).map { String(cString: $0) }
  }
}

/// The fields of an error or a notice (PostgreSQL manual, 55.8).
enum DiagnosticField {
  case localizedSeverity, severity, sqlState, message, detail, hint, position, context
  case schema, table, column, dataType, constraint, sourceFunction

  var rawValue: Int32 {
    let letter: Unicode.Scalar =
      switch self {
      case .localizedSeverity: "S"
      case .severity: "V"
      case .sqlState: "C"
      case .message: "M"
      case .detail: "D"
      case .hint: "H"
      case .position: "P"
      case .context: "W"
      case .schema: "s"
      case .table: "t"
      case .column: "c"
      case .dataType: "d"
      case .constraint: "n"
      case .sourceFunction: "R"
      }
    return Int32(UInt8(ascii: letter))
  }
}
