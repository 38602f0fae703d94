/// How a database becomes what the declarations say: the steps, in order. A value that knows no connection; the same
/// declarations and the same database give the same steps, and after they were taken there are none.
///
/// Each step leaves the database whole for the program of before and the one of after, so a migration that is killed is
/// gone on with by the next. Nothing in a plan changes a row of a closed period or what its digest is over.
public struct SchemaPlan: Sendable {
  /// What is to be done.
  public private(set) var steps: [SchemaStep] = []
  /// What is in the database, declared no more, and left there: a sentence each.
  public private(set) var remarks: [String] = []

  private let catalog: Catalog
  private let found: FoundSchema
  /// Whether what is declared no more is dropped.
  private let drops: Bool

  /// - Parameter drops: also removes columns, period types and rollups that are declared no more, as far as no edition
  ///   rests on them.
  /// - Throws: ``Refusal``.
  public init(_ catalog: Catalog, found: FoundSchema, dropping drops: Bool = false) throws(Refusal)
  {
    self.catalog = catalog
    self.found = found
    self.drops = drops
    for table in catalog.periodTables { try add(table) }
    for register in catalog.registers {
      for (was, column) in renames(register.shape) {
        let rename = Statement(
          "no row is touched", "ALTER TABLE \(register.table) RENAME COLUMN \(was) TO \(column)")
        steps.append(
          SchemaStep("rename \(was.name) of \(register.name) to \(column.name.name)", [rename]))
      }
      try bring([(register.shape, register.name)], called: register.name)
      addIndexes(of: register.shape)
    }
    try bring([(Ledger(catalog).shape, "the ledger")], called: "the ledger")
    addIndexes(of: Ledger(catalog).shape)
    removeRollups()
    addReadiness()
  }

