/// The statements that make a stored projection's rows in a lens what its inputs give.
///
/// One statement derives, takes away what is derived no more, writes what differs and notes actions, all in one snapshot.
/// That is right only with the scope's units locked by an *earlier* statement (``lockUnits``): of two that derive the
/// same rows the later then begins with a snapshot in which the earlier is committed (docs/projections.md).
public struct Materialisation: Sendable {
  public let projection: Projection
  let graph: Graph
  let form: LensForm

  public init(_ projection: Projection, in graph: Graph, form: LensForm) {
    self.projection = projection
    self.graph = graph
    self.form = form
  }

  private var table: TableName { projection.table ?? TableName(stringLiteral: projection.name) }
  private var rest: [Column] { projection.columns.filter { !projection.key.contains($0) } }

  // MARK: What is derived

  /// The rows that the inputs give for the lens.
  /// - Parameter places: other tables to read projections from.
  func derived(from places: [String: TableName] = [:]) -> SQL {
    let relations = Graph.Relations(graph: graph, form: form, reader: projection, places: places)
    let parts = projection.derivations().map { within(relations.rows(of: $0)) }
    guard case .ifNewer(let ranking) = projection.options.onConflict else {
      return .joined(parts, "\nUNION ALL\n")
    }
    let decisive = ranking + rest.filter { !ranking.contains($0) }
    return """
      SELECT DISTINCT ON (\(names(projection.key))) \(names(projection.columns))
      FROM (
        \(.joined(parts, "\nUNION ALL\n"))
      ) AS every
      ORDER BY \(names(projection.key)), \(.joined(decisive.map { "\($0) DESC NULLS LAST" }))
      """
  }

  /// Rows that are wanted: within the lens, with what is required, of open periods.
  private func within(_ rows: SQL) -> SQL {
    """
    SELECT \(of("d", projection.columns))
    FROM (
      \(rows)
    ) AS d
    WHERE \(.joined(conditions(of: "d", repeated: narrowedWithin) + required, " AND "))
    """
  }

  /// The scopes that the inputs are narrowed by.
  private var narrowedWithin: [Column] {
    let inputs = graph.inputs(of: projection).filter { !$0.isWhole }
    return projection.scopes.filter { scope in
      inputs.contains { input in
        switch input.relation {
        case .table(let table): table.columns.contains(scope)
        case .projection(let find): (graph.resolved(input) ?? find()).columns.contains(scope)
        }
      }
    }
  }

  private var required: [SQL] {
    let needed =
      projection.key + projection.options.required.filter { !projection.key.contains($0) }
    return needed.map { "\($0.of("d")) IS NOT NULL" }
  }

  /// The lens, and that the period is open.
  private func conditions(of alias: Identifier, repeated: [Column] = []) -> [SQL] {
    let closed: [SQL] = projection.isPeriodic ? ["NOT \(Editions.isClosed(alias))"] : []
    let all = limits(of: alias, repeated: repeated) + closed
    return all.isEmpty ? ["true"] : all
  }

  /// The lens. Said of rows that are there too, so that a chunk's are read and not the whole table.
  private func limits(of alias: Identifier, repeated: [Column] = []) -> [SQL] {
    form.conditions(on: projection.scopes, unit: projection.unit, repeated: repeated) {
      $0.of(alias)
    }
  }

  // MARK: Writing

  /// Rows that Swift made, as a parameter.
  private var given: SQL {
    """
    SELECT \(of("d", projection.columns))
    FROM jsonb_to_recordset(\(Parameter.rows)::jsonb) AS d (\(.joined(projection.columns.map { "\($0) \($0.type)" })))
    """
  }

  /// Derives and writes. Returns how many rows were written, taken away, how many actions were noted, and the seconds it took.
  public var materialise: Statement {
    Statement("materialise \(projection.name)", writing(derived()))
  }

  /// The same for rows that were derived outside of the statement (``derivedAsText``, or Swift), as a JSON array.
  public var write: Statement {
    Statement("write \(projection.name)", writing(within(given)))
  }

