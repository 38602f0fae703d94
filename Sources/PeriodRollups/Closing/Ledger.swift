/// The ledger of late arrivals: every event that entered or left a closed period, once for each change and period.
public struct Ledger: Sendable {
  public static let table: TableName = "rollup.late_arrivals"
  let catalog: Catalog

  public init(_ catalog: Catalog) { self.catalog = catalog }

  /// Makes the table. `change` is what was done, `effect` what it means for the period: the event came `in`, went `out`,
  /// or stays `within` it with other values.
  public var create: [Statement] { shape.create }

  var shape: TableShape {
    func column(_ name: Identifier, _ type: ColumnType, _ suffix: SQL = "") -> ShapedColumn {
      ShapedColumn(Column(name, type), required: true, suffix)
    }
    return TableShape(
      "make the ledger of late arrivals", Self.table,
      columns: [
        column("number", .bigint, " GENERATED ALWAYS AS IDENTITY"),
        column("arrived_at", .timestamptz, " DEFAULT now()"),
        column("transaction", .xid8, " DEFAULT pg_current_xact_id()"),
        column("change", .text, " CHECK (change IN (\(.joined(Self.changes)))) "),
        column("effect", .text, " CHECK (effect IN ('in', 'out', 'within'))"),
        column("source", .char), column("subject_id", catalog.subject.id.type),
        column("row_id", .text), column("period_type", .char), column("period_start", .date),
        ShapedColumn(Column("occurred_at", .timestamptz)),
      ],
      indexes: [
        IndexShape(
          "one entry for a change and period", "late_arrivals_once", on: Self.once, unique: true)
      ])
  }

  /// What an entry can say that was done.
  private static let changes: [SQL] = [
    "'insert'", "'edit'", "'delete'", "'restore'", "'destroy'", "'reassign'", "'merge'",
    "'arrival'", "'departure'", "'backfill'", "'repair'",
  ]

  /// What an entry is told by. `number` only orders entries, and is no key: where its sequence has fallen behind the table,
  /// as after a failover or a partial restore, an entry would collide with an older one, and be lost or fail a write.
  static let once = [
    "period_start", "period_type", "subject_id", "source", "row_id", "transaction", "change",
    "effect",
  ].map { Column(Identifier($0), .text) }

  /// What a writer says of an entry; number, time and transaction are the database's.
  static let said: [Identifier] = [
    "change", "effect", "source", "subject_id", "row_id", "period_type", "period_start",
    "occurred_at",
  ]

  /// What was done.
  public enum Change: String, Sendable {
    case edit, delete, restore, destroy, reassign, merge
    /// The subject came, or was restored.
    case arrival
    /// The subject was deleted.
    case departure

    var literal: StaticOrDeclared { StaticOrDeclared(self) }
  }

  /// Where rows stood before a change.
  public enum Before: Sendable {
    /// One row whose instant and standing are given: ``standing``.
    case given
    /// The rows of a staging table, which remembers.
    case staged(TableName)
    /// All rows of the lens's subjects, which existed or did not: only who comes or goes matters.
    case subjects(Lens, existed: Parameter)
    /// The same for the subjects of a staging table, which remembers.
    case stagedSubjects(TableName)

    var isOfSubjects: Bool {
      switch self {
      case .given, .staged: false
      case .subjects, .stagedSubjects: true
      }
    }
  }

  /// One row's instant, and whether it counts: what ``enter(_:_:before:leaving:)`` is told after the change.
  public func standing(_ source: Source) -> Statement {
    Statement(
      "where it stands",
      """
      SELECT \(source.time.instant(of: "s")) AS was_time, \(counts(source)) AS was_counted
      FROM \(RowSet.given.relation(of: source, as: "a"))
      JOIN \(source.table) AS s ON (\(of("s", source.key))) = (a.subject_id, a.row_id)
      """)
  }

