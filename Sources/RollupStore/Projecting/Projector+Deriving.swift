import Foundation
import Metrics
import PeriodRollups
import Postgres

/// How a chunk's rows are made right, in one transaction: lock the units, then derive in later statements.
extension Projector {
  /// One transaction.
  func derive(_ chunk: ProjectionChunk) async throws -> JobOutcome {
    let outcome = try await pool.transaction(.readCommitted, retrying: .standard) { tx in
      try await derive(chunk, in: tx)
    }
    await analyzeGrown(chunk, outcome)
    return outcome
  }

  /// On a first night the tables were empty when the server last looked at them.
  func analyzeGrown(_ chunk: ProjectionChunk, _ outcome: JobOutcome) async {
    let tables = chunk.stage.projections.filter { !$0.isKeptAtCommit }.compactMap(\.table)
    await Statistics(pool, logger: logger).renew(tables, after: outcome.written)
  }

  /// In the caller's transaction, which is READ COMMITTED.
  func derive(_ chunk: ProjectionChunk, in tx: borrowing Transaction) async throws -> JobOutcome {
    let start = ContinuousClock.now
    var waiting = try preface(chunk).map { (query: $0, projection: Projection?.none) }
    var outcome = JobOutcome()
    for projection in chunk.stage.projections {
      if case .derived = projection.kind, projection.options.reads == .primary || replica == nil {
        waiting.append(
          (try query(\.materialise, of: projection, chunk), projection))
        continue
      }
      outcome += try await send(&waiting, in: tx)
      outcome += try await deriveApart(projection, chunk, in: tx)
    }
    outcome += try await send(&waiting, in: tx)
    note(chunk, outcome, ContinuousClock.now - start)
    return outcome
  }

  /// A lens whose whole plan is one chunk, all of it SQL, is derived and read in a single round trip.
  /// - Returns: the target's rows; nil when the plan is not so simple.
  func inOneGo(_ plan: Plan) async throws -> Rows? {
    guard plan.stages.count == 1, let stage = plan.stages.first, plan.target.table != nil,
      let unit = stage.unit, let units = stage.lens.values(of: unit), units.count <= chunkSize,
      stage.projections.allSatisfy({ projection in
        if case .derived = projection.kind {
          return projection.options.reads == .primary || replica == nil
        }
        return false
      })
    else { return nil }
    let start = ContinuousClock.now
    let chunk = ProjectionChunk(stage: stage, units: Array(Set(units)).sorted())
    let preface = try preface(chunk)
    let queries =
      try preface + stage.projections.map { try query(\.materialise, of: $0, chunk) }
      + [rowsQuery(plan.target, plan.lens)]
    let results = try await pool.transaction(.readCommitted, retrying: .standard) { tx in
      try await tx.commit(after: queries)
    }
    var outcome = JobOutcome()
    for (result, projection) in zip(results.dropFirst(preface.count), stage.projections) {
      outcome += try count(result, of: projection)
    }
    note(chunk, outcome, ContinuousClock.now - start)
    return results[results.count - 1]
  }

  // MARK: Parts

  /// What comes before the first derivation. The lock is taken by a statement of its own: what derives afterwards sees
  /// whatever was committed by those who had it.
  func preface(_ chunk: ProjectionChunk) throws -> [Query] {
    let stage = chunk.stage
    var queries: [Query] = []
    if let limit = stage.projections.compactMap(\.options.timeLimit).max() {
      queries.append("SELECT set_config('statement_timeout', \("\(limit)s"), true)")
    }
    if let unit = stage.unit, let units = chunk.units {
      // Their rows are joined: to look up each took several times as long in tables that were just filled.
      if units.count > 1 {
        queries += RollupStore.forManyRows
        queries.append(Self.byKeys)
      }
      queries.append(try Units.lock(unit).query(["units": Bind(units)]))
    } else {
      queries += RollupStore.forManyRows
      queries += try stage.projections.map { try Units.lock(whole: $0).query([:]) }
    }
    if stage.projections.contains(where: { $0.isPeriodic && !$0.isKeptAtCommit }) {
      queries.append(try Units.holdEditions.query([:]))
    }
    return queries
  }

