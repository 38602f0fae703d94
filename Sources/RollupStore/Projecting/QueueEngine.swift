import Foundation
import PeriodRollups
import Postgres

/// Carries plans out by durable jobs, which workers on any machine do.
///
/// A run is a row, and jobs do its parts: a job for each level of the plan finds the level's chunks and makes a job of each,
/// and one for the next level that needs them all. Whatever is killed, jobs that are done are done, and the rest goes on.
public struct QueueEngine: Engine {
  public let jobs: Jobs
  public var queue: String
  /// Smaller goes first.
  public var priority: Int

  public init(_ jobs: Jobs, queue: String = "projections", priority: Int = 0) {
    self.jobs = jobs
    self.queue = queue
    self.priority = priority
  }

  static let levelKind = "project level"
  static let chunkKind = "project chunk"
  static let requestKind = "project"

  /// What a job of a run is asked.
  struct Arguments: Codable, Hashable {
    var target: String
    var lens: LensRecord
    var withInputs = true
    /// Which level of the plan.
    var level = 0
    /// Which of the level's stages, and its units.
    var stage: Int?
    var units: [String]?
  }

  /// The same plan that has not begun is not asked for twice.
  public func begin(_ plan: Plan, for projector: Projector) async throws -> any Undertaking {
    let target = plan.target.name
    let whole = try projector.graph.plan(plan.target, plan.lens)
    let arguments = Arguments(
      target: target, lens: LensRecord(plan.lens),
      withInputs: whole.stages.count == plan.stages.count
        && whole.stages.flatMap(\.projections).count == plan.stages.flatMap(\.projections).count)
    let run = try await jobs.pool.transaction(.readCommitted, retrying: .standard) { tx in
      try await request(arguments, in: tx)
    }
    return QueueUndertaking(jobs: jobs, run: run, target: target)
  }

  /// The job that materialises a projection's rows in a lens, for a schedule or to be asked for in a transaction.
  public func job(for projection: Projection, lens: Projection.Lens) throws -> NewJob {
    var job = try NewJob(
      Self.requestKind, Arguments(target: projection.name, lens: LensRecord(lens)), queue: queue)
    job.priority = priority
    return job
  }

  /// - Returns: the number of the run.
  private func request(_ arguments: Arguments, in tx: borrowing Transaction) async throws -> Int64 {
    var job = try NewJob(Self.levelKind, arguments, queue: queue)
    job.priority = priority
    job.uniqueKey = job.arguments
    // The one that waits is locked by this, so that it begins after the caller's transaction.
    let there = try await tx.prepared(
      """
      SELECT run FROM rollup.jobs
      WHERE kind = \(job.kind) AND unique_key = \(job.uniqueKey) AND state IN ('blocked', 'waiting')
      FOR NO KEY UPDATE
      """
    ).first?.decode(Int64.self)
    if let there { return there }
    let run = try await tx.prepared(
      "INSERT INTO rollup.runs (kind, task) VALUES ('project', \(job.arguments)) RETURNING number"
    ).only(Int64.self)
    job.run = run
    let made = try await jobs.enqueue(job, in: tx)
    // Somebody else has asked for the same just now: theirs stands.
    let itsRun = try await tx.prepared("SELECT run FROM rollup.jobs WHERE id = \(made)").only(
      Int64.self)
    if itsRun != run { try await tx.prepared("DELETE FROM rollup.runs WHERE number = \(run)") }
    return itsRun
  }

  // MARK: What workers do

  /// The handlers of a worker that carries out plans of a projector's graph.
  public func handlers(for projector: Projector) -> [String: Worker.Handler] {
    [
      Self.requestKind: { claim in try await take(claim, projector) },
      Self.levelKind: { claim in try await level(claim, projector) },
      Self.chunkKind: { claim in try await chunk(claim, projector) },
    ]
  }

  private func take(_ claim: Worker.Claim, _ projector: Projector) async throws {
    let arguments: Arguments = try claim.job.decode()
    let target = try projector.graph.projection(arguments.target)
    _ = try projector.graph.plan(target, arguments.lens.lens(of: target))
    try await jobs.pool.transaction(.readCommitted, retrying: .standard) { tx in
      _ = try await request(arguments, in: tx)
      try await claim.complete(in: tx)
    }
  }

  private func plan(_ arguments: Arguments, _ projector: Projector) throws -> Plan {
    let target = try projector.graph.projection(arguments.target)
    return try projector.graph.plan(
      target, arguments.lens.lens(of: target), withInputs: arguments.withInputs)
  }

