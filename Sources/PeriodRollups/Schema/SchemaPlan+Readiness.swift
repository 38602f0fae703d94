/// What is new may be read when it is filled.
extension SchemaPlan {
  /// Puts on record what is new. What was there before that record was begun is readable; what is new is when a backfill
  /// has filled it, or at once where the sources are empty.
  mutating func addReadiness() {
    var statements: [Statement] = []
    for table in catalog.periodTables {
      let there = found.table(table.table)
      let renamed = Dictionary(
        renames(table.shape).map { ($0.column.name.name, $0.was.name) },
        uniquingKeysWith: { a, _ in a })
      var items = table.periods.map { type in
        (ReadinessItem(table.name, .periods, type.code), found.table(table.table(of: type)) != nil)
      }
      // Of a rollup that is new its rows are what is filled.
      if there != nil {
        items += table.lineColumns.compactMap { column in
          let item = ReadinessItem(table.name, .column, column.name.name)
          guard there?.column(column.name) == nil, renamed[column.name.name] == nil else {
            return nil
          }
          return (item, false)
        }
      }
      for (item, isOld) in items where !found.readiness.contains(item) {
        statements.append(
          Readiness.enter(item, of: table.table, isFilled: isOld, sources: sources(of: table)))
      }
    }
    for register in catalog.registers {
      guard let there = found.table(register.table) else { continue }
      let renamed = renames(register.shape).map(\.column)
      for column in register.content
      where there.column(column.name) == nil && !renamed.contains(column) {
        let item = ReadinessItem(register.name, .column, column.name.name)
        statements.append(
          Readiness.enter(
            item, of: register.table, isFilled: false, sources: [catalog.subject.table]))
      }
    }
    if !statements.isEmpty {
      steps.append(SchemaStep("note what is not filled yet", statements))
    }
  }

  private func sources(of table: any PeriodTable) -> [TableName] {
    (table as? MostRecent)?.inputs.map(\.source.table) ?? [catalog.subject.table]
  }
}