  /// Some hundred units' rows are found by their keys, however many others there are. At the default of 4 the server takes a
  /// look-up for so dear that it reads a table of 100,000 units whole, and that for each chunk of them (docs/benchmarks.md).
  private static let byKeys: Query = "SET LOCAL random_page_cost = 1.1"

  private func query(
    _ what: KeyPath<Materialisation, Statement> & Sendable, of projection: Projection,
    _ chunk: ProjectionChunk, _ more: Values = [:]
  ) throws -> Query {
    try statement(what, of: projection, chunk.form).query(
      values(chunk.stage.lens, units: chunk.units).merging(more) { $1 })
  }

  func rowsQuery(_ projection: Projection, _ lens: Projection.Lens) throws -> Query {
    try statement(\.rows, of: projection, LensForm(lens, isChunk: false))
      .query(values(lens, units: nil))
  }

  private func send(
    _ waiting: inout [(query: Query, projection: Projection?)], in tx: borrowing Transaction
  ) async throws -> JobOutcome {
    var outcome = JobOutcome()
    guard !waiting.isEmpty else { return outcome }
    for (result, sent) in zip(try await tx.pipeline(waiting.map(\.query)), waiting) {
      if let projection = sent.projection { outcome += try count(result, of: projection) }
    }
    waiting.removeAll()
    return outcome
  }

  private func count(_ result: Rows, of projection: Projection) throws -> JobOutcome {
    let part = try result.only((Int, Int, Int, Double).self)
    return outcome(
      of: projection, .init(written: part.0, removed: part.1, emitted: part.2, seconds: part.3))
  }

  private func outcome(of projection: Projection, _ part: JobOutcome.Part) -> JobOutcome {
    var outcome = JobOutcome()
    (outcome.written, outcome.removed, outcome.emitted) = (part.written, part.removed, part.emitted)
    outcome.parts[projection.name] = part
    let dimensions = [("projection", projection.name)]
    Metrics.Timer(label: "rollup_projection_seconds", dimensions: dimensions)
      .record(duration: .seconds(part.seconds))
    Counter(label: "rollup_projection_rows_written", dimensions: dimensions)
      .increment(by: outcome.written)
    Counter(label: "rollup_projection_rows_removed", dimensions: dimensions)
      .increment(by: outcome.removed)
    return outcome
  }

  private func note(_ chunk: ProjectionChunk, _ outcome: JobOutcome, _ time: Duration) {
    logger?.debug(
      "\(chunk.stage.projections.map(\.name).joined(separator: ", ")) for \(chunk.stage.lens): \(chunk.units?.count ?? 0) units, \(outcome.written) written, \(outcome.removed) removed, \(outcome.emitted) emitted, \(time)"
    )
  }

  // MARK: What is not one statement

  private func deriveApart(
    _ projection: Projection, _ chunk: ProjectionChunk, in tx: borrowing Transaction
  ) async throws -> JobOutcome {
    let start = ContinuousClock.now
    let done = try await doApart(projection, chunk, in: tx)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    return outcome(
      of: projection,
      .init(written: done.written, removed: done.removed, emitted: done.emitted, seconds: seconds))
  }

  private func doApart(
    _ projection: Projection, _ chunk: ProjectionChunk, in tx: borrowing Transaction
  ) async throws -> JobOutcome {
    switch projection.kind {
    case .virtual: return JobOutcome()
    case .derived, .streamed:
      let rows = try await derivedElsewhere(projection, chunk, in: tx)
      let write = try query(\.write, of: projection, chunk, ["rows": Bind(rows)])
      var outcome = JobOutcome()
      (outcome.written, outcome.removed, outcome.emitted, _) = try await tx.prepared(write)
        .only((Int, Int, Int, Double).self)
      return outcome
    case .rollup(let rollup):
      return try await deriveRollup(chunk.units ?? [], [rollup], [], in: tx)
    case .register(let register):
      return try await deriveRollup(chunk.units ?? [], [], [register], in: tx)
    case .periodCount(let count):
      guard let rollups else { throw NoRollupStore(projection: projection.name) }
      return JobOutcome(try await rollups.derive(count, in: .all, in: tx))
    }
  }

