/// The statements of the write path for one source: what keeps every rollup that it feeds right, in the same
/// transaction as the write (DESIGN.md section 5).
///
/// - A new row only moves a maximum: ``insert`` is one statement, and needs no lock but the subject's `KEY SHARE`.
/// - Taking something away is ``takeAway(_:)``, in steps whose order is the protocol: subjects are locked, then the
///   rollup rows, and only a *later* statement, with its fresh snapshot, looks for the event that takes the place.
/// - A change is the two together: take the old row away, change it, ``add(_:)`` it as it is now.
public struct SourceWrites: Sendable {
  public let source: Source
  public let catalog: Catalog
  private let fed: [(rollup: MostRecent, input: MostRecent.Input)]

  public init(_ source: Source, in catalog: Catalog) {
    self.source = source
    self.catalog = catalog
    self.fed = catalog.fed(by: source).map { ($0.0, $0.1) }
  }

  private var subject: Subject { catalog.subject }

  /// A parameter for each column of a row.
  public static func parameter(_ column: Column) -> Parameter {
    Parameter(column.name.name, column.type)
  }

  // MARK: Insert

  /// One row and all its rollup rows. Returns how many subjects were found (`subjects`) and rows written (`written`):
  /// 0 and 0 when the subject has not arrived, and ``insertAhead`` must store the row; 1 and 0 when the row is
  /// already there.
  ///
  /// The subject's `KEY SHARE` makes a transfer, which takes `FOR UPDATE`, wait for this transaction or be seen by it.
  public var insert: Statement {
    // PostgreSQL runs writing subqueries that nothing reads last to first (nodeModifyTable.c), so they are written in reverse
    // to lock rows in the catalog's order, as every other statement does.
    let writes = fed.reversed().map { rollup, input in
      let rows: SQL = """
        SELECT \(of("e", [rollup.subjectID])), p.period_type, p.period_start, \
        \(.joined(rollup.content.map { $0.of(subject.carried.contains($0) ? "k" : "e") }))
        FROM (
          \(rollup.events(from: "written", input, where: []))
        ) AS e
        JOIN subject AS k ON k.exists
        CROSS JOIN LATERAL \(rollup.periods(at: rollup.time.of("e"))) AS p (period_type, period_start)
        """
      let name = Identifier("in_" + rollup.table.table.name)
      return """
        , \(name) AS (
          \(rollup.upsert(rows, .newer))
        )
        """ as SQL
    }
    let changes = Changes(catalog)
    let places = changes.places(fedBy: source)
    let noted: SQL =
      places.isEmpty
      ? ""
      : """
      , noted AS (
        \(changes.note(places, of: "written CROSS JOIN subject AS k"))
      )
      """
    return Statement(
      "insert a \(source.name)",
      """
      WITH subject AS MATERIALIZED (
        SELECT \(of("k", [subject.id] + subject.carried)), \(subject.exists.sql(of: "k")) AS exists
        FROM \(subject.table) AS k
        WHERE \(subject.id.of("k")) = \(Self.parameter(source.subject))
        FOR KEY SHARE
      ), written AS (
        INSERT INTO \(source.table) (\(names(source.columns)))
        SELECT \(.joined(source.columns.map { "\(Self.parameter($0))" }))
        FROM subject
        ON CONFLICT (\(names(source.key))) DO NOTHING
        RETURNING \(names(source.columns))
      )\(noted)\(.joined(writes, ""))
      SELECT (SELECT count(*) FROM subject) AS subjects, (SELECT count(*) FROM written) AS written
      """)
  }

  /// Stores one row whose subject may not have arrived; ``add(_:)`` afterwards. Returns a row if it was not there.
  public var insertAhead: Statement {
    Statement(
      "insert a \(source.name) ahead of its \(subject.name)",
      """
      INSERT INTO \(source.table) (\(names(source.columns)))
      VALUES (\(.joined(source.columns.map { "\(Self.parameter($0))" })))
      ON CONFLICT (\(names(source.key))) DO NOTHING
      RETURNING 1
      """)
  }

  // MARK: Change

  /// Sets columns of one row. Returns a row if there was one.
  public func update(_ columns: [Column]) -> Statement {
    let assignments: [SQL] =
      columns.map { "\($0) = \(Self.parameter($0))" }
      + (source.updatedAt.map { ["\($0) = now()"] } ?? [])
    return Statement(
      "change a \(source.name)",
      """
      UPDATE \(source.table) AS s
      SET \(.joined(assignments))
      FROM \(RowSet.given.relation(of: source, as: "a"))
      WHERE (\(of("s", source.key))) = (a.subject_id, a.row_id)
      RETURNING 1
      """)
  }

  /// How a row differs from values: one row with the names of the columns, or none when the row is not there.
  public func differs(_ columns: [Column]) -> Statement {
    Statement(
      "see whether the \(source.name) differs",
      """
      SELECT \(changed(columns.map { ($0, "\(Self.parameter($0))") }))
      FROM \(source.table) AS s
      JOIN \(RowSet.given.relation(of: source, as: "a")) ON (\(of("s", source.key))) = (a.subject_id, a.row_id)
      """)
  }

