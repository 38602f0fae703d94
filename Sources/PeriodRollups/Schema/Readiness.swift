/// What may be read: a rollup's rows of a period type, or a column of it, when a whole backfill has filled it since it was
/// declared. `rollup.readiness` has a row for each.
public enum Readiness {
  static let table: TableName = "rollup.readiness"

  /// Enters something new. Rows of before the record are filled; with empty sources there is nothing to fill.
  static func enter(
    _ item: ReadinessItem, of relation: TableName, isFilled: Bool, sources: [TableName]
  ) -> Statement {
    let empty = sources.map { "NOT EXISTS (SELECT FROM \($0))" as SQL }
    let filled: SQL =
      isFilled
      ? "daterange(NULL, NULL)"
      : "CASE WHEN \(.joined(empty, " AND ")) THEN daterange(NULL, NULL) END"
    return Statement(
      item.kind == .column ? "the column \(item.name) of \(item.rollup)" : "rows of \(item.rollup)",
      """
      INSERT INTO \(table) (rollup, kind, name, relation, filled)
      VALUES (\(literal: .init(found: item.rollup)), \(literal: .init(found: item.kind.rawValue)),
        \(literal: .init(found: item.name)), \(literal: .init(found: relation.qualified)), \(filled))
      ON CONFLICT DO NOTHING
      """)
  }

  /// Notes that a backfill has filled a span of periods, of what was declared before it was begun. A span that meets what was filled adds to it; of two that do not meet
  /// the longer one counts.
  ///
  /// - Parameter ofColumns: only columns that are given of the rollups; otherwise their rows and all of their columns.
  public static func note(columns ofColumns: Bool) -> Statement {
    let (names, run) = (Parameter("columns", .array(.text)), Parameter("run", .bigint))
    let which: SQL = !ofColumns ? "true" : "r.kind = 'column' AND r.name = ANY (\(names))"
    return Statement(
      "note what is filled",
      """
      UPDATE \(table) AS r
      SET filled = CASE
          WHEN r.filled IS NULL THEN n.span
          WHEN r.filled && n.span OR r.filled -|- n.span THEN r.filled + n.span
          WHEN upper(r.filled) - lower(r.filled) >= upper(n.span) - lower(n.span) THEN r.filled
          ELSE n.span
        END, filled_at = now(), run = \(run)
      FROM (SELECT daterange(\(Parameter.from), \(Parameter.to)) AS span) AS n
      WHERE r.rollup = ANY (\(Parameter("rollups", .array(.text)))) AND \(which)
        AND r.since <= \(Parameter("begun", .timestamptz))
        AND (r.filled IS NULL OR NOT r.filled @> n.span)
      """)
  }

  /// All there is: `rollup`, `kind`, `name`, `since`, the first day filled and the day after the last (null for no bound),
  /// whether anything is, `filled_at`, `run`.
  public static let all = Statement(
    "what may be read",
    """
    SELECT rollup, kind, name, since, lower(filled), upper(filled), filled IS NOT NULL, filled_at, run
    FROM \(table)
    ORDER BY rollup, kind DESC, since, name
    """)
}
