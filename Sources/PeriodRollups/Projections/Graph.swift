/// Projections and what they derive from, checked: no cycle, no unknown column.
///
/// ```swift
/// let graph = try Graph([OutstandingProtocol.projection, TriggeredCadence.projection])
/// ```
public struct Graph: Sendable {
  /// With all they derive from, inputs before what needs them.
  public let projections: [Projection]
  private let byName: [String: Projection]
  /// The inputs of each, by name, in the order of its text.
  private let inputs: [String: [Input]]

  /// - Parameter targets: what they derive from is found.
  /// - Throws: ``GraphError``.
  public init(_ targets: [Projection]) throws(GraphError) {
    var search = Search()
    for target in targets { try search.visit(target) }
    projections = search.sorted
    byName = search.found
    inputs = search.inputs
    for projection in projections { try check(projection) }
  }

  /// Depth first; a projection that is met while its inputs are being visited derives from itself.
  private struct Search {
    var sorted: [Projection] = []
    var found: [String: Projection] = [:]
    var inputs: [String: [Input]] = [:]
    private var path: [String] = []

    mutating func visit(_ projection: Projection) throws(GraphError) {
      let name = projection.name
      if let start = path.firstIndex(of: name) { throw .cycle(Array(path[start...]) + [name]) }
      if let known = found[name] {
        guard known.table == projection.table, known.columns == projection.columns else {
          throw .twoOfOneName(name)
        }
        return
      }
      path.append(name)
      let mine = projection.inputs
      for input in mine {
        if case .projection(let find) = input.relation { try visit(find()) }
      }
      path.removeLast()
      found[name] = projection
      inputs[name] = mine
      sorted.append(projection)
    }
  }

  private func check(_ projection: Projection) throws(GraphError) {
    let options = projection.options
    var named = projection.key + projection.scopes + options.required
    switch options.onConflict {
    case .replace(let columns), .ifNewer(let columns): named += columns
    case .replaceAll, .nothing: break
    }
    named += options.emits?.key ?? []
    for column in named where !projection.columns.contains(column) {
      throw .unknownColumn(
        column.name.name, in: projection.name, known: projection.columns.map(\.name.name))
    }
    if let unit = projection.unit {
      guard projection.key.contains(unit), projection.scopes.contains(unit) else {
        throw .badUnit(unit.name.name, of: projection.name)
      }
    }
  }

  // MARK: Looking things up

  /// - Throws: ``GraphError/unknownProjection(_:known:)``.
  public func projection(_ name: String) throws(GraphError) -> Projection {
    guard let found = byName[name] else {
      throw .unknownProjection(name, known: projections.map(\.name))
    }
    return found
  }

  /// The projections that have a table.
  public var stored: [Projection] { projections.filter { $0.table != nil } }

  func inputs(of projection: Projection) -> [Input] { inputs[projection.name] ?? [] }

  /// The projections that one reads, virtual ones among them, each once.
  public func projections(readBy projection: Projection) -> [Projection] {
    var names: Set<String> = []
    return inputs(of: projection).compactMap { resolved($0) }.filter {
      names.insert($0.name).inserted
    }
  }

  /// The tables of the application that one reads, each once.
  public func tables(readBy projection: Projection) -> [Table] {
    var tables: [Table] = []
    for case .table(let table) in inputs(of: projection).map(\.relation)
    where !tables.contains(table) {
      tables.append(table)
    }
    return tables
  }

  /// The projection that an input is; nil for a table.
  func resolved(_ input: Input) -> Projection? {
    guard case .projection(let find) = input.relation else { return nil }
    return byName[find().name]
  }

  /// The stored projections that one reads, through virtual ones too, and whether it reads them whole.
  func storedInputs(of projection: Projection) -> [(projection: Projection, isWhole: Bool)] {
    inputs(of: projection).flatMap { input -> [(projection: Projection, isWhole: Bool)] in
      guard let read = resolved(input) else { return [] }
      guard read.table == nil else { return [(read, input.isWhole)] }
      return storedInputs(of: read).map { ($0.projection, $0.isWhole || input.isWhole) }
    }
  }
}