  private func writing(_ rows: SQL) -> SQL {
    """
    WITH derived AS MATERIALIZED (
      \(rows)
    ), gone AS (
      \(taking)
      RETURNING 1
    ), written AS (
      \(adding)
      RETURNING \(of("t", projection.columns))
    )\(noting)
    SELECT c.written, c.gone, c.emitted, extract(epoch FROM clock_timestamp() - statement_timestamp())::double precision
    FROM (
      SELECT (SELECT count(*) FROM written) AS written, (SELECT count(*) FROM gone) AS gone, \(emitted) AS emitted
      OFFSET 0
    ) AS c
    """
  }

  private var emitted: SQL {
    projection.options.emits == nil ? "0::bigint" : "(SELECT count(*) FROM queued)"
  }

  private var taking: SQL {
    let kept = projection.options.dematerialises ? conditions(of: "t") : ["false"]
    return """
      DELETE FROM \(table) AS t
      WHERE \(.joined(kept, " AND ")) AND NOT EXISTS (
          SELECT FROM derived AS d
          WHERE (\(of("d", projection.key))) = (\(of("t", projection.key)))
        )
      """
  }

  private var adding: SQL {
    """
    INSERT INTO \(table) AS t (\(names(projection.columns)))
    SELECT \(of("d", projection.columns))
    FROM derived AS d
    WHERE NOT EXISTS (
      SELECT FROM \(table) AS r
      WHERE \(.joined(limits(of: "r") + ["(\(of("r", projection.key))) = (\(of("d", projection.key)))"], " AND "))
        AND \(isRight("r", "d"))
    )
    ON CONFLICT (\(names(projection.key))) \(meeting)
    """
  }

  /// The columns that a derived row gives the one that is there.
  var replaced: [Column] {
    switch projection.options.onConflict {
    case .replaceAll, .ifNewer: rest
    case .replace(let columns): columns
    case .nothing: []
    }
  }

  private func isRight(_ there: Identifier, _ derived: Identifier) -> SQL {
    replaced.isEmpty
      ? "true" : "(\(of(there, replaced))) IS NOT DISTINCT FROM (\(of(derived, replaced)))"
  }

  private var meeting: SQL {
    guard !replaced.isEmpty else { return "DO NOTHING" }
    let closed: SQL = projection.isPeriodic ? " AND NOT \(Editions.isClosed("t"))" : ""
    return """
      DO UPDATE
      SET (\(names(replaced))) = ROW (\(of("excluded", replaced)))
      WHERE (\(of("t", replaced))) IS DISTINCT FROM (\(of("excluded", replaced)))\(closed)
      """
  }

  /// Notes the action of each row that was written, once for each key, as a job for whoever delivers.
  private var noting: SQL {
    guard let action = projection.options.emits else { return "" }
    let key: SQL = "jsonb_build_array(\(of("w", action.key)))::text"
    return """
      , noted AS (
        INSERT INTO rollup.emitted (action, key)
        SELECT DISTINCT \(literal: .init(declared: action.name)), \(key)
        FROM written AS w
        WHERE \(action.condition ?? "true")
        ORDER BY 2
        ON CONFLICT (action, key) DO NOTHING
        RETURNING key
      ), queued AS (
        INSERT INTO rollup.jobs (queue, kind, arguments, max_failures)
        SELECT DISTINCT ON (n.key) 'actions', \(literal: .init(declared: "action " + action.name)),
          jsonb_build_object('key', n.key, 'row', to_jsonb(w)), 20
        FROM noted AS n
        JOIN written AS w ON \(key) = n.key AND \(action.condition ?? "true")
        ORDER BY n.key
        RETURNING pg_notify('rollup_jobs', 'actions')
      )
      """
  }

  // MARK: Taking away, reading, finding

  /// Takes away the rows of the lens.
  public var dematerialise: Statement {
    Statement(
      "take away rows of \(projection.name)",
      """
      DELETE FROM \(table) AS t
      WHERE \(.joined(conditions(of: "t"), " AND "))
      """)
  }

