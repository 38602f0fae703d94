extension Graph {
  /// Makes the tables of the projections that are not the write path's, with an index for each scope; can be run again.
  public var create: [Statement] {
    stored.filter { !$0.isKeptAtCommit }.flatMap(\.creation)
  }
}

extension Projection {
  fileprivate var creation: [Statement] {
    guard let table else { return [] }
    let needed = key + options.required
    let columns = self.columns.map { column -> SQL in
      let demand: SQL = needed.contains(column) ? " NOT NULL" : ""
      return "\(column) \(column.type)\(demand)"
    }
    let schema = table.schema.map { schema in
      Statement("make the schema", "CREATE SCHEMA IF NOT EXISTS \(schema)")
    }
    let creation = Statement(
      "make the table of \(name)",
      """
      CREATE TABLE IF NOT EXISTS \(table) (
        \(.joined(columns, ",\n")),
        PRIMARY KEY (\(names(key)))
      )
      """)
    let indexes = scopes.filter { $0 != key.first }.map { scope in
      Statement(
        "find \(name) by \(scope.name.name)",
        "CREATE INDEX IF NOT EXISTS \(Identifier("\(table.table.name)_by_\(scope.name.name)")) ON \(table) (\(scope))"
      )
    }
    return (schema.map { [$0] } ?? []) + [creation] + indexes
  }
}
