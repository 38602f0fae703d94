/// Indexes that are declared and not there.
extension SchemaPlan {
  /// Indexes that are declared and not there, without keeping writers waiting: of a partitioned table one for each
  /// partition, and then the parent's, which holds as soon as all are attached.
  mutating func addIndexes(of shape: TableShape) {
    guard let there = found.table(shape.table) else { return }
    let renamed = renames(shape)
    for index in shape.indexes {
      // One that is about to be renamed is there.
      if renamed.contains(where: { index.columns == [$0.column] }) { continue }
      if there.isPartitioned {
        addIndex(index, onPartitionsOf: shape.table, there)
      } else {
        replaceIndex(index, on: shape.table, there)
      }
    }
  }

  private mutating func addIndex(
    _ index: IndexShape, onPartitionsOf parent: TableName, _ there: FoundSchema.Table
  ) {
    if there.index(index.name)?.isValid == true { return }
    if there.index(index.name) == nil {
      steps.append(
        SchemaStep(
          "begin \(index.name.name)",
          [Statement(index.purpose, index.definition("", index.name, on: "ONLY \(parent)"))]))
    }
    for (name, partition) in found.partitions(of: parent.qualified) {
      addIndex(index, on: TableName(qualified: name), partition, under: index.name, of: parent)
    }
  }

  /// The index of a partition, and below it of its own partitions.
  private mutating func addIndex(
    _ index: IndexShape, on relation: TableName, _ there: FoundSchema.Table,
    under parent: Identifier,
    of parentTable: TableName
  ) {
    if let attached = there.indexes.first(where: { $0.parent == parent.name }), attached.isValid {
      return
    }
    let own =
      there.indexes.first { $0.parent == parent.name }.map { Identifier($0.name) }
      ?? Identifier.short(relation.table.name + "_by_" + index.columns[0].name.name)
    var isThere = there.index(own) != nil
    if there.isPartitioned {
      if !isThere {
        steps.append(
          SchemaStep(
            "begin \(own.name)",
            [Statement(index.purpose, index.definition("", own, on: "ONLY \(relation)"))]))
      }
      for (name, partition) in found.partitions(of: relation.qualified) {
        addIndex(index, on: TableName(qualified: name), partition, under: own, of: relation)
      }
    } else {
      if there.index(own)?.isValid == false {
        steps.append(dropping(own, relation, "what an interrupted migration has left"))
        isThere = false
      }
      if !isThere {
        steps.append(
          SchemaStep(
            "index \(relation.table.name)",
            [Statement(index.purpose, index.definition("CONCURRENTLY ", own, on: "\(relation)"))],
            in: .alone))
      }
    }
    guard there.index(own)?.parent == nil else { return }
    steps.append(
      SchemaStep(
        "attach \(own.name)",
        [
          Statement(
            "to its parent's",
            "ALTER INDEX \(indexName(parent, parentTable)) ATTACH PARTITION \(indexName(own, relation))"
          )
        ]))
  }

  /// Of a table without partitions; one with other columns is replaced by the right one beside it.
  private mutating func replaceIndex(
    _ index: IndexShape, on table: TableName, _ there: FoundSchema.Table
  ) {
    let next = Identifier.short(index.name.name + "_next")
    let wanted = (index.columns + index.including).map(\.name.name)
    if let old = there.index(index.name), old.isValid, old.columns == wanted { return }
    // An interrupted migration may have got as far as having it.
    let begun = there.index(next)
    let isMade = begun.map { $0.isValid && $0.columns == wanted } ?? false
    if begun != nil, !isMade {
      steps.append(dropping(next, table, "what an interrupted migration has left"))
    }
    if !isMade {
      steps.append(
        SchemaStep(
          "index \(table.table.name)",
          [Statement(index.purpose, index.definition("CONCURRENTLY ", next, on: "\(table)"))],
          in: .alone))
    }
    if there.index(index.name) != nil {
      steps.append(dropping(index.name, table, "the one of before"))
    }
    steps.append(
      SchemaStep(
        "call it \(index.name.name)",
        [Statement("in its place", "ALTER INDEX \(indexName(next, table)) RENAME TO \(index.name)")]
      ))
  }

  private func dropping(_ index: Identifier, _ table: TableName, _ reason: String) -> SchemaStep {
    SchemaStep(
      "drop \(index.name)",
      [Statement(reason, "DROP INDEX CONCURRENTLY IF EXISTS \(indexName(index, table))")],
      in: .alone)
  }

  func indexName(_ index: Identifier, _ table: TableName) -> TableName {
    TableName(schema: table.schema, index)
  }
}
