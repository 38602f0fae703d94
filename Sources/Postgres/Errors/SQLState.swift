/// The five characters by which PostgreSQL names what went wrong (its manual, appendix A). They
/// never change between versions or languages; messages do.
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: String

  public init(rawValue: String) { self.rawValue = rawValue }

  public var description: String { rawValue }

  /// The first two characters: what kind of thing it is.
  public var errorClass: Substring { rawValue.prefix(2) }

  public static let featureNotSupported = SQLState(rawValue: "0A000")
  public static let stringDataRightTruncation = SQLState(rawValue: "22001")
  public static let numericValueOutOfRange = SQLState(rawValue: "22003")
  public static let datetimeFieldOverflow = SQLState(rawValue: "22008")
  public static let invalidParameterValue = SQLState(rawValue: "22023")
  public static let invalidTextRepresentation = SQLState(rawValue: "22P02")
  public static let badCopyFileFormat = SQLState(rawValue: "22P04")
  public static let notNullViolation = SQLState(rawValue: "23502")
  public static let foreignKeyViolation = SQLState(rawValue: "23503")
  public static let invalidSchemaName = SQLState(rawValue: "3F000")
  public static let uniqueViolation = SQLState(rawValue: "23505")
  public static let checkViolation = SQLState(rawValue: "23514")
  public static let inFailedTransaction = SQLState(rawValue: "25P02")
  public static let readOnlyTransaction = SQLState(rawValue: "25006")
  /// `idle_in_transaction_session_timeout`.
  public static let idleTransactionTimeout = SQLState(rawValue: "25P03")
  public static let transactionTimeout = SQLState(rawValue: "25P04")
  public static let invalidStatementName = SQLState(rawValue: "26000")
  /// `invalid_authorization_specification`: the role may not log in, or no line of `pg_hba.conf` lets it.
  public static let invalidAuthorizationSpecification = SQLState(rawValue: "28000")
  public static let invalidPassword = SQLState(rawValue: "28P01")
  public static let invalidCatalogName = SQLState(rawValue: "3D000")
  public static let serializationFailure = SQLState(rawValue: "40001")
  public static let deadlockDetected = SQLState(rawValue: "40P01")
  public static let insufficientPrivilege = SQLState(rawValue: "42501")
  public static let syntaxError = SQLState(rawValue: "42601")
  public static let undefinedColumn = SQLState(rawValue: "42703")
  public static let undefinedTable = SQLState(rawValue: "42P01")
  public static let undefinedFunction = SQLState(rawValue: "42883")
  public static let undefinedObject = SQLState(rawValue: "42704")
  public static let duplicateTable = SQLState(rawValue: "42P07")
  public static let duplicateObject = SQLState(rawValue: "42710")
  public static let diskFull = SQLState(rawValue: "53100")
  public static let outOfMemory = SQLState(rawValue: "53200")
  public static let tooManyConnections = SQLState(rawValue: "53300")
  /// `object_not_in_prerequisite_state`.
  public static let objectNotReady = SQLState(rawValue: "55000")
  public static let lockNotAvailable = SQLState(rawValue: "55P03")
  public static let queryCanceled = SQLState(rawValue: "57014")
  public static let adminShutdown = SQLState(rawValue: "57P01")
  public static let crashShutdown = SQLState(rawValue: "57P02")
  public static let cannotConnectNow = SQLState(rawValue: "57P03")
  public static let idleSessionTimeout = SQLState(rawValue: "57P05")
  public static let raiseException = SQLState(rawValue: "P0001")

  /// Whether the same transaction, begun again, may well succeed: the server has aborted it for the
  /// sake of another.
  public var isTransient: Bool {
    self == .serializationFailure || self == .deadlockDetected
  }
}
