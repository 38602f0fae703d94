/// How a database becomes what the declarations say: the steps, in order. A value that knows no connection; the same
/// declarations and the same database give the same steps, and after they were taken there are none.
///
/// Each step leaves the database whole for the program of before and the one of after, so a migration that is killed is
/// gone on with by the next. Nothing in a plan changes a row of a closed period or what its digest is over.
public struct SchemaPlan: Sendable {
  /// What is to be done.
  public internal(set) var steps: [SchemaStep] = []
  /// What is in the database, declared no more, and left there: a sentence each.
  public internal(set) var remarks: [String] = []

  let catalog: Catalog
  let found: FoundSchema
  /// Whether what is declared no more is dropped.
  let drops: Bool

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
    try bring(
      [(Diversions(catalog).shape, "the table of diverted events")],
      called: "the table of diverted events", with: Diversions(catalog).makeEntering)
    if !Changes(catalog).places.isEmpty {
      try bring([(Changes(catalog).shape, "the notes of changes")], called: "the notes of changes")
    }
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
          table.create + table.createLate + table.makeGuard))
      return
    }
    renameColumns(of: table)
    try bring(shapes, called: table.name, with: table.makeGuard)
    for (shape, _) in shapes { addIndexes(of: shape) }
    for type in table.periods where found.table(table.table(of: type)) == nil {
      steps.append(SchemaStep("add \(type.plural) to \(table.name)", table.add(type)))
    }
    retire(table)
    // A step that has changed columns has made the guard with them.
    let guarded = steps.contains { $0.statements.contains(table.createGuard) }
    let body = table.createGuard.text.split(separator: "$guard$", omittingEmptySubsequences: false)
    if !guarded, found.functions[table.guardFunction.qualified] != String(body[1]) {
      steps.append(SchemaStep("make the guard of \(table.name)", table.makeGuard))
    }
  }

  // MARK: Columns

  /// The columns that are to be called otherwise, of a table that is there.
  func renames(_ shape: TableShape) -> [(was: Identifier, column: Column)] {
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
          lock([table.table]) + renames + index + records + table.makeGuard))
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
  func lock(_ tables: [TableName]) -> [Statement] {
    let listed: SQL = .joined(tables.map { "\($0)" as SQL })
    return [
      Statement("have the tables for a moment", "SET LOCAL statement_timeout = '1s'"),
      Statement("or try again later", "LOCK TABLE \(listed) IN ACCESS EXCLUSIVE MODE"),
      Statement("what follows is quick", "SET LOCAL statement_timeout = 0"),
    ]
  }
}