  /// Whether rows are there, deleted or not.
  public var find: Statement {
    Statement(
      "find the \(source.name)",
      """
      SELECT 1
      FROM \(source.table) AS s
      JOIN \(RowSet.given.relation(of: source, as: "a")) ON (\(of("s", source.key))) = (a.subject_id, a.row_id)
      """)
  }

  /// Marks rows deleted by the source's convention; nil where it has none. Rows marked before keep their mark.
  public var delete: Statement? {
    source.exists.ending.map {
      mark("delete \(source.name) rows", $0, where: source.exists.sql(of: "s"))
    }
  }

  /// Takes the mark away.
  public var restore: Statement? {
    source.exists.beginning.map {
      mark("restore \(source.name) rows", $0, where: "NOT (\(source.exists.sql(of: "s")))")
    }
  }

  private func mark(_ name: String, _ assignment: SQL, where condition: SQL) -> Statement {
    let touched: SQL = source.updatedAt.map { ", \($0) = now()" } ?? ""
    return Statement(
      name,
      """
      UPDATE \(source.table) AS s
      SET \(assignment)\(touched)
      FROM \(RowSet.given.relation(of: source, as: "a"))
      WHERE (\(of("s", source.key))) = (a.subject_id, a.row_id) AND \(condition)
      RETURNING 1
      """)
  }

  /// Gives rows to another subject.
  public var reassign: Statement { update([source.subject]) }

  /// Removes rows for good.
  public var destroy: Statement {
    Statement(
      "remove \(source.name) rows for good",
      """
      DELETE FROM \(source.table) AS s
      USING \(RowSet.given.relation(of: source, as: "a"))
      WHERE (\(of("s", source.key))) = (a.subject_id, a.row_id)
      RETURNING 1
      """)
  }

  // MARK: The protocol's steps

  /// Adds rows, as they are in the source now, to the rollups: a guarded upsert. A row that does not count (deleted,
  /// without a period, without a subject) adds nothing.
  ///
  /// It is also how a removal locks the rollup rows it is about to judge: a conflict locks the row even where the
  /// guard fails, and a row that was missing is made, so that there is always one to lock.
  public func add(_ rows: RowSet) -> [Statement] {
    fed.map { rollup, input in
      let event = rollup.events(
        from: "\(source.table)", input,
        where: [
          """
          (\(of("s", source.key))) IN (SELECT a.subject_id, a.row_id FROM \(rows.relation(of: source, as: "a")))
          """
        ])
      return Statement(
        "add to \(rollup.name)",
        rollup.upsert(rollup.mostRecent(rollup.candidates(event)), .newer))
    }
  }

  /// Makes the late rows of closed periods right after a change, and removes those that say nothing new; see
  /// ``MostRecent/settle(_:)``.
  public func settle(_ lens: Lens) -> [Statement] { fed.map { $0.rollup.settle(lens) } }

  /// The first days of the periods that rows are in: what ``takeAway(_:)`` is told, so that it looks nowhere else.
  public func periods(of rows: RowSet) -> Statement {
    let types = catalog.periods(fedBy: source)
    return Statement(
      "the periods they are in",
      """
      SELECT DISTINCT p.period_start
      FROM \(rows.relation(of: source, as: "a"))
      JOIN \(source.table) AS s ON (\(of("s", source.key))) = (a.subject_id, a.row_id)
      CROSS JOIN LATERAL \(MostRecent.periods(types, at: source.time.instant(of: "s"))) AS p (period_type, period_start)
      WHERE \(source.time.hasPeriod(in: "s"))
      ORDER BY 1
      """)
  }

  /// Takes rows out of the rollups, before they are changed or removed in the source: where a rollup row holds one of
  /// them, the next most recent event takes its place, and where there is none the rollup row goes.
  public func takeAway(_ rows: RowSet) -> [Statement] {
    fed.flatMap { rollup, _ in
      let others = rollup.candidates(
        .subjectsOf(rows, source), where: "p.period_start = ANY (\(Parameter.periodStarts))",
        omitting: (rows, source))
      return [
        Statement(
          "put the next most recent in its place in \(rollup.name)",
          rollup.upsert(rollup.mostRecent(others), .replacing(rows, source))),
        Statement(
          "where there is none, remove the row of \(rollup.name)",
          """
          DELETE FROM \(rollup.table) AS r
          USING \(rows.relation(of: source, as: "a"))
          WHERE \(rollup.subjectID.of("r")) = a.subject_id AND \(rollup.isFrom(source))\(rollup.id.of("r")) = a.row_id
            AND r.period_start = ANY (\(Parameter.periodStarts)) AND NOT \(rollup.isClosed("r"))
          """),
      ]
    }
  }
}