  /// Enters what a change of rows meant for closed periods, comparing where they stood with where they stand. Run when the
  /// change is made and the periods' partitions are held, so that none can close any more.
  ///
  /// - Parameter leaving: the rows are about to be removed for good.
  public func enter(
    _ change: Change, _ source: Source, before: Before, leaving: Bool = false
  ) -> Statement {
    let types = catalog.periods(fedBy: source)
    let stands: SQL = leaving ? "false" : counts(source)
    let onlyMoves: SQL =
      before.isOfSubjects ? "\nHAVING bool_and(p.was) OR bool_and(NOT p.was)" : ""
    return Statement(
      "enter in the ledger",
      """
      INSERT INTO \(Self.table) (change, effect, source, subject_id, row_id, period_type, period_start, occurred_at)
      SELECT q.change, CASE WHEN q.was AND q.stands THEN 'within' WHEN q.was THEN 'out' ELSE 'in' END,
        \(literal: .init(codeOf: source)), q.subject_id, q.row_id::text, q.period_type, q.period_start, q.occurred_at
      FROM (
        SELECT b.change, b.subject_id, b.row_id, p.period_type, p.period_start, b.changed,
          bool_or(p.was) AS was, bool_or(NOT p.was) AS stands,
          coalesce(max(p.instant) FILTER (WHERE NOT p.was), max(p.instant)) AS occurred_at
        FROM (
          \(relation(change, before, source))
        ) AS b
        LEFT JOIN \(source.table) AS s ON (\(of("s", source.key))) = (b.subject_id, b.row_id)
        CROSS JOIN LATERAL (
          SELECT w.period_type, w.period_start, true AS was, b.was_time AS instant
          FROM \(MostRecent.periods(types, at: "b.was_time")) AS w (period_type, period_start)
          WHERE b.was_counted
          UNION ALL
          SELECT n.period_type, n.period_start, false, \(source.time.instant(of: "s"))
          FROM \(MostRecent.periods(types, at: source.time.instant(of: "s"))) AS n (period_type, period_start)
          WHERE \(stands)
        ) AS p
        GROUP BY 1, 2, 3, 4, 5, 6\(onlyMoves)
      ) AS q
      JOIN \(Editions.closed(for: catalog.fed(by: source).map(\.0), as: "c")) ON c.period_type = q.period_type AND c.period_start = q.period_start
      WHERE NOT (q.was AND q.stands AND \(isYoung(source, "q")))
      ON CONFLICT (\(names(Self.once))) DO NOTHING
      """)
  }

  /// A row counts when it exists, has a period, and its subject exists.
  func counts(_ source: Source) -> SQL {
    let subject = catalog.subject
    return """
      (\(source.exists.sql(of: "s")) AND \(source.time.hasPeriod(in: "s")) AND EXISTS (
        SELECT FROM \(subject.table) AS k
        WHERE \(subject.id.of("k")) = \(source.subject.of("s")) AND \(subject.exists.sql(of: "k"))
      )) IS TRUE
      """
  }

  /// Whether all that has changed of an event is in columns that the editions of its closed period do not have: such a
  /// change is none of theirs.
  private func isYoung(_ source: Source, _ alias: Identifier) -> SQL {
    let editions = catalog.fed(by: source).flatMap { rollup, input in
      zip(input.kept, rollup.kept).map { (rollup: rollup, from: $0, to: $1) }
    }
    let kept = source.values.filter { value in editions.contains { $0.from == value } }
    guard !kept.isEmpty else { return "false" }
    let cases = kept.map { column -> SQL in
      let having = editions.filter { $0.from == column }.map {
        """
        (h.part = \(literal: .init(nameOf: $0.rollup)) AND \(literal: .init(nameOf: $0.to)) = ANY (h.columns))
        """ as SQL
      }
      return "WHEN \(literal: .init(nameOf: column)) THEN \(.joined(having, " OR "))"
    }
    return """
      (\(alias).changed IS NOT NULL AND NOT EXISTS (
        SELECT FROM unnest(\(alias).changed) AS n (name)
        LEFT JOIN \(Editions.parts) AS h ON h.period_type = \(alias).period_type
          AND h.period_start = \(alias).period_start
        WHERE CASE n.name \(.joined(cases, " ")) ELSE true END
      ))
      """
  }

