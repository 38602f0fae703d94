import Foundation
import PeriodRollups
import Postgres
import RollupStore
import TestSupport

/// A random graph over two tables, each of its projections written twice: as a declaration, and as Swift over arrays, which
/// shares nothing with it.
struct RandomGraph {
  static let org = Field<Int>("org")
  static let unit = Field<Int>("unit")
  static let grp = Column("grp", .bigint)
  static let val = Column("val", .bigint)
  static let columns = [org.column, unit.column, grp, val]

  struct Line: Hashable, Comparable {
    var org: Int
    var unit: Int
    var grp: Int
    var val: Int

    static func < (a: Line, b: Line) -> Bool {
      (a.org, a.unit, a.grp, a.val) < (b.org, b.unit, b.grp, b.val)
    }
  }

  struct Node {
    let projection: Projection
    /// By the sources' lines.
    let oracle: ([[Line]]) -> [Line]
    /// Whether it, or what it reads, is derived for whole organizations.
    let isWide: Bool
    let hasUnit: Bool
  }

  static let schema = """
    CREATE SCHEMA t;
    CREATE TABLE t.a (id bigint PRIMARY KEY, of_unit bigint NOT NULL, org bigint NOT NULL, grp bigint NOT NULL, val bigint NOT NULL);
    CREATE TABLE t.b (id bigint PRIMARY KEY, of_unit bigint NOT NULL, org bigint NOT NULL, grp bigint NOT NULL, val bigint NOT NULL);
    """

  private static let sources = ["a", "b"].map {
    Table(
      $0, table: TableName(stringLiteral: "t.\($0)"), columns: columns, stored: ["unit": "of_unit"])
  }

  private(set) var nodes: [Node] = []
  let graph: Graph
  let streams: [StreamDerivation]

  /// - Parameter mayBeWide: whether rows may depend on whole organizations.
  init(seed: UInt64, mayBeWide: Bool = true) throws {
    var random = Seeded(seed)
    var streams: [StreamDerivation] = []
    let count = Int.random(in: 2...7, using: &random)
    for number in 0..<count {
      let isLast = number == count - 1
      nodes.append(
        Self.node(
          number, isLast ? nil : mayBeWide, nodes, &streams, emits: isLast, &random))
    }
    graph = try Graph(nodes.map(\.projection))
    self.streams = streams
  }

  var target: Node { nodes[nodes.count - 1] }

  private typealias Reading = (
    input: any Derivable, lines: ([[Line]]) -> [Line], isWide: Bool, isKeyed: Bool
  )

  /// An input that has units: a source or a node.
  private static func input(_ nodes: [Node], _ random: inout Seeded) -> Reading {
    let fit = nodes.filter(\.hasUnit)
    let pick = Int.random(in: 0..<(fit.count * 2 + 2), using: &random)
    guard pick < fit.count * 2 else {
      let source = pick - fit.count * 2
      return (sources[source], { $0[source] }, false, false)
    }
    let node = fit[pick / 2]
    return (node.projection, node.oracle, node.isWide, node.projection.table != nil)
  }

