import PeriodRollups
import Postgres

/// Reads from the database's catalogue what ``SchemaPlan`` compares the declarations with.
enum SchemaReading {
  static func read(_ catalog: Catalog, on connection: Connection) async throws -> FoundSchema {
    var found = FoundSchema()
    // Types are compared as the declarations spell them.
    try await connection.execute("SET quote_all_identifiers = off")
    let schemas = schemas(of: catalog)
    try await readTables(schemas, into: &found, connection)
    try await readIndexes(schemas, into: &found, connection)
    for row in try await connection.query(
      """
      SELECT n.nspname || '.' || p.proname, p.prosrc
      FROM pg_proc AS p
      JOIN pg_namespace AS n ON n.oid = p.pronamespace
      WHERE n.nspname = ANY (\(schemas)) AND p.prorettype = 'trigger'::regtype
      """)
    {
      let (name, body) = try row.decode((String, String).self)
      found.functions[name] = body
    }
    try await readEditions(into: &found, connection)
    return found
  }

  /// Where the declared tables of the library are.
  private static func schemas(of catalog: Catalog) -> [String] {
    let tables =
      catalog.periodTables.map(\.table) + catalog.registers.map(\.table) + [Ledger.table]
    return Array(Set(tables.map { $0.schema?.name ?? "public" })).sorted()
  }

  private static func readTables(
    _ schemas: [String], into found: inout FoundSchema, _ connection: Connection
  ) async throws {
    let rows = try await connection.query(
      """
      SELECT n.nspname || '.' || c.relname, c.relkind = 'p', o.nspname || '.' || p.relname, a.attname::text,
        CASE format_type(a.atttypid, NULL) WHEN 'timestamp with time zone' THEN 'timestamptz'
          WHEN 'timestamp without time zone' THEN 'timestamp' ELSE format_type(a.atttypid, NULL) END,
        a.attnotnull
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
      LEFT JOIN pg_class AS p ON p.oid = i.inhparent
      LEFT JOIN pg_namespace AS o ON o.oid = p.relnamespace
      LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE n.nspname = ANY (\(schemas)) AND c.relkind IN ('r', 'p')
      ORDER BY 1, a.attnum
      """)
    for row in rows {
      let name = try row.decode(0, as: String.self)
      var table = found.tables[name] ?? FoundSchema.Table()
      table.isPartitioned = try row.decode(1, as: Bool.self)
      table.parent = try row.decode(2, as: String?.self)
      if let column = try row.decode(3, as: String?.self) {
        table.columns.append(
          FoundSchema.FoundColumn(
            name: column, type: try row.decode(4, as: String.self),
            isRequired: try row.decode(5, as: Bool.self)))
      }
      found.tables[name] = table
    }
  }

  private static func readIndexes(
    _ schemas: [String], into found: inout FoundSchema, _ connection: Connection
  ) async throws {
    let rows = try await connection.query(
      """
      SELECT n.nspname || '.' || t.relname, c.relname::text, i.indisvalid, p.relname::text, (
          SELECT array_agg(a.attname::text ORDER BY k.number)
          FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, number)
          JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        )
      FROM pg_index AS i
      JOIN pg_class AS c ON c.oid = i.indexrelid
      JOIN pg_class AS t ON t.oid = i.indrelid
      JOIN pg_namespace AS n ON n.oid = t.relnamespace
      LEFT JOIN pg_inherits AS h ON h.inhrelid = i.indexrelid
      LEFT JOIN pg_class AS p ON p.oid = h.inhparent
      WHERE n.nspname = ANY (\(schemas))
      """)
    for row in rows {
      let index = FoundSchema.FoundIndex(
        name: try row.decode(1, as: String.self), isValid: try row.decode(2, as: Bool.self),
        parent: try row.decode(3, as: String?.self),
        columns: try row.decode(4, as: [String]?.self) ?? [])
      found.tables[try row.decode(0, as: String.self)]?.indexes.append(index)
    }
  }

  /// What editions rest on, and what has an entry of readiness; as far as the database keeps that on record.
  private static func readEditions(into found: inout FoundSchema, _ connection: Connection)
    async throws
  {
    guard found.tables["rollup.edition_parts"] != nil else {
      guard found.tables["rollup.editions"] != nil else { return }
      let any = try await connection.query("SELECT EXISTS (SELECT FROM rollup.editions)")
      found.columnsOfEditions = try any.only(Bool.self) ? nil : [:]
      return
    }
    for row in try await connection.query(
      """
      SELECT DISTINCT relation, period_type::text, c
      FROM rollup.edition_parts CROSS JOIN LATERAL unnest(columns) AS c
      """)
    {
      let (relation, type, column) = try row.decode((String, String, String).self)
      found.columnsOfEditions?[relation, default: []].insert(column)
      found.typesOfEditions[relation, default: []].insert(type)
    }
    for row in try await connection.query("SELECT rollup, kind, name FROM rollup.readiness") {
      let (rollup, kind, name) = try row.decode((String, String, String).self)
      guard let kind = ReadinessItem.Kind(rawValue: kind) else { continue }
      found.readiness.insert(ReadinessItem(rollup, kind, name))
    }
  }
}
