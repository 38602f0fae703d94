import PeriodRollups
import Postgres

/// What a write found.
public enum WriteOutcome: Sendable, Hashable {
  /// The row was new.
  case inserted
  /// The row was there with other values.
  case changed
  /// There was nothing to do: the row is as it should be.
  case unchanged
}

/// A write that could not be done, with the key of the row; never its values.
public enum WriteError: Error, Hashable, CustomStringConvertible {
  case notFound(String, key: String)
  case alreadyThere(String, key: String)
  /// The source has no soft delete.
  case noSoftDelete(String)
  /// The protocol needs READ COMMITTED (DESIGN.md section 5).
  case isolation

  public var description: String {
    switch self {
    case .notFound(let what, let key): "there is no \(what) \(key)"
    case .alreadyThere(let what, let key):
      "there is a \(what) \(key) already; to correct it use update or record"
    case .noSoftDelete(let what):
      "the \(what) source declares no soft delete; remove rows for good with destroy"
    case .isolation:
      "writes need a READ COMMITTED transaction: a removal must see what was committed after it began"
    }
  }
}
