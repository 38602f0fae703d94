/// The units of a stage: what they are, which there are, and the locks on them.
///
/// Units are locked by slots, many to a slot, so that a chunk of any size takes few locks; a stage's chunks are cut between
/// slots, so that no two of them meet.
public struct Units: Sendable {
  let stage: Plan.Stage
  let graph: Graph
  let unit: Column
  let form: LensForm

  /// How many locks the units of a graph share.
  static let slots = 4096

  /// - Returns: nil when the stage is derived whole.
  public init?(of stage: Plan.Stage, in graph: Graph) {
    guard let unit = stage.unit else { return nil }
    self.stage = stage
    self.graph = graph
    self.unit = unit
    self.form = LensForm(stage.lens, isChunk: false)
  }

  /// Every unit that may have a row in the lens, as text, and its slot, in the order of slots: those that the inputs have now,
  /// and those that the projections still have.
  public var all: Statement {
    var relations: [SQL] = []
    for projection in stage.projections {
      let reading = Graph.Relations(graph: graph, form: form, reader: projection)
      relations.append(reading.relation(Input(projection.relation, isWhole: false)))
      for input in graph.inputs(of: projection) where hasUnit(input) {
        relations.append(reading.relation(input))
      }
    }
    let each = relations.map { "SELECT \(unit.of("r")) AS unit\nFROM \($0) AS r" as SQL }
    return Self.bySlot("the units of the lens", .joined(each, "\nUNION\n"))
  }

  /// As ``all`` for units that are given.
  public var given: Statement {
    Self.bySlot(
      "the units of the lens",
      "SELECT DISTINCT g.unit FROM unnest(\(Parameter.units(unit))) AS g (unit)")
  }

  private static func bySlot(_ name: String, _ units: SQL) -> Statement {
    Statement(
      name,
      """
      SELECT u.unit::text, \(slot("u.unit")) AS slot
      FROM (
        \(units)
      ) AS u
      WHERE u.unit IS NOT NULL
      ORDER BY slot, u.unit
      """)
  }

  /// Cuts units into chunks that share no slot, as far as a slot has no more than a chunk may have.
  /// - Parameters:
  ///   - units: in the order of slots.
  ///   - most: how many a chunk has at most.
  public static func cut(_ units: [(unit: String, slot: Int)], most: Int) -> [[String]] {
    var chunks: [[String]] = []
    var chunk: [String] = []
    func end() {
      if !chunk.isEmpty { chunks.append(chunk) }
      chunk = []
    }
    var rest = units[...]
    while let first = rest.first {
      let slot = rest.prefix { $0.slot == first.slot }
      rest = rest.dropFirst(slot.count)
      if chunk.count + slot.count > most { end() }
      chunk += slot.map(\.unit)
      while chunk.count > most {
        chunks.append(Array(chunk.prefix(most)))
        chunk.removeFirst(most)
      }
    }
    end()
    return chunks
  }

  /// Inputs of the same stage have no units that their own inputs do not have.
  private func hasUnit(_ input: Input) -> Bool {
    switch input.relation {
    case .table(let table): return table.columns.contains(unit)
    case .projection:
      guard let projection = graph.resolved(input) else { return false }
      return projection.columns.contains(unit)
        && !stage.projections.contains { $0.name == projection.name }
    }
  }

  /// Locks a chunk's units, in the order of slots.
  public static func lock(_ unit: Column) -> Statement {
    let units = Parameter.units(unit)
    return Statement(
      "lock the units",
      """
      SELECT pg_advisory_xact_lock(hashtext(\(lockName(unit.name.name))), s.slot)
      FROM (
        SELECT DISTINCT \(slot("u.unit")) AS slot
        FROM unnest(\(units)) AS u (unit)
        ORDER BY slot
      ) AS s
      """)
  }

  /// Locks a projection that is derived whole.
  public static func lock(whole projection: Projection) -> Statement {
    Statement(
      "lock all of it", "SELECT pg_advisory_xact_lock(hashtext(\(lockName(projection.name))), -1)")
  }

  private static func lockName(_ name: String) -> Parameter {
    Parameter("lock", .text, constant: "projection \(name)")
  }

  private static func slot(_ unit: SQL) -> SQL {
    "(hashtextextended((\(unit))::text, 0) & \(slots - 1))::integer"
  }

  /// Keeps periods from being closed until the transaction ends: before rows of periods are written.
  public static var holdEditions: Statement {
    Statement("keep periods from closing", "LOCK TABLE \(Editions.table) IN SHARE MODE")
  }
}