  /// A change that is not made.
  public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
  }

  // MARK: Rollups

  private mutating func add(_ table: any PeriodTable) throws(Refusal) {
    let shapes = [(table.shape, table.name), (table.lateShape, "late rows of \(table.name)")]
    guard found.table(table.table) != nil else {
      steps.append(
        SchemaStep(
          "make \(table.name)",
          table.create + table.createLate + [table.createGuard]))
      return
    }
    renameColumns(of: table)
    try bring(shapes, called: table.name, with: [table.createGuard])
    for (shape, _) in shapes { addIndexes(of: shape) }
    for type in table.periods where found.table(table.table(of: type)) == nil {
      steps.append(SchemaStep("add \(type.plural) to \(table.name)", table.add(type)))
    }
    retire(table)
    // A step that has changed columns has made the guard with them.
    let guarded = steps.contains { $0.statements.contains(table.createGuard) }
    let body = table.createGuard.text.split(separator: "$guard$", omittingEmptySubsequences: false)
    if !guarded, found.functions[table.guardFunction.qualified] != String(body[1]) {
      steps.append(SchemaStep("make the guard of \(table.name)", [table.createGuard]))
    }
  }

  // MARK: Columns

  /// The columns that are to be called otherwise, of a table that is there.
  private func renames(_ shape: TableShape) -> [(was: Identifier, column: Column)] {
    guard let there = found.table(shape.table) else { return [] }
    return shape.columns.compactMap { shaped in
      guard let was = shaped.column.formerly, there.column(was) != nil,
        there.column(shaped.column.name) == nil
      else { return nil }
      return (was, shaped.column)
    }
  }

  /// Renames columns: of the rollup, of its late rows, of the rows that are kept of restated editions, on record. Digests
  /// are over columns in an order, whatever they are called.
  private mutating func renameColumns(of table: any PeriodTable) {
    for (was, column) in renames(table.shape) {
      let kept = found.keptEditions(of: table.table).filter {
        found.table($0)?.column(was) != nil
      }
      let renames = ([table.table, table.late] + kept).map { relation in
        Statement(
          "rename it in \(relation.table.name)",
          "ALTER TABLE \(relation) RENAME COLUMN \(was) TO \(column)")
      }
      let (from, to) = (
        Identifier(table.table.table.name + "_by_" + was.name),
        Identifier(table.table.table.name + "_by_" + column.name.name)
      )
      let index =
        found.table(table.table)?.index(from) == nil
        ? []
        : [
          Statement("and the index", "ALTER INDEX \(indexName(from, table.table)) RENAME TO \(to)")
        ]
      let wasNamed: SQL = "\(literal: .init(nameOf: Column(was, column.type)))"
      let isNamed: SQL = "\(literal: .init(nameOf: column))"
      let records = [
        Statement(
          "and on record",
          """
          UPDATE \(Editions.parts)
          SET columns = array_replace(columns, \(wasNamed), \(isNamed)),
            place = CASE place WHEN \(wasNamed) THEN \(isNamed) ELSE place END
          WHERE part = \(literal: .init(nameOf: table)) AND \(wasNamed) = ANY (columns)
          """),
        Statement(
          "and where it says what is readable",
          """
          UPDATE \(Readiness.table) SET name = \(isNamed)
          WHERE rollup = \(literal: .init(nameOf: table)) AND kind = 'column' AND name = \(wasNamed)
          """),
      ]
      steps.append(
        SchemaStep(
          "rename \(was.name) of \(table.name) to \(column.name.name)",
          lock([table.table]) + renames + index + records + [table.createGuard]))
    }
  }

  /// Adds the columns that tables lack, or makes tables that are not there.
  /// - Parameters:
  ///   - shapes: tables that change together, and what they are called.
  ///   - function: what is made anew when they do.
  private mutating func bring(
    _ shapes: [(shape: TableShape, name: String)], called name: String,
    with function: [Statement] = []
  ) throws(Refusal) {
    var (made, added): ([Statement], [(TableShape, ShapedColumn)]) = ([], [])
    for (shape, name) in shapes {
      guard let there = found.table(shape.table) else {
        made += shape.create
        continue
      }
      let renamed = Set(renames(shapes[0].shape).map(\.column))
      for shaped in shape.columns where !renamed.contains(shaped.column) {
        if let column = there.column(shaped.column.name) {
          try check(column, shaped, in: shape, name)
        } else if shaped.isRequired {
          throw Refusal(
            description:
              "\(shaped.column.name.name) of \(name) is what its rows are told apart or ordered by, and cannot be "
              + "added to rows that are there: declare a new rollup, under another name and table.")
        } else {
          added.append((shape, shaped))
        }
      }
    }
    if !made.isEmpty { steps.append(SchemaStep("make \(name)", made + function)) }
    guard !added.isEmpty else { return }
    let names = added.map(\.1.column.name.name)
    let unique = names.enumerated().filter { names.firstIndex(of: $1) == $0 }.map(\.element)
    let tables = shapes.map(\.shape.table).filter { table in added.contains { $0.0.table == table }
    }
    let additions = tables.map { table in
      let columns = added.filter { $0.0.table == table }.map {
        "ADD COLUMN \($0.1.definition)" as SQL
      }
      return Statement(
        "add to \(table.table.name); no row is touched", "ALTER TABLE \(table) \(.joined(columns))")
    }
    steps.append(
      SchemaStep(
        "add \(unique.joined(separator: ", ")) to \(name)", lock(tables) + additions + function))
  }

  private func check(
    _ column: FoundSchema.FoundColumn, _ shaped: ShapedColumn, in shape: TableShape, _ name: String
  ) throws(Refusal) {
    guard column.type != shaped.column.type.sql else { return }
    let new = "\(shaped.column.name.name)_\(shaped.column.type.sql)"
    throw Refusal(
      description: "\(column.name) of \(name) is \(column.type) in \(shape.table), and declared as "
        + "\(shaped.column.type.sql). A column keeps its type, because digests are over how its values are printed: "
        + "declare a new column beside it, such as \(new), and take \(column.name) out when nobody reads it."
    )
  }

  /// Keeps writers and readers out for the moment that the step takes, of all tables at once. The statement time-out
  /// bounds what the lock time-out bounds for each partition: writers of the first ones wait while the others are waited
  /// for.
  private func lock(_ tables: [TableName]) -> [Statement] {
    let listed: SQL = .joined(tables.map { "\($0)" as SQL })
    return [
      Statement("have the tables for a moment", "SET LOCAL statement_timeout = '1s'"),
      Statement("or try again later", "LOCK TABLE \(listed) IN ACCESS EXCLUSIVE MODE"),
      Statement("what follows is quick", "SET LOCAL statement_timeout = 0"),
    ]
  }

  // MARK: What is declared no more

  /// Columns and period types that are declared no more: dropped when that is asked for and no edition rests on them.
  private mutating func retire(_ table: any PeriodTable) {
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
    statements.append(table.createGuard)
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
  private mutating func removeRollups() {
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

  // MARK: Indexes

  /// Indexes that are declared and not there, without keeping writers waiting: of a partitioned table one for each
  /// partition, and then the parent's, which holds as soon as all are attached.
  private mutating func addIndexes(of shape: TableShape) {
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

  private func indexName(_ index: Identifier, _ table: TableName) -> TableName {
    TableName(schema: table.schema, index)
  }

  // MARK: Readiness

  /// Puts on record what is new. What was there before that record was begun is readable; what is new is when a backfill
  /// has filled it, or at once where the sources are empty.
  private mutating func addReadiness() {
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
