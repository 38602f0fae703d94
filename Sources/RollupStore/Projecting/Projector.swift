import Foundation
import Logging
import Metrics
import PeriodRollups
import Postgres
import Synchronization

/// A graph of projections on a database.
///
/// ```swift
/// let clinic = try Projector(pool, graph, timeZone: "Asia/Kolkata")
/// for try await reminder in try await clinic.project(OutstandingProtocol.self, lens: .where(patientID, is: id)) { … }
/// ```
///
/// ## Topics
/// - Fresh rows: ``project(_:lens:on:withInputs:)``, ``begin(_:lens:on:withInputs:)``
/// - Rows as they are: ``rows(of:lens:)``
/// - Taking away: ``dematerialise(_:lens:)``
/// - Checking: ``verify(_:lens:)``
/// - Tables: ``deploy()``
public struct Projector: Sendable {
  public let pool: Pool
  public let graph: Graph
  /// The reporting time zone, an IANA name.
  public let timeZone: String
  /// Where projections that ask for it read; the primary when there is none.
  let replica: Pool?
  /// For the rollups of the write path that are in the graph.
  let rollups: RollupStore?
  let streams: [String: StreamDerivation]
  let chunkSize: Int
  private let today: @Sendable () -> CalendarDay
  let logger: Logger?
  private let composed = Composed()

  /// - Parameters:
  ///   - chunkSize: how many units are derived in a transaction.
  ///   - today: the day of derivations; nil for the present one by the time zone's clock.
  public init(
    _ pool: Pool, _ graph: Graph, timeZone: String, replica: Pool? = nil,
    rollups: RollupStore? = nil, streams: [StreamDerivation] = [], chunkSize: Int = 1000,
    today: (@Sendable () -> CalendarDay)? = nil, logger: Logger? = nil
  ) {
    self.pool = pool
    self.graph = graph
    self.timeZone = timeZone
    self.replica = replica
    self.rollups = rollups
    self.streams = Dictionary(uniqueKeysWithValues: streams.map { ($0.name, $0) })
    self.chunkSize = chunkSize
    self.today = today ?? { Self.present(timeZone) }
    self.logger = logger
  }

  /// The day of a derivation that begins now.
  public var present: CalendarDay { today() }

  private static func present(_ timeZone: String) -> CalendarDay {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(identifier: timeZone) ?? .gmt
    let now = calendar.dateComponents([.year, .month, .day], from: Date())
    return CalendarDay(year: now.year ?? 1970, month: now.month ?? 1, day: now.day ?? 1)
  }

  /// Makes the tables of the projections, or what is missing of them, and lets the server read every derivation.
  /// - Throws: ``BadDerivation``.
  public func deploy() async throws {
    try await pool.transaction { tx in
      for statement in graph.create { try await tx.script(statement.text) }
    }
    try await check()
  }

  /// Lets the server read every derivation, without executing it: it knows whether the columns in the text are there.
  /// - Throws: ``BadDerivation``.
  public func check() async throws {
    for projection in graph.stored where !projection.isKeptAtCommit {
      let isStreamed = if case .streamed = projection.kind { true } else { false }
      let query = try statement(
        isStreamed ? \.streamed : \.materialise, of: projection,
        LensForm(.everything, isChunk: false)
      ).query(values(.everything, units: nil))
      do {
        try await pool.withConnection { connection in
          _ = try await connection.query(Query(text: "EXPLAIN \(query.text)", binds: query.binds))
        }
      } catch let error as PostgresError where error.kind == .server {
        throw BadDerivation(projection: projection.name, reason: error.message)
      }
    }
  }

  // MARK: Fresh rows

  /// Makes a projection's rows in a lens right, and all that they derive from, and gives them.
  ///
  /// Whatever was committed before this is called is in the rows.
  /// - Parameters:
  ///   - engine: who does it; this process unless another is named.
  ///   - withInputs: false to derive from its inputs as they are, for tests.
  /// - Throws: ``GraphError`` when the lens cannot be used; ``ProjectionFailed``.
  public func project<P: Projectable>(
    _ type: P.Type, lens: Projection.Lens, on engine: some Engine = InProcess(),
    withInputs: Bool = true
  ) async throws -> ProjectedRows<P> {
    let plan = try await plan(P.projection, lens, withInputs: withInputs)
    if engine is InProcess, let rows = try await inOneGo(plan) {
      return ProjectedRows(self, plan.lens, first: rows)
    }
    try await engine.begin(plan, for: self).wait()
    return ProjectedRows(self, plan.lens)
  }

  /// Begins what ``project(_:lens:on:withInputs:)`` does, and returns at once.
  public func begin<P: Projectable>(
    _ type: P.Type, lens: Projection.Lens, on engine: some Engine = InProcess(),
    withInputs: Bool = true
  ) async throws -> Projecting<P> {
    let plan = try await plan(P.projection, lens, withInputs: withInputs)
    return Projecting(
      undertaking: try await engine.begin(plan, for: self),
      result: ProjectedRows(self, plan.lens))
  }

