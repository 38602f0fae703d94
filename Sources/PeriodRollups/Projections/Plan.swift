/// What has to be done, in which order, for a projection's rows in a lens to be right.
public struct Plan: Sendable {
  public let target: Projection
  public let lens: Projection.Lens
  public let stages: [Stage]

  /// Projections that are derived together, a chunk of units at a time and each chunk in a transaction of its own: their
  /// lens and unit are the same, and none needs more of another than the chunk's own rows.
  public struct Stage: Sendable {
    /// Stages of one level have nothing to do with each other.
    public let level: Int
    public let lens: Projection.Lens
    /// Nil where the projection is derived whole.
    public let unit: Column?
    /// Inputs before what needs them.
    public fileprivate(set) var projections: [Projection]
  }

  /// How many levels there are.
  public var levels: Int { (stages.map(\.level).max() ?? -1) + 1 }

  public func stages(of level: Int) -> [Stage] { stages.filter { $0.level == level } }
}

extension Graph {
  /// The plan for a projection's rows in a lens.
  /// - Parameter withInputs: false to derive it alone, from its inputs as they are.
  /// - Throws: ``GraphError`` when the lens cannot be used on the projection or on one it needs.
  public func plan(_ target: Projection, _ lens: Projection.Lens, withInputs: Bool = true)
    throws(GraphError) -> Plan
  {
    try check(lens, on: target)
    var demands: [String: Projection.Lens] = [target.name: lens]
    if target.table == nil { try demandInputs(of: target, &demands, for: target) }
    if withInputs {
      for projection in projections.reversed()
      where projection.table != nil && demands[projection.name] != nil {
        try demandInputs(of: projection, &demands, for: target)
      }
    }
    var builder = Builder()
    for projection in projections where projection.table != nil {
      guard let demanded = demands[projection.name] else { continue }
      if projection.isKeptAtCommit, projection.name != target.name { continue }
      builder.add(projection, demanded, after: storedInputs(of: projection))
    }
    return Plan(target: target, lens: lens, stages: builder.stages.sorted { $0.level < $1.level })
  }

  /// - Throws: ``GraphError`` when the projection cannot be derived for the lens alone.
  public func check(_ lens: Projection.Lens, on projection: Projection) throws(GraphError) {
    for column in lens.columns where !projection.scopes.contains(column) {
      guard projection.columns.contains(column) else {
        throw .unknownColumn(
          column.name.name, in: projection.name, known: projection.columns.map(\.name.name))
      }
      throw .noScope(
        column.name.name, of: projection.name, scopes: projection.scopes.map(\.name.name))
    }
    for predicate in lens.predicates
    where projection.table != nil && predicate.column != projection.unit {
      throw .predicateOfNoUnit(predicate.column.name.name, of: projection.name)
    }
  }

  private func demandInputs(
    of projection: Projection, _ demands: inout [String: Projection.Lens], for target: Projection
  ) throws(GraphError) {
    let lens = demands[projection.name] ?? .everything
    for (input, isWhole) in storedInputs(of: projection) where !input.isKeptAtCommit {
      let asked = isWhole ? .everything : lens.restricted(to: input.scopes)
      // Two that need different scopes of it get what both are within.
      let both = demands[input.name].map { $0.common(with: asked) } ?? asked
      if both.isEverything, !lens.isEverything, !isWhole, !input.options.isWhole {
        throw .lensIsLost("\(lens)", at: input.name, on: target.name)
      }
      demands[input.name] = both
    }
  }

  /// Puts each projection into the first stage that may derive it.
  private struct Builder {
    var stages: [Plan.Stage] = []
    private var stageOf: [String: Int] = [:]

    mutating func add(
      _ projection: Projection, _ lens: Projection.Lens,
      after inputs: [(projection: Projection, isWhole: Bool)]
    ) {
      var level = 0
      for (input, isWhole) in inputs {
        guard let number = stageOf[input.name] else { continue }
        let stage = stages[number]
        let together =
          !isWhole && projection.unit != nil && stage.unit == projection.unit
          && stage.lens.isSame(as: lens) && projection.options.reads == .primary
        level = max(level, together ? stage.level : stage.level + 1)
      }
      let same = stages.indices.first { number in
        stages[number].level == level && stages[number].unit == projection.unit
          && projection.unit != nil && stages[number].lens.isSame(as: lens)
      }
      if let same {
        stages[same].projections.append(projection)
        stageOf[projection.name] = same
      } else {
        stages.append(
          Plan.Stage(level: level, lens: lens, unit: projection.unit, projections: [projection]))
        stageOf[projection.name] = stages.count - 1
      }
    }
  }
}
