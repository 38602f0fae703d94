import CLibPQ
import Foundation

/// What went wrong between a program and its database. No value of a row is in it, nor a password.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    /// The server refused a statement: see ``PostgresError/sqlState``.
    case server
    /// No connection could be made.
    case connectionFailed
    /// The connection was lost; whether the last statement was committed is not known.
    case connectionLost
    case timeout
    /// The task was cancelled, and the statement with it.
    case cancelled
    case poolClosed
  }

  public let kind: Kind
  public var sqlState: SQLState?
  public var message: String
  public var detail: String?
  public var hint: String?
  public var schema: String?
  public var table: String?
  public var column: String?
  public var constraint: String?
  /// The place, from 0, of the statement in its pipeline.
  public var statementIndex: Int?

  init(_ kind: Kind, _ message: String, sqlState: SQLState? = nil) {
    self.kind = kind
    self.message = message
    self.sqlState = sqlState
  }

  /// The error a result carries.
  init(_ result: OpaquePointer, statementIndex: Int? = nil) {
    // PG_DIAG_* are character macros, which Swift does not import.
    func field(_ code: Character) -> String? {
      guard let ascii = code.asciiValue, let text = PQresultErrorField(result, Int32(ascii)) else { return nil }
      return String(cString: text)
    }
    let state = field("C").map(SQLState.init(rawValue:))
    let message = field("M") ?? "the server gave no reason"
    self.init(
      state == .queryCanceled ? .cancelled : .server,
      state?.mayQuoteValues == true ? Redaction.quoted(message) : message, sqlState: state)
    detail = field("D").map(Redaction.values)
    hint = field("H")
    schema = field("s")
    table = field("t")
    column = field("c")
    constraint = field("n")
    self.statementIndex = statementIndex
  }

  public var description: String {
    var text = message
    if let detail { text += " (\(detail))" }
    if let sqlState { text += " [\(sqlState.rawValue)]" }
    return text
  }
}

/// A five-character code of the SQL standard or PostgreSQL (manual, appendix A).
public struct SQLState: RawRepresentable, Hashable, Sendable {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  public static let uniqueViolation = SQLState(rawValue: "23505")
  public static let serializationFailure = SQLState(rawValue: "40001")
  public static let deadlockDetected = SQLState(rawValue: "40P01")
  public static let lockNotAvailable = SQLState(rawValue: "55P03")
  public static let queryCanceled = SQLState(rawValue: "57014")
  public static let undefinedTable = SQLState(rawValue: "42P01")
  public static let duplicateTable = SQLState(rawValue: "42P07")
  public static let invalidSchemaName = SQLState(rawValue: "3F000")
  public static let insufficientPrivilege = SQLState(rawValue: "42501")
  public static let invalidTextRepresentation = SQLState(rawValue: "22P02")
  public static let adminShutdown = SQLState(rawValue: "57P01")

  /// Data exceptions quote the value that was wrong; violations may.
  var mayQuoteValues: Bool { rawValue.hasPrefix("22") || rawValue.hasPrefix("23") || rawValue.hasPrefix("P0") }
}

/// Takes what rows contain out of what the server says of them.
enum Redaction {
  /// `Key (id)=(5)` becomes `Key (id)=(…)`, `Failing row contains (1, x)` loses its values.
  static func values(_ detail: String) -> String {
    if let open = detail.range(of: "contains (") { return String(detail[..<open.upperBound]) + "…)" }
    var text = ""
    var rest = Substring(detail)
    while let equals = rest.range(of: ")=(") {
      text += rest[..<equals.upperBound] + "…"
      rest = rest[equals.upperBound...]
      guard let close = rest.range(of: ") ", options: .backwards) ?? rest.range(of: ")", options: .backwards)
      else { return text + ")" }
      rest = rest[close.lowerBound...]
    }
    return text + rest
  }

  /// What stands in double quotes is removed.
  static func quoted(_ message: String) -> String {
    message.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
      .map { $0.offset % 2 == 1 ? "\"…\"" : String($0.element) }.joined()
  }
}
