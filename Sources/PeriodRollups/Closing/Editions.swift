/// Closed periods, as the statements see them: `rollup.editions` has a row of edition 1 for each.
enum Editions {
  static let table: TableName = "rollup.editions"

  /// The closed periods, as a relation with `period_type` and `period_start`.
  static func closed(as alias: Identifier) -> SQL {
    "(SELECT period_type, period_start FROM \(table) WHERE edition = 1) AS \(alias)"
  }

  /// Whether the period of a relation is closed.
  static func isClosed(_ alias: Identifier) -> SQL {
    """
    EXISTS (
      SELECT FROM \(table) AS c
      WHERE c.period_type = \(alias).period_type AND c.period_start = \(alias).period_start
    )
    """
  }
}

/// What a session says it is doing, so that the guard of a closed period knows what to make of its statements. It
/// bypasses nothing: whatever it says, no row of a closed period changes.
public enum Doing: String, Sendable {
  /// Nothing that was announced: an insert is entered in the ledger by the guard, anything else is refused.
  case unannounced = ""
  /// A change by the write path, which enters it in the ledger itself.
  case change
  /// The backfill: what it adds to a closed period is late, and entered by the guard.
  case backfill

  /// Holds to the end of the transaction, or until it is said otherwise.
  public var statement: Statement {
    Statement(
      "say what is being done",
      "SELECT set_config('rollup.doing', \(Parameter("doing", .text, constant: rawValue)), true)")
  }
}