  /// Makes the jobs of a level, and the job of the next; after the last level the run is over.
  private func level(_ claim: Worker.Claim, _ projector: Projector) async throws {
    var arguments: Arguments = try claim.job.decode()
    let plan = try plan(arguments, projector)
    let stages = plan.stages(of: arguments.level)
    var parts: [NewJob] = []
    for (number, stage) in stages.enumerated() {
      for chunk in try await projector.chunks(of: stage) {
        var part = arguments
        (part.stage, part.units) = (number, chunk.units)
        var job = try self.job(Self.chunkKind, part, of: claim.job)
        job.weight = chunk.units?.count ?? 1
        parts.append(job)
      }
    }
    arguments.level += 1
    let next = try job(Self.levelKind, arguments, of: claim.job)
    let isLast = stages.isEmpty
    try await jobs.pool.transaction(.readCommitted, retrying: .standard) { tx in
      if isLast {
        try await tx.prepared(
          "UPDATE rollup.runs SET finished_at = now() WHERE number = \(claim.job.run)")
      } else {
        var following = next
        following.needs = try await jobs.enqueue(parts, in: tx)
        try await jobs.enqueue(following, in: tx)
      }
      try await claim.complete(in: tx)
    }
  }

  private func job(_ kind: String, _ arguments: Arguments, of parent: Job) throws -> NewJob {
    var job = try NewJob(kind, arguments, queue: parent.queue)
    job.priority = parent.priority
    job.run = parent.run
    return job
  }

  /// The work and the note that it is done are one transaction.
  private func chunk(_ claim: Worker.Claim, _ projector: Projector) async throws {
    let arguments: Arguments = try claim.job.decode()
    let stages = try plan(arguments, projector).stages(of: arguments.level)
    guard let number = arguments.stage, stages.indices.contains(number) else {
      throw ProjectionFailed(target: arguments.target, reasons: ["the graph has changed"])
    }
    let chunk = ProjectionChunk(stage: stages[number], units: arguments.units)
    let outcome = try await projector.pool.transaction(.readCommitted, retrying: .standard) { tx in
      let outcome = try await projector.derive(chunk, in: tx)
      try await claim.complete(outcome, in: tx)
      return outcome
    }
    await projector.analyzeGrown(chunk, outcome)
  }
}

/// A run, seen from whoever asked for it; any process may look.
public struct QueueUndertaking: Undertaking {
  public let jobs: Jobs
  public let run: Int64
  let target: String

  public init(jobs: Jobs, run: Int64, target: String) {
    self.jobs = jobs
    self.run = run
    self.target = target
  }

  public func wait() async throws {
    var pause = Duration.milliseconds(5)
    while true {
      if try await isFinished() { return }
      let failed = try await jobs.last(5, states: [.aside], run: run)
      guard failed.isEmpty else {
        throw ProjectionFailed(
          target: target, reasons: failed.map { "job \($0.id): \($0.error ?? "failed")" })
      }
      guard try await jobs.last(1, states: [.cancelled], run: run).isEmpty else {
        throw CancellationError()
      }
      try await Task.sleep(for: pause)
      pause = min(pause * 2, .milliseconds(500))
    }
  }

  private func isFinished() async throws -> Bool {
    try await jobs.pool.withConnection { connection in
      try await connection.prepared(
        "SELECT finished_at IS NOT NULL FROM rollup.runs WHERE number = \(run)"
      ).only(Bool.self)
    }
  }

  public func progress() async throws -> ProjectionProgress {
    let row = try await jobs.pool.withConnection { connection in
      try await connection.prepared(
        """
        SELECT count(*) FILTER (WHERE j.kind = \(QueueEngine.chunkKind)),
          count(*) FILTER (WHERE j.kind = \(QueueEngine.chunkKind) AND j.state = 'done'),
          coalesce(sum(j.written), 0)::bigint, coalesce(sum(j.removed), 0)::bigint, coalesce(sum(j.emitted), 0)::bigint
        FROM rollup.jobs AS j
        WHERE j.run = \(run)
        """
      ).only((Int, Int, Int, Int, Int).self)
    }
    var progress = ProjectionProgress()
    (progress.chunks, progress.done, progress.written, progress.removed, progress.emitted) = row
    progress.isOver = try await isFinished()
    return progress
  }

  public func cancel() async throws {
    let ids = try await jobs.last(1_000_000, states: [.blocked, .waiting, .taken], run: run).map(
      \.id)
    try await jobs.cancel(ids)
  }
}
