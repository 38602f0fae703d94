/// What is in the database and declared no more.
extension SchemaPlan {
  /// Columns and period types that are declared no more: dropped when that is asked for and no edition rests on them.
  mutating func retire(_ table: any PeriodTable) {
    guard let there = found.table(table.table) else { return }
    let name = table.table.qualified
    let known = Set(table.shape.columns.map(\.column.name.name))
      .union(renames(table.shape).map(\.was.name))
    let gone = there.columns.filter { !known.contains($0.name) }
    let onRecord = found.columnsOfEditions
    let isNeeded = { (column: FoundSchema.FoundColumn) in
      onRecord.map { $0[name]?.contains(column.name) == true } ?? true
    }
    for column in gone where isNeeded(column) {
      remarks.append(
        "\(column.name) of \(table.name) is declared no more; it stays, and is written no more, as long as an edition's digest is over it"
      )
    }
    let required = gone.filter(\.isRequired)
    if !required.isEmpty {
      let changes = required.map { "ALTER COLUMN \(Identifier($0.name)) DROP NOT NULL" as SQL }
      steps.append(
        SchemaStep(
          "write \(required.map(\.name).joined(separator: ", ")) of \(table.name) no more",
          lock([table.table]) + [
            Statement("it may be empty", "ALTER TABLE \(table.table) \(.joined(changes))")
          ]))
    }
    let free = gone.filter { !isNeeded($0) }
    if !free.isEmpty { drop(free.map(\.name), of: table) }
    for type in PeriodType.allCases
    where !table.periods.contains(type) && found.table(table.table(of: type)) != nil {
      remove(type, of: table)
    }
  }

  private mutating func drop(_ columns: [String], of table: any PeriodTable) {
    let listed = columns.joined(separator: ", ")
    guard drops else {
      remarks.append(
        "\(listed) of \(table.name) is declared no more; 'rollup migrate --drop' drops it, once no program writes it"
      )
      return
    }
    let late = found.table(table.late)
    let changes = columns.map { "DROP COLUMN \(Identifier($0))" as SQL }
    let lateChanges = columns.filter { late?.column(Identifier($0)) != nil }.map {
      "DROP COLUMN \(Identifier($0))" as SQL
    }
    var statements = lock([table.table, table.late])
    statements.append(
      Statement("from the rows; none is touched", "ALTER TABLE \(table.table) \(.joined(changes))"))
    if !lateChanges.isEmpty {
      statements.append(
        Statement("from the late rows", "ALTER TABLE \(table.late) \(.joined(lateChanges))"))
    }
    statements.append(forget(table.name, "kind = 'column' AND name IN (\(literals(columns)))"))
    statements += table.makeGuard
    steps.append(SchemaStep("drop \(listed) of \(table.name)", statements))
  }

  private mutating func remove(_ type: PeriodType, of table: any PeriodTable) {
    if found.columnsOfEditions == nil
      || found.typesOfEditions[table.table.qualified]?.contains(type.code) == true
    {
      remarks.append(
        "\(type.plural) of \(table.name) are declared no more; they stay, because editions rest on them"
      )
    } else if drops {
      let relation = table.table(of: type)
      steps.append(
        SchemaStep(
          "drop the \(type.plural) of \(table.name)",
          [
            Statement(
              "let writers pass", "ALTER TABLE \(table.table) DETACH PARTITION \(relation)"),
            Statement("and drop them", "DROP TABLE \(relation)"),
            forget(table.name, "kind = 'periods' AND name = \(literal: .init(type))"),
          ]))
    } else {
      remarks.append(
        "\(type.plural) of \(table.name) are declared no more, and written no more; 'rollup migrate --drop' drops them"
      )
    }
  }

  /// Rollups that are in the database and not declared.
  mutating func removeRollups() {
    let declared = Set(catalog.periodTables.map(\.table.qualified))
    for (name, table) in found.tables.sorted(by: { $0.key < $1.key })
    where table.isPartitioned && table.parent == nil && !declared.contains(name) {
      let relation = TableName(qualified: name)
      guard let late = found.tables[name + "_late"], late.column("period_start") != nil else {
        continue
      }
      if found.columnsOfEditions == nil || found.columnsOfEditions?[name] != nil {
        remarks.append(
          "\(name) is of no declared rollup; it stays, and is written no more, because editions rest on it"
        )
      } else if drops {
        steps.append(
          SchemaStep(
            "drop \(name), which is of no declared rollup",
            [
              Statement("its rows", "DROP TABLE \(relation)"),
              Statement("its late rows", "DROP TABLE \(relation.suffixed("_late"))"),
              Statement("its guard", "DROP FUNCTION IF EXISTS \(relation.guardFunction)()"),
              Statement(
                "and what it calls",
                "DROP FUNCTION IF EXISTS \(relation.settlingFunction), \(relation.wasThereFunction)"
              ),
              Statement(
                "what is said of it",
                "DELETE FROM \(Readiness.table) WHERE relation = \(literal: .init(found: name))"),
            ]))
      } else {
        remarks.append(
          "\(name) is of no declared rollup; 'rollup migrate --drop' drops it, once no program writes it"
        )
      }
    }
  }

  private func forget(_ rollup: String, _ condition: SQL) -> Statement {
    Statement(
      "what is said of it",
      "DELETE FROM \(Readiness.table) WHERE rollup = \(literal: .init(found: rollup)) AND \(condition)"
    )
  }

  private func literals(_ names: [String]) -> SQL {
    .joined(names.map { "\(literal: .init(found: $0))" })
  }
}