  private func deriveRollup(
    _ units: [String], _ rollups: [MostRecent], _ registers: [Register],
    in tx: borrowing Transaction
  ) async throws -> JobOutcome {
    guard let store = self.rollups else {
      throw NoRollupStore(projection: rollups.first?.name ?? registers.first?.name ?? "")
    }
    func derive<Key: PostgresKey & FieldValue>(_: Key.Type, in tx: borrowing Transaction)
      async throws -> Derived
    {
      try await store.derive(
        Chunk(units.compactMap { Key(fieldText: $0) }), in: .all, rollups: rollups,
        registers: registers, in: tx)
    }
    switch store.catalog.subject.id.type {
    case .uuid: return JobOutcome(try await derive(UUID.self, in: tx))
    case .text: return JobOutcome(try await derive(String.self, in: tx))
    default: return JobOutcome(try await derive(Int.self, in: tx))
    }
  }

  /// The rows as a JSON array, of a query whose rows go through this process: from a replica, or through Swift.
  private func derivedElsewhere(
    _ projection: Projection, _ chunk: ProjectionChunk, in tx: borrowing Transaction
  ) async throws -> String {
    let stream = streams[projection.name]
    if case .streamed = projection.kind, stream == nil {
      throw NoStreamDerivation(projection: projection.name)
    }
    let reading = try query(
      stream == nil ? \.derivedAsText : \.streamed, of: projection, chunk)
    guard let replica, projection.options.reads == .replica else {
      return try await read(reading, through: stream, in: tx)
    }
    let position = try await tx.query(Self.position).only(String.self)
    return try await replica.transaction(.readCommitted, readOnly: true, retrying: .readOnly) {
      tx in
      try await catchUp(to: position, in: tx)
      return try await read(reading, through: stream, in: tx)
    }
  }

  /// The end of what has been committed, also by those who did not wait for the disk. At the beginning of a page of the log
  /// the next record will begin after the page's header (24 bytes or 40), which no replica replays: there it is the page's.
  private static let position: Query = """
    SELECT (CASE WHEN l.past IN (24, 40) THEN l.here - l.past ELSE l.here END)::text
    FROM (
      SELECT w.here, (w.here - '0/0') % current_setting('wal_block_size')::integer AS past
      FROM pg_current_wal_insert_lsn() AS w (here)
    ) AS l
    """

  /// Waits until a replica has what the primary had; a server that is none has it.
  private func catchUp(to position: String, in tx: borrowing Transaction) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while true {
      let hasIt = try await tx.query(
        "SELECT coalesce(pg_last_wal_replay_lsn() >= (\(position)::text)::pg_lsn, true)"
      ).only(Bool.self)
      if hasIt { return }
      guard ContinuousClock.now < deadline else { throw ReplicaLags(position: position) }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  func read(_ query: Query, through stream: StreamDerivation?, in tx: borrowing Transaction)
    async throws -> String
  {
    guard let stream else {
      return try "["
        + (await tx.query(query)).map { try $0.decode(String.self) }.joined(separator: ",") + "]"
    }
    try await tx.execute(
      Query(text: "DECLARE projected NO SCROLL CURSOR FOR \(query.text)", binds: query.binds))
    var batches: [String] = []
    while true {
      let rows = try await tx.prepared("FETCH 1000 FROM projected")
      if rows.isEmpty { break }
      batches.append(try stream.derive(Array(rows)))
    }
    try await tx.execute("CLOSE projected")
    return StreamDerivation.joined(batches)
  }
}

extension JobOutcome {
  static func += (a: inout JobOutcome, b: JobOutcome) {
    a.written += b.written
    a.removed += b.removed
    a.emitted += b.emitted
    a.parts.merge(b.parts) { $1 }
  }
}

/// A rollup of the write path is in the graph of a projector that was not given its store.
public struct NoRollupStore: Error, Hashable, CustomStringConvertible {
  public let projection: String
  public var description: String {
    "'\(projection)' is a rollup: the projector needs its RollupStore"
  }
}

/// A streamed projection whose Swift the program has not brought.
public struct NoStreamDerivation: Error, Hashable, CustomStringConvertible {
  public let projection: String
  public var description: String { "no StreamDerivation was given for '\(projection)'" }
}

/// A replica did not get what the primary has in time.
public struct ReplicaLags: Error, Hashable, CustomStringConvertible {
  public let position: String
  public var description: String { "the replica has not reached \(position) in 30 seconds" }
}
