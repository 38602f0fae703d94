extension Graph {
  /// The relations that stand for inputs in statements of one form of lens.
  struct Relations {
    let graph: Graph
    let form: LensForm
    /// The projection that reads: what the lens says of its scopes is said of its inputs too.
    let reader: Projection
    /// Other tables to read projections from, by name: those of a verification.
    var places: [String: TableName] = [:]

    /// The input's rows within the lens, as a relation in parentheses.
    func relation(_ input: Input) -> SQL {
      let scopes = input.isWhole ? [] : reader.scopes
      switch input.relation {
      case .table(let table):
        return """
          (
            SELECT \(.joined(table.columns.map { Self.named(table.stored($0), $0) }))
            FROM \(table.table) AS s
            \(limits(scopes.filter(table.columns.contains)) { table.stored($0).of("s") })
          )
          """
      case .projection(let find):
        let projection = graph.resolved(input) ?? find()
        let shared = scopes.filter(projection.columns.contains)
        guard let table = places[projection.name] ?? projection.table else {
          return virtual(projection, shared)
        }
        return """
          (
            SELECT \(names(projection.columns))
            FROM \(table) AS s
            \(limits(shared) { $0.of("s") })
          )
          """
      }
    }

    /// A virtual projection's own query, narrowed within and without.
    private func virtual(_ projection: Projection, _ shared: [Column]) -> SQL {
      let narrowing = shared.filter(projection.scopes.contains)
      let within = Relations(
        graph: graph, form: form, reader: projection.scoped(by: narrowing, unit: reader.unit),
        places: places)
      return """
        (
          SELECT \(names(projection.columns))
          FROM (
            \(within.rows(of: projection.derivations()[0]))
          ) AS s
          \(limits(shared, repeated: narrowing) { $0.of("s") })
        )
        """
    }

    func rows(of derivation: Derivation) -> SQL { derivation.sql(relation) }

    private func limits(
      _ columns: [Column], repeated: [Column] = [], _ expression: (Column) -> SQL
    ) -> SQL {
      let conditions = form.conditions(
        on: columns, unit: reader.unit, repeated: repeated, expression)
      return conditions.isEmpty ? "WHERE true" : "WHERE \(.joined(conditions, " AND "))"
    }

    private static func named(_ stored: Column, _ column: Column) -> SQL {
      stored == column ? stored.of("s") : "\(stored.of("s")) AS \(column)"
    }
  }
}

extension Projection {
  /// The same with other scopes: what a lens says besides is not said of its inputs.
  fileprivate func scoped(by scopes: [Column], unit: Column?) -> Projection {
    Projection(
      name, table: table, columns: columns, key: key, scopes: scopes, unit: unit,
      options: options, kind: kind, derivations: derivations)
  }
}
