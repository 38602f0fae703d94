import Logging
import PeriodRollups
import Postgres

/// What the server knows of tables that are filled all at once.
///
/// By old statistics, or by none, it takes a whole scope for a few rows; its own look at them comes up to a minute later.
/// Tables over partitions have none of their own: reports do as well without, and to make them takes as long as to look at all
/// partitions again (docs/decisions/014).
public struct Statistics: Sendable {
  let pool: Pool
  let logger: Logger?

  public init(_ pool: Pool, logger: Logger? = nil) {
    self.pool = pool
    self.logger = logger
  }

  /// Has the server look at those of the tables, or of their partitions, that have grown eightfold since it last did, or that
  /// it has never seen a row of. One that somebody keeps from it is left for another time, and so is one of another owner: the
  /// server says so by a warning. Whatever fails, the rows are committed, so nothing is thrown.
  /// - Parameter written: how many rows were; few are not worth it.
  public func renew(_ tables: [TableName], after written: Int) async {
    guard written >= 500, !tables.isEmpty else { return }
    do {
      try await pool.withConnection { connection in
        let grown = try await connection.prepared(Self.grown(tables.map(\.qualified))).map {
          try $0.decode(String.self)
        }
        guard !grown.isEmpty else { return }
        try await connection.script("ANALYZE (SKIP_LOCKED) \(grown.joined(separator: ", "))")
      }
    } catch {
      logger?.warning("\(tables.map(\.qualified).joined(separator: ", ")) not analyzed: \(error)")
    }
  }

  private static func grown(_ tables: [String]) -> Query {
    """
    SELECT c.oid::regclass::text
    FROM unnest(\(tables)) AS t (name)
    CROSS JOIN LATERAL (
      SELECT to_regclass(t.name) UNION SELECT relid FROM pg_partition_tree(to_regclass(t.name))
    ) AS p (oid)
    JOIN pg_class AS c ON c.oid = p.oid
    WHERE c.relkind = 'r' AND c.relpages * 8 < pg_relation_size(c.oid) / current_setting('block_size')::integer
    """
  }
}
