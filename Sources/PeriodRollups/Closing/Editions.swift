/// Closed periods, as the statements see them. A period is closed for a rollup when its edition has the rollup: one that is
/// declared later fills periods that are closed for others, and is closed in them by their next restatement.
enum Editions {
  static let table: TableName = "rollup.editions"
  /// What each edition is over: a row for each edition and part.
  static let parts: TableName = "rollup.edition_parts"

  /// The periods that are closed for any of the rollups, as a relation with `period_type` and `period_start`.
  static func closed(for rollups: [any PeriodTable], as alias: Identifier) -> SQL {
    """
    (SELECT DISTINCT period_type, period_start FROM \(parts)
      WHERE part IN (\(.joined(rollups.map { "\(literal: .init(nameOf: $0))" })))) AS \(alias)
    """
  }

  /// Whether the period of a relation is closed for anything.
  static func isClosed(_ alias: Identifier) -> SQL {
    """
    EXISTS (
      SELECT FROM \(table) AS c
      WHERE c.period_type = \(alias).period_type AND c.period_start = \(alias).period_start
    )
    """
  }
}

extension PeriodTable {
  /// Whether the period of a relation is closed for the rollup.
  func isClosed(_ alias: Identifier) -> SQL {
    """
    EXISTS (
      SELECT FROM \(Editions.parts) AS c
      WHERE c.part = \(literal: .init(nameOf: self)) AND c.period_type = \(alias).period_type
        AND c.period_start = \(alias).period_start
    )
    """
  }
}

extension MostRecent {
  /// Derived rows as the editions of their periods would have them: without the columns that are younger than a closed
  /// period's edition. A difference in those only is none.
  ///
  /// Looked up and not joined: rows stay in the order in which they are locked, whatever the planner makes of it.
  func asEditionsHave(_ rows: SQL) -> SQL {
    guard !unranked.isEmpty else { return rows }
    let values = unranked.map { column -> SQL in
      "\(asEditionHas(column, of: "a", in: "(a.period_type, a.period_start)")) AS \(column)"
    }
    return """
      SELECT \(of("a", key + ranking)),
        \(.joined(values, ",\n"))
      FROM (
        \(rows)
      ) AS a
      """
  }

  /// The column of a relation, or null in a period whose last edition does not have it.
  func asEditionHas(_ column: Column, of alias: Identifier, in period: SQL) -> SQL {
    """
    CASE WHEN \(period) NOT IN (
      \(editions(without: column))
    ) THEN \(column.of(alias)) END
    """
  }

  /// The periods whose last edition does not have a column.
  private func editions(without column: Column) -> SQL {
    """
    SELECT h.period_type, h.period_start
    FROM \(Editions.parts) AS h
    WHERE h.part = \(literal: .init(nameOf: self)) AND NOT \(literal: .init(nameOf: column)) = ANY (h.columns)
      AND NOT EXISTS (
        SELECT FROM \(Editions.parts) AS n
        WHERE n.part = h.part AND n.period_type = h.period_type AND n.period_start = h.period_start
          AND n.edition > h.edition
      )
    """
  }
}

/// A part of an edition as it is on record: what its digest is over, whatever the declarations say by now.
public struct RecordedPart: Hashable, Sendable {
  public let name: String
  /// The table that it is of: a rollup's parent, or one of published rows.
  public let table: TableName
  /// The column that says which place a line belongs to.
  public let place: Column
  /// The columns of a line, in order.
  public let columns: [Column]

  public init(name: String, table: TableName, place: Column, columns: [Column]) {
    self.name = name
    self.table = table
    self.place = place
    self.columns = columns
  }
}

extension Closing {
  /// Puts on record what the digest of an edition's part is over; before the edition is entered.
  public static var enterPart: Statement {
    Statement(
      "note what the digest is over",
      """
      INSERT INTO \(Editions.parts) (period_type, period_start, edition, part, relation, place, columns)
      VALUES (\(Parameter.periodType), \(Parameter.periodStart), \(Parameter.edition), \(Parameter("part", .text)),
        \(Parameter("relation", .text)), \(Parameter("place", .text)), \(Parameter("columns", .array(.text))))
      """)
  }

  /// The parts of an edition as they are on record: `part`, `relation`, `place`, and of each of its columns in order
  /// the name and type. A column that is gone has no type.
  public static var recordedParts: Statement {
    Statement(
      "what the digests are over",
      """
      SELECT p.part, p.relation, p.place, array_agg(c.name ORDER BY c.number),
        array_agg(coalesce(format_type(a.atttypid, NULL), '') ORDER BY c.number)
      FROM \(Editions.parts) AS p
      CROSS JOIN LATERAL unnest(p.columns) WITH ORDINALITY AS c (name, number)
      LEFT JOIN pg_attribute AS a ON a.attrelid = to_regclass(p.relation) AND a.attname = c.name AND NOT a.attisdropped
      WHERE p.period_type = \(Parameter.periodType) AND p.period_start = \(Parameter.periodStart)
        AND p.edition = \(Parameter.edition)
      GROUP BY p.part, p.relation, p.place
      ORDER BY p.part
      """)
  }
}

/// What a session says it is doing, for the guard of a closed period. It bypasses nothing: whatever it says, no row of a
/// closed period changes, and no event passes the ledger by (``Diversions``).
public enum Doing: String, Sendable {
  /// Nothing that was announced.
  case unannounced = ""
  /// A change by the write path, which adds events to lock their late rows, and enters the change in the ledger itself.
  case change
  /// The backfill: what it adds to a closed period is late, and called so in the ledger.
  case backfill

  /// Holds to the end of the transaction, or until it is said otherwise.
  public var statement: Statement {
    Statement(
      "say what is being done",
      "SELECT set_config('rollup.doing', \(Parameter("doing", .text, constant: rawValue)), true)")
  }
}
