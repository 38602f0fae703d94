/// What went wrong between this client and a server.
///
/// No text of it holds a value of a row: what the server says of values is withheld
/// (``Redaction``), so an error may be logged and shown.
public struct PostgresError: Error, Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// The server refused a statement; ``PostgresError/sqlState`` says why.
    case server
    /// No connection could be made.
    case connectionFailed
    /// The connection broke, or had been closed. What was not committed is rolled back.
    case connectionLost
    /// The connection broke while a COMMIT was under way: it may have been carried out or not.
    case commitUnknown
    /// The server did not answer in time, and the connection was given up.
    case timeout
    /// The task was cancelled, and its statement with it.
    case cancelled
    /// A result is not what was asked for.
    case decoding
    /// A COMMIT became a ROLLBACK, because a statement of the transaction had failed and its error
    /// was not passed on.
    case transactionAborted
    /// Every connection of the pool stayed in use for too long.
    case poolTimeout
    /// The pool has been closed.
    case poolClosed
    /// This client was used in a way that it does not allow; nothing was sent.
    case misuse
    /// The address of a database cannot be understood.
    case invalidAddress
    /// The private server could not be created, started or stopped.
    case localServer
  }

  public var kind: Kind
  public var message: String
  public var sqlState: SQLState?
  /// More about the error, without values.
  public var detail: String?
  public var hint: String?
  /// Where in a COPY the error is: `COPY readings, line 7, column systolic`.
  public var context: String?
  public var schema: String?
  public var table: String?
  public var column: String?
  public var constraint: String?
  /// Where in the statement's text a syntax error is, in characters from 1.
  public var position: Int?
  /// Which statement of a pipeline failed, from 0.
  public var statementIndex: Int?
  /// The server had to plan a prepared statement anew because a table it uses was changed. The
  /// statement has been forgotten and is prepared afresh when next used.
  var isStalePlan = false

  public init(_ kind: Kind, _ message: String, sqlState: SQLState? = nil, hint: String? = nil) {
    self.kind = kind
    self.message = message
    self.sqlState = sqlState
    self.hint = hint
  }

  /// Another transaction has made something under a name that this one had found free: its own, or the index's that the
  /// server chose for it, which in long names is cut to what other tables' indexes are.
  public var isClashOfNames: Bool { sqlState == .uniqueViolation && schema == "pg_catalog" }

  /// Whether the same transaction, begun again, may well succeed.
  public var isTransient: Bool {
    isStalePlan || isClashOfNames || sqlState?.isTransient == true
  }
}

extension PostgresError: CustomStringConvertible {
  public var description: String {
    var lines = [message + (sqlState.map { " (SQLSTATE \($0))" } ?? "")]
    if let statementIndex { lines.append("in statement \(statementIndex + 1) of the pipeline") }
    lines += [context, detail, hint].compactMap { $0 }
    return lines.joined(separator: "\n")
  }
}

extension PostgresError {
  /// The error that the server reports in `result`.
  init(server result: ServerResult) {
    let redaction = Redaction(result)
    self.init(.server, redaction.message, sqlState: redaction.sqlState, hint: redaction.hint)
    detail = redaction.detail
    context = redaction.context
    schema = result.field(.schema)
    table = result.field(.table)
    column = result.field(.column)
    constraint = result.field(.constraint)
    position = result.field(.position).flatMap { Int($0) }
    // By the function that raised it, because the message is translated.
    isStalePlan =
      (sqlState == .featureNotSupported
        && result.field(.sourceFunction) == "RevalidateCachedQuery")
      || sqlState == .invalidStatementName
  }
}