  private func relation(_ change: Change, _ before: Before, _ source: Source) -> SQL {
    let name: SQL = "\(literal: change.literal)"
    switch before {
    case .given:
      return """
        SELECT \(name) AS change, a.subject_id, a.row_id, \(Parameter.wasTime) AS was_time,
          \(Parameter.wasCounted) AS was_counted, \(Parameter.changed) AS changed
        FROM \(RowSet.given.relation(of: source, as: "a"))
        """
    case .staged(let table):
      return """
        SELECT CASE WHEN t.known THEN \(name) ELSE 'insert' END AS change,
          \(source.subject.of("t")) AS subject_id, \(source.id.of("t")) AS row_id, t.was_time, t.was_counted,
          t.changed
        FROM \(table) AS t
        """
    case .subjects(let lens, let existed):
      return ofSubjects(
        name, source, lens.condition(on: source.subject.of("s"), catalog.subject.id.type),
        existed: "\(existed)")
    case .stagedSubjects(let table):
      return ofSubjects(
        "CASE WHEN t.known THEN \(name) ELSE 'arrival' END", source, "true",
        existed: "t.was_counted",
        joining: """

          JOIN \(table) AS t ON \(catalog.subject.id.of("t")) = \(source.subject.of("s"))
          """)
    }
  }

  private func ofSubjects(
    _ name: SQL, _ source: Source, _ condition: SQL, existed: SQL, joining: SQL = ""
  ) -> SQL {
    """
    SELECT \(name) AS change, \(source.subject.of("s")) AS subject_id, \(source.id.of("s")) AS row_id,
      \(source.time.instant(of: "s")) AS was_time,
      \(existed) AND \(source.exists.sql(of: "s")) AND (\(source.time.hasPeriod(in: "s"))) IS TRUE AS was_counted,
      NULL::text[] AS changed
    FROM \(source.table) AS s\(joining)
    WHERE \(condition)
    """
  }

  /// The first days of the closed periods among those that rows were in and those that they are in now.
  public func closedAmong(_ rows: RowSet, _ source: Source) -> Statement {
    let types = catalog.periods(fedBy: source)
    return Statement(
      "which of their periods are closed",
      """
      SELECT DISTINCT c.period_start
      FROM \(Editions.closed(for: catalog.fed(by: source).map(\.0), as: "c"))
      WHERE c.period_start = ANY (\(Parameter.periodStarts)) OR c.period_start IN (
        SELECT p.period_start
        FROM \(rows.relation(of: source, as: "a"))
        JOIN \(source.table) AS s ON (\(of("s", source.key))) = (a.subject_id, a.row_id)
        CROSS JOIN LATERAL \(MostRecent.periods(types, at: source.time.instant(of: "s"))) AS p (period_type, period_start)
        WHERE \(source.time.hasPeriod(in: "s"))
      )
      """)
  }

  /// The first days of all closed periods.
  public var closed: Statement {
    Statement(
      "the closed periods",
      "SELECT DISTINCT c.period_start FROM \(Editions.closed(for: catalog.mostRecent, as: "c"))"
    )
  }
}

extension Parameter {
  /// The instant that a row had before a change.
  static let wasTime = Parameter("was_time", .timestamptz)
  /// Whether it counted.
  static let wasCounted = Parameter("was_counted", .boolean)
  /// The names of the columns that a change has changed; null for all.
  static let changed = Parameter("changed", .array(.text))
  /// Whether the subjects existed before a change.
  public static let existed = Parameter("existed", .boolean)
}