  /// The rows as they are; a virtual projection's are those of its inputs.
  public var rows: Statement {
    let relations = Graph.Relations(graph: graph, form: form, reader: projection)
    let order: SQL = projection.key.isEmpty ? "" : "\nORDER BY \(names(projection.key))"
    return Statement(
      "read \(projection.name)",
      "SELECT \(of("r", projection.columns))\nFROM \(relations.relation(Input(projection.relation, isWhole: false))) AS r\(order)"
    )
  }

  /// What is derived, each row as JSON: from a replica, to be written elsewhere.
  public var derivedAsText: Statement {
    Statement(
      "derive \(projection.name)", "SELECT to_jsonb(d)::text\nFROM (\n  \(derived())\n) AS d")
  }

  /// The rows that a streamed projection's function is given, in an order of its query.
  public var streamed: Statement {
    let relations = Graph.Relations(graph: graph, form: form, reader: projection)
    return Statement(
      "read what \(projection.name) is derived from",
      relations.rows(of: projection.derivations()[0]))
  }

  // MARK: Verifying

  /// Derives from nothing: the rows go to a temporary table of their own, where later ones find them.
  /// - Parameter places: the tables of the projections that were derived so before.
  public func expect(in places: [String: TableName]) -> Statement {
    Statement(
      "derive \(projection.name) from nothing",
      """
      CREATE TEMPORARY TABLE \(Self.place(of: projection)) ON COMMIT DROP AS
      \(derived(from: places))
      """)
  }

  /// The same for rows that Swift made.
  public var expectGiven: Statement {
    Statement(
      "derive \(projection.name) from nothing",
      "INSERT INTO \(Self.place(of: projection))\n\(within(given))")
  }

  /// As ``streamed``, from other tables.
  public func streamed(from places: [String: TableName]) -> Statement {
    let relations = Graph.Relations(graph: graph, form: form, reader: projection, places: places)
    return Statement(
      "read what \(projection.name) is derived from",
      relations.rows(of: projection.derivations()[0]))
  }

  /// An empty table for ``expectGiven``.
  public var expectNothing: Statement {
    Statement(
      "make room for \(projection.name)",
      "CREATE TEMPORARY TABLE \(Self.place(of: projection)) (LIKE \(table)) ON COMMIT DROP")
  }

  /// Where a verification puts what it derives.
  public static func place(of projection: Projection) -> TableName {
    TableName(schema: "pg_temp", Identifier("expected " + projection.name))
  }

  /// The differences between what was derived from nothing and what is there: `kind`, `key` as text.
  public var compare: Statement {
    let orphans: SQL = projection.options.dematerialises ? "true" : "e IS NOT NULL"
    let wrong: SQL =
      replaced.isEmpty
      ? "false" : "(\(of("e", replaced))) IS DISTINCT FROM (\(of("r", replaced)))"
    return Statement(
      "compare \(projection.name) with its derivation",
      """
      SELECT CASE WHEN \(projection.key[0].of("r")) IS NULL THEN 'missing'
          WHEN \(projection.key[0].of("e")) IS NULL THEN 'orphan' ELSE 'wrong value' END AS kind,
        jsonb_build_array(\(.joined(projection.key.map { "coalesce(\($0.of("e")), \($0.of("r")))" })))::text AS key
      FROM \(Self.place(of: projection)) AS e
      FULL JOIN (
        SELECT \(of("t", projection.columns))
        FROM \(table) AS t
        WHERE \(.joined(conditions(of: "t"), " AND "))
      ) AS r ON (\(of("r", projection.key))) = (\(of("e", projection.key)))
      WHERE \(projection.key[0].of("r")) IS NULL OR (\(projection.key[0].of("e")) IS NULL AND \(orphans)) OR \(wrong)
      ORDER BY 2
      """)
  }
}

extension Parameter {
  /// Rows as a JSON array of objects.
  static let rows = Parameter("rows", .text)
}
