/// How a batch gets in: rows are copied to a temporary table, compared with what is there, and then go through the
/// same steps as single rows, set by set.
public struct Staging: Sendable {
  public let table: TableName
  let target: TableName
  let key: [Column]
  public let columns: [Column]
  let updatedAt: Column?
  let rowName: String
  /// Where a row of the target stands, for the ledger.
  private let standing: (time: SQL, counted: SQL)

  /// A batch of a source's rows.
  public init(_ source: Source, in catalog: Catalog) {
    table = TableName(Identifier("staged_" + source.table.table.name))
    target = source.table
    key = source.key
    columns = source.columns
    updatedAt = source.updatedAt
    rowName = source.name
    standing = (source.time.instant(of: "s"), Ledger(catalog).counts(source))
  }

  /// A batch of subjects.
  public init(_ subject: Subject) {
    table = TableName(Identifier("staged_" + subject.table.table.name))
    target = subject.table
    key = [subject.id]
    columns = subject.columns
    updatedAt = subject.updatedAt
    rowName = subject.name
    standing = ("NULL", subject.exists.sql(of: "s"))
  }

  /// Makes the temporary table once a session; it empties itself at the end of each transaction.
  /// `place` is the order of arrival: of two rows with one key the later counts.
  public var create: Statement {
    Statement(
      "make the staging table",
      """
      CREATE TEMPORARY TABLE IF NOT EXISTS \(table) (
        place bigint GENERATED ALWAYS AS IDENTITY,
        \(.joined(columns.map { "\($0) \($0.type)" }, ",\n")),
        known boolean NOT NULL DEFAULT false,
        was_time timestamptz,
        was_counted boolean NOT NULL DEFAULT false,
        changed text[]
      ) ON COMMIT DELETE ROWS
      """)
  }

  /// Fed with rows in PostgreSQL's text format, ``columns`` in order.
  public var copy: Statement {
    Statement("copy the rows", "COPY \(table) (\(names(columns))) FROM STDIN")
  }

  /// Leaves of several rows with one key the one that came last.
  public var keepLast: Statement {
    Statement(
      "of rows sent twice keep the last",
      """
      DELETE FROM \(table) AS t
      USING (
        SELECT \(names(key)), max(place) AS last FROM \(table) GROUP BY \(names(key)) HAVING count(*) > 1
      ) AS twice
      WHERE (\(of("t", key))) = (\(of("twice", key))) AND t.place < twice.last
      """)
  }

  /// Drops rows that the table has already, value for value.
  public var dropUnchanged: Statement {
    Statement(
      "drop what is there already",
      """
      DELETE FROM \(table) AS t
      USING \(target) AS s
      WHERE (\(of("s", key))) = (\(of("t", key)))
        AND (\(of("s", columns))) IS NOT DISTINCT FROM (\(of("t", columns)))
      """)
  }

  /// Marks the rows that are there in another form, and notes where those stand.
  public var markKnown: Statement {
    Statement(
      "mark the corrections",
      """
      UPDATE \(table) AS t
      SET known = true, was_time = \(standing.time), was_counted = \(standing.counted),
        changed = \(changed(columns.filter { !key.contains($0) }.map { ($0, $0.of("t")) }))
      FROM \(target) AS s
      WHERE (\(of("s", key))) = (\(of("t", key)))
      RETURNING 1
      """)
  }

  /// Stores the new rows.
  public var insertNew: Statement {
    Statement(
      "insert the new rows",
      """
      INSERT INTO \(target) (\(names(columns)))
      SELECT \(names(columns)) FROM \(table) WHERE NOT known ORDER BY \(names(key))
      """)
  }

  /// Gives the known rows their new values.
  public var updateKnown: Statement {
    let changed = columns.filter { !key.contains($0) }
    let assignments: [SQL] =
      changed.map { "\($0) = \($0.of("t"))" } + (updatedAt.map { ["\($0) = now()"] } ?? [])
    return Statement(
      "change the known rows",
      """
      UPDATE \(target) AS s
      SET \(.joined(assignments))
      FROM \(table) AS t
      WHERE (\(of("s", key))) = (\(of("t", key))) AND t.known
      """)
  }
}

extension SourceWrites {
  /// Adds the new rows of a batch to the rollups, straight from the staging table.
  public func addNew(from staging: Staging) -> [Statement] {
    catalog.fed(by: source).map { rollup, input in
      let events = rollup.events(from: "\(staging.table)", input, where: ["NOT s.known"])
      return Statement(
        "add to \(rollup.name)",
        rollup.upsert(rollup.mostRecent(rollup.candidates(events)), .newer))
    }
  }
}

/// The names of the columns in which a row `s` differs from values.
func changed(_ values: [(column: Column, value: SQL)]) -> SQL {
  let names = values.map { column, value -> SQL in
    "CASE WHEN \(column.of("s")) IS DISTINCT FROM \(value) THEN \(literal: .init(nameOf: column)) END"
  }
  return "array_remove(ARRAY[\(.joined(names))], NULL)"
}
