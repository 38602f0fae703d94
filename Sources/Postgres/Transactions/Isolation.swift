/// What a transaction sees of others (PostgreSQL manual, 13.2).
public enum Isolation: Sendable, Hashable {
  /// Each statement sees what was committed before it began. PostgreSQL's default.
  case readCommitted
  /// Every statement sees what was committed before the first one began. May fail with
  /// `serializationFailure`, and is then to be begun again.
  case repeatableRead
  /// As if transactions came one after another. May fail in the same way.
  case serializable

  var sql: String {
    switch self {
    case .readCommitted: "READ COMMITTED"
    case .repeatableRead: "REPEATABLE READ"
    case .serializable: "SERIALIZABLE"
    }
  }
}
