import CLibPQ

/// Where a session stands.
public enum TransactionStatus: Sendable, Hashable {
  /// Outside of a transaction.
  case idle
  /// In a transaction.
  case inTransaction
  /// In a transaction that can only be rolled back.
  case failed
  /// In the middle of a statement: a COPY.
  case active
  /// Closed or broken.
  case closed

  init(_ status: PGTransactionStatusType) {
    switch status {
    case PQTRANS_IDLE: self = .idle
    case PQTRANS_INTRANS: self = .inTransaction
    case PQTRANS_INERROR: self = .failed
    case PQTRANS_ACTIVE: self = .active
    default: self = .closed
    }
  }
}

/// What of a ``Connection`` may be known and set without its thread, under a lock.
struct SessionState {
  var condition = TransactionStatus.closed
  var socket: Int32 = -1
  var serverVersion = 0
  /// Statements that open or close a transaction or savepoint and travel with the next statement:
  /// they cost no round trip of their own, and none at all when nothing follows.
  var bracket: [String] = []
  var isTransactionOpen = false
  /// Whether the open transaction has been committed by its own last statements.
  var isCommitted = false
  var lastSavepoint = 0
  /// A COPY from the server of which nobody wants the rest.
  var abandonedCopy: Int?

  mutating func takeBracket() -> [String] {
    defer { bracket.removeAll() }
    return bracket
  }
}