  private static func node(
    _ number: Int, _ mayBeWide: Bool?, _ nodes: [Node], _ streams: inout [StreamDerivation],
    emits: Bool, _ random: inout Seeded
  ) -> Node {
    let name = "n\(number)"
    let table = TableName(stringLiteral: "t.n\(number)")
    let a = input(nodes, &random)
    let b = input(nodes, &random)
    let k = Int.random(in: 2...4, using: &random)
    let key = [unit.column, grp]
    let scopes = [org.column, unit.column]
    let options = Projection.Options(
      emits: emits ? Action("noticed", key: [unit.column, grp, val]) : nil)
    func derived(
      _ options: Projection.Options, _ derivations: @escaping @Sendable () -> [Derivation]
    ) -> Projection {
      .derived(
        name, table: table, columns: columns, key: key, scopes: scopes, unit: unit.column,
        options: options, derivations)
    }
    func node(_ projection: Projection, isWide: Bool, _ oracle: @escaping ([[Line]]) -> [Line])
      -> Node
    {
      Node(projection: projection, oracle: oracle, isWide: isWide, hasUnit: true)
    }
    let wide = nodes.last { !$0.hasUnit }
    let (readA, readB) = (a.input, b.input)
    let isWide = a.isWide || b.isWide
    switch Int.random(in: emits ? 1...5 : 0...7, using: &random) {
    case 0:
      return node(
        .virtual(name, columns: columns) {
          "SELECT v.* FROM \(readA) AS v WHERE v.val % \(k) <> 0"
        }, isWide: a.isWide
      ) { a.lines($0).filter { $0.val % k != 0 } }
    case 1:
      return node(
        .mostRecent(
          name, table: table, of: ComparableInput(relation: readA.relation),
          per: [org.column, unit.column, grp], by: [val], scopes: scopes, unit: unit.column,
          options: options), isWide: a.isWide
      ) { grouped(a.lines($0)) { $0.map(\.val).max() ?? 0 } }
    case 2:
      return node(
        .count(
          name, table: table, of: ComparableInput(relation: readA.relation),
          per: [org.column, unit.column, grp], as: val, scopes: scopes, unit: unit.column,
          options: options), isWide: a.isWide
      ) { grouped(a.lines($0)) { $0.count } }
    case 3:
      return node(
        derived(options) {
          [
            """
            SELECT x.org, x.unit, x.grp, max(x.val + coalesce(y.val, 0)) AS val
            FROM \(readA) AS x
            LEFT JOIN \(readB) AS y ON y.unit = x.unit AND y.grp = x.grp AND y.val % \(k) = 0
            GROUP BY 1, 2, 3
            """
          ]
        }, isWide: isWide
      ) { sources in
        let other = b.lines(sources).filter { $0.val % k == 0 }
        return grouped(
          a.lines(sources).flatMap { x -> [Line] in
            let fit = other.filter { $0.unit == x.unit && $0.grp == x.grp }
            return (fit.isEmpty ? [0] : fit.map(\.val)).map {
              Line(org: x.org, unit: x.unit, grp: x.grp, val: x.val + $0)
            }
          }
        ) { $0.map(\.val).max() ?? 0 }
      }
    case 4:
      var newest = options
      newest.onConflict = .ifNewer(by: [val])
      return node(
        derived(newest) {
          [
            "SELECT x.org, x.unit, x.grp, min(x.val) AS val FROM \(readA) AS x GROUP BY 1, 2, 3",
            "SELECT y.org, y.unit, y.grp, y.val + 1 AS val FROM (SELECT org, unit, grp, max(val) AS val FROM \(readB) AS z GROUP BY 1, 2, 3) AS y",
          ]
        }, isWide: isWide
      ) { sources in
        let first = grouped(a.lines(sources)) { $0.map(\.val).min() ?? 0 }
        let second = grouped(b.lines(sources)) { ($0.map(\.val).max() ?? 0) + 1 }
        return grouped(first + second) { $0.map(\.val).max() ?? 0 }
      }
    case 5:
      let projection = Projection.streamed(
        name, table: table, columns: columns, key: key, scopes: scopes, unit: unit.column,
        options: options
      ) {
        "SELECT x.org, x.unit, x.grp, sum(x.val)::bigint AS val FROM \(readA) AS x GROUP BY 1, 2, 3"
      }
      struct Output: Encodable {
        let org: Int, unit: Int, grp: Int, val: Int
      }
      streams.append(
        StreamDerivation(projection) { rows in
          try rows.compactMap { row -> Output? in
            let (org, unit, grp, sum) = try row.decode((Int, Int, Int, Int).self)
            return sum % k == 0 ? nil : Output(org: org, unit: unit, grp: grp, val: sum * 2)
          }
        })
      return node(projection, isWide: a.isWide) { sources in
        grouped(a.lines(sources)) { $0.map(\.val).reduce(0, +) }
          .filter { $0.val % k != 0 }
          .map { Line(org: $0.org, unit: $0.unit, grp: $0.grp, val: $0.val * 2) }
      }
    case 6 where mayBeWide == true:
      // By organization: it has no units.
      let projection = Projection.derived(
        name, table: table, columns: [org.column, val], key: [org.column], scopes: [org.column],
        unit: org.column, options: .init(isWhole: true)
      ) { ["SELECT x.org, count(*) AS val FROM \(readA) AS x GROUP BY 1"] }
      return Node(
        projection: projection,
        oracle: { sources in
          Dictionary(grouping: a.lines(sources), by: \.org).map {
            Line(org: $0.key, unit: 0, grp: 0, val: $0.value.count)
          }
        }, isWide: true, hasUnit: false)
    default:
      guard let wide else {
        return Self.node(number, mayBeWide, nodes, &streams, emits: emits, &random)
      }
      let other = wide.projection
      return node(
        derived(options) {
          [
            """
            SELECT x.org, x.unit, x.grp, max(x.val + w.val) AS val
            FROM \(readA) AS x
            JOIN \(other) AS w ON w.org = x.org
            GROUP BY 1, 2, 3
            """
          ]
        }, isWide: true
      ) { sources in
        let counts = Dictionary(uniqueKeysWithValues: wide.oracle(sources).map { ($0.org, $0.val) })
        return grouped(
          a.lines(sources).compactMap { x in
            counts[x.org].map { Line(org: x.org, unit: x.unit, grp: x.grp, val: x.val + $0) }
          }
        ) { $0.map(\.val).max() ?? 0 }
      }
    }
  }