  /// As ``begin(_:lens:on:withInputs:)`` for a projection without a Swift type.
  public func begin(
    _ projection: Projection, lens: Projection.Lens, on engine: some Engine = InProcess(),
    withInputs: Bool = true
  ) async throws -> any Undertaking {
    try await engine.begin(plan(projection, lens, withInputs: withInputs), for: self)
  }

  /// The rows as they are: a plain query.
  public func rows<P: Projectable>(of type: P.Type, lens: Projection.Lens) throws
    -> ProjectedRows<P>
  {
    try graph.check(lens, on: graph.projection(P.projection.name))
    return ProjectedRows(self, lens)
  }

  /// The plan, with functions of the lens asked.
  func plan(_ target: Projection, _ lens: Projection.Lens, withInputs: Bool) async throws -> Plan {
    let target = try graph.projection(target.name)
    let plan = try graph.plan(target, lens, withInputs: withInputs)
    guard !lens.predicates.isEmpty else { return plan }
    guard let stage = plan.stages.last, let unit = stage.unit else {
      throw GraphError.predicateOfNoUnit(
        lens.predicates[0].column.name.name, of: target.name)
    }
    let units = try await units(of: stage) ?? []
    let chosen = units.filter { unit in lens.predicates.allSatisfy { $0.isIncluded(unit) } }
    let filters = lens.filters + [.init(unit, .oneOf(chosen))]
    let sure = filters.reduce(Projection.Lens.everything) { $0.and($1) }
    return try graph.plan(target, sure, withInputs: withInputs)
  }

  // MARK: Chunks

  /// The units of a stage, as text; nil when it is derived whole.
  func units(of stage: Plan.Stage) async throws -> [String]? {
    try await unitsBySlot(of: stage)?.map(\.unit)
  }

  private func unitsBySlot(of stage: Plan.Stage) async throws -> [(unit: String, slot: Int)]? {
    guard let unit = stage.unit, let units = Units(of: stage, in: graph) else { return nil }
    let given = stage.lens.values(of: unit)
    if let given, given.count <= 1 { return given.map { ($0, 0) } }
    let statement = given == nil ? units.all : units.given
    let query = try statement.query(values(stage.lens, units: given))
    return try await pool.withConnection { connection in
      try await connection.query(query).map { row in
        let (unit, slot) = try row.decode((String, Int32).self)
        return (unit, Int(slot))
      }
    }
  }

  /// The chunks of a stage.
  func chunks(of stage: Plan.Stage) async throws -> [ProjectionChunk] {
    guard let units = try await unitsBySlot(of: stage) else {
      return [ProjectionChunk(stage: stage, units: nil)]
    }
    return Units.cut(units, most: chunkSize).map { ProjectionChunk(stage: stage, units: $0) }
  }

  // MARK: Statements

  /// Values for the parameters of a lens.
  func values(_ lens: Projection.Lens, units: [String]?) -> Values {
    var values: Values = [
      Parameter.today.name: Bind(present), Parameter.timeZone.name: Bind(timeZone),
    ]
    for (number, filter) in lens.filters.enumerated() {
      values["lens_\(number + 1)"] =
        switch filter.test {
        case .equals(let value), .from(let value), .before(let value): Bind(value)
        case .oneOf(let several): Bind(several)
        }
    }
    values["units"] = units.map { Bind($0) }
    return values
  }

  /// A statement that depends on a projection and a form of lens: composing it takes longer than executing it.
  func statement(
    _ what: KeyPath<Materialisation, Statement> & Sendable, of projection: Projection,
    _ form: LensForm
  ) -> Statement {
    composed.statement(Composed.Key(what: what, projection: projection.name, form: form)) {
      Materialisation(projection, in: graph, form: form)[keyPath: what]
    }
  }

  private final class Composed: Sendable {
    struct Key: Hashable {
      let what: KeyPath<Materialisation, Statement> & Sendable
      let projection: String
      let form: LensForm

      static func == (a: Key, b: Key) -> Bool {
        a.projection == b.projection && a.form == b.form
          && (a.what as AnyKeyPath) == (b.what as AnyKeyPath)
      }
      func hash(into hasher: inout Hasher) {
        hasher.combine(projection)
        hasher.combine(form)
      }
    }

    private let statements = Mutex<[Key: Statement]>([:])

    func statement(_ key: Key, _ compose: () -> Statement) -> Statement {
      if let known = statements.withLock({ $0[key] }) { return known }
      let statement = compose()
      statements.withLock { $0[key] = statement }
      return statement
    }
  }
}

/// The server does not understand a projection's derivation: an unknown column or table, or a mistake in the text.
public struct BadDerivation: Error, Hashable, CustomStringConvertible {
  public let projection: String
  public let reason: String
  public var description: String { "'\(projection)' cannot be derived: \(reason)" }
}

/// Units of a stage that are derived in one transaction.
struct ProjectionChunk: Sendable {
  let stage: Plan.Stage
  /// As text; nil when the stage is derived whole.
  let units: [String]?

  /// Whether the units say more than the stage's lens.
  var isNarrower: Bool {
    guard let units, let unit = stage.unit else { return false }
    return stage.lens.values(of: unit).map { Set($0).count != units.count } ?? true
  }

  var form: LensForm { LensForm(stage.lens, isChunk: isNarrower) }
}