  /// One line for each group.
  private static func grouped(_ lines: [Line], _ value: ([Line]) -> Int) -> [Line] {
    Dictionary(grouping: lines) { [$0.org, $0.unit, $0.grp] }.map { group, lines in
      Line(org: group[0], unit: group[1], grp: group[2], val: value(lines))
    }
  }

  /// What a node's table has.
  static func lines(of node: Node, _ pool: Pool) async throws -> [Line] {
    guard let table = node.projection.table else { return [] }
    let columns = node.hasUnit ? "org, unit, grp, val" : "org, 0::bigint, 0::bigint, val"
    return try await pool.withConnection { connection in
      try await connection.query(Query(text: "SELECT \(columns) FROM \(table)")).map { row in
        let (org, unit, grp, val) = try row.decode((Int, Int, Int, Int).self)
        return Line(org: org, unit: unit, grp: grp, val: val)
      }
    }
  }

  static func sources(_ pool: Pool) async throws -> [[Line]] {
    var sources: [[Line]] = []
    for table in ["t.a", "t.b"] {
      sources.append(
        try await pool.withConnection { connection in
          try await connection.query(
            Query(text: "SELECT org, of_unit, grp, val FROM \(table)")
          ).map { row in
            let (org, unit, grp, val) = try row.decode((Int, Int, Int, Int).self)
            return Line(org: org, unit: unit, grp: grp, val: val)
          }
        })
    }
    return sources
  }

  /// Changes a source, for one unit: an insert, an edit, a deletion, or its move to another organization.
  /// - Returns: the unit.
  @discardableResult
  static func change(_ pool: Pool, _ random: inout Seeded, units: Int = 8, mayMove: Bool = true)
    async throws -> Int
  {
    let unit = Int.random(in: 1...units, using: &random)
    let table = Bool.random(using: &random) ? "t.a" : "t.b"
    let (grp, val) = (Int.random(in: 1...3, using: &random), Int.random(in: 0...20, using: &random))
    let id = Int.random(in: 1...1_000_000_000, using: &random)
    let org = Int.random(in: 1...3, using: &random)
    let what = Int.random(in: 0...(mayMove ? 9 : 8), using: &random)
    try await pool.transaction(retrying: .standard) { tx in
      // One organization a unit: the application's own rule.
      _ = try await tx.query("SELECT pg_advisory_xact_lock(99, \(Int32(unit)))")
      switch what {
      case 0...4:
        try await tx.execute(
          """
          INSERT INTO \(unescaped: table) (id, of_unit, org, grp, val)
          SELECT \(id), \(unit), coalesce((SELECT org FROM t.a WHERE of_unit = \(unit) LIMIT 1),
            (SELECT org FROM t.b WHERE of_unit = \(unit) LIMIT 1), \(org)), \(grp), \(val)
          """)
      case 5, 6:
        try await tx.execute(
          "UPDATE \(unescaped: table) SET val = \(val), grp = \(grp) WHERE id = (SELECT id FROM \(unescaped: table) WHERE of_unit = \(unit) LIMIT 1)"
        )
      case 7, 8:
        try await tx.execute(
          "DELETE FROM \(unescaped: table) WHERE id IN (SELECT id FROM \(unescaped: table) WHERE of_unit = \(unit) ORDER BY id LIMIT \(Int64(grp)))"
        )
      default:
        for table in ["t.a", "t.b"] {
          try await tx.execute(
            "UPDATE \(unescaped: table) SET org = \(org) WHERE of_unit = \(unit)")
        }
      }
    }
    return unit
  }

  /// A random lens, and what it says of a line.
  static func lens(_ random: inout Seeded) -> (Projection.Lens, @Sendable (Line) -> Bool) {
    let (u, o) = (Int.random(in: 1...8, using: &random), Int.random(in: 1...3, using: &random))
    let some = (0..<3).map { _ in Int.random(in: 1...8, using: &random) }
    switch Int.random(in: 0...7, using: &random) {
    case 0, 1: return (.where(unit, is: u), { $0.unit == u })
    case 2: return (.where(unit, in: some), { some.contains($0.unit) })
    case 3: return (.where(unit, within: u..<(u + 3)), { (u..<(u + 3)).contains($0.unit) })
    case 4: return (.where(org, is: o), { $0.org == o })
    case 5:
      return (
        .where(org, is: o).and(unit, in: some), { $0.org == o && some.contains($0.unit) }
      )
    case 6:
      return (.where(org, is: o).and(unit) { $0 % 2 == 0 }, { $0.org == o && $0.unit % 2 == 0 })
    default: return (.everything, { _ in true })
    }
  }
}

/// An input of which only the relation is known.
struct ComparableInput: Derivable {
  let relation: Relation
}
