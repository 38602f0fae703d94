import Foundation
import Postgres

/// The rows of runs: begins them, works on their chunks, and counts.
///
/// Chunks are jobs of a queue of the run's own, in steps (``Jobs``): what is promised of jobs is promised of them.
public struct Runs: Sendable {
  public let jobs: Jobs
  var pool: Pool { jobs.pool }

  public init(_ pool: Pool, policy: JobPolicy = JobPolicy()) { jobs = Jobs(pool, policy: policy) }

  // MARK: Runs

  /// Begins a run.
  /// - Parameters:
  ///   - resuming: goes on with an unfinished run of the same task, if there is one. Otherwise such a run is given up:
  ///     what it has done was done some time ago.
  ///   - chunks: called only when the run is new.
  ///   - prepare: makes what the chunks need, in the transaction that makes the run.
  public func begin(
    _ kind: String, task: String, resuming: Bool, chunks: () async throws -> [RunChunk],
    prepare: (_ run: Int64, _ chunks: [RunChunk], borrowing Transaction) async throws -> Void = {
      _, _, _ in
    }
  ) async throws -> (run: Run, isNew: Bool) {
    if resuming, let run = try await unfinished(kind, task: task) { return (run, false) }
    let chunks = try await chunks()
    return try await pool.transaction(.readCommitted, retrying: .standard) { tx in
      // Of two that begin the same at once the second finds the first's.
      try await tx.execute("SELECT pg_advisory_xact_lock(\(Self.lock))")
      let others = Self.unfinished(kind, task: task)
      if resuming, let run = try await tx.query(others).first.map(Self.run) { return (run, false) }
      for other in try await tx.query(others).map(Self.run) {
        try await tx.execute(Self.giveUp(other.number))
      }
      try await tx.execute(
        "DELETE FROM rollup.runs WHERE kind = \(kind) AND finished_at < now() - interval '1 year'")
      let number = try await tx.query(
        "INSERT INTO rollup.runs (kind, task) VALUES (\(kind), \(task)) RETURNING number"
      ).only(Int64.self)
      let run = try Self.run(try await tx.query(Self.select("number = $1", [Bind(number)]))[0])
      try await jobs.enqueue(chunks.map { try $0.job(of: run) }, in: tx)
      try await prepare(number, chunks, tx)
      return (run, true)
    }
  }

  /// Spells "runs".
  private static let lock: Int64 = 0x7275_6E73

  /// The last run of a kind that is not finished.
  /// - Parameter task: only of this task.
  public func unfinished(_ kind: String, task: String? = nil) async throws -> Run? {
    try await runs(Self.unfinished(kind, task: task)).first
  }

  public func run(_ number: Int64) async throws -> Run? {
    try await runs(Self.select("number = $1", [Bind(number)])).first
  }

  /// The last runs, the latest first.
  public func last(_ count: Int) async throws -> [Run] {
    try await runs(Self.select("true", [], limit: count))
  }

  private func runs(_ query: Query) async throws -> [Run] {
    try await pool.withConnection { try await $0.query(query).map(Self.run) }
  }

  private static func unfinished(_ kind: String, task: String?) -> Query {
    select(
      "kind = $1 AND finished_at IS NULL AND ($2::text IS NULL OR task = $2)",
      [Bind(kind), Bind(task)])
  }

  private static func select(_ condition: String, _ binds: [Bind], limit: Int? = nil) -> Query {
    Query(
      text: """
        SELECT number, kind, task, created_at, created_by, finished_at
        FROM rollup.runs
        WHERE \(condition)
        ORDER BY number DESC
        \(limit.map { "LIMIT \($0)" } ?? "")
        """, binds: binds)
  }

  private static func run(_ row: Row) throws -> Run {
    Run(
      number: try row.decode(0, as: Int64.self), kind: try row.decode(1, as: String.self),
      task: try row.decode(2, as: String.self), createdAt: try row.decode(3, as: Timestamp.self),
      createdBy: try row.decode(4, as: String.self),
      finishedAt: try row.decode(5, as: Timestamp?.self))
  }

  /// Gives an unfinished run up: its workers stop at what they have in hand and go, and what is not done stays so.
  /// - Returns: how many chunks are not done.
  @discardableResult
  public func giveUp(_ run: Int64) async throws -> Int {
    try await pool.withConnection { try await $0.execute(Self.giveUp(run)) }
  }

  private static func giveUp(_ run: Int64) -> Query {
    """
    WITH over AS (
      UPDATE rollup.runs SET finished_at = now() WHERE number = \(run) AND finished_at IS NULL RETURNING number
    )
    UPDATE rollup.jobs AS j
    SET is_cancelled = true, state = CASE WHEN state = 'taken' THEN state ELSE 'cancelled' END,
      done_at = CASE WHEN state = 'taken' THEN done_at ELSE now() END
    FROM over
    WHERE j.run = over.number AND j.state IN ('blocked', 'waiting', 'taken', 'aside')
    """
  }

  /// Notes that a run is over, when all its chunks are done.
  /// - Returns: whether it is.
  public func finish(_ run: Int64) async throws -> Bool {
    try await pool.withConnection { connection in
      try await connection.execute(
        """
        UPDATE rollup.runs AS r SET finished_at = now()
        WHERE number = \(run) AND finished_at IS NULL
          AND NOT EXISTS (SELECT FROM rollup.jobs AS j WHERE j.run = r.number AND j.state <> 'done')
        """)
      return try await connection.query(
        "SELECT finished_at IS NOT NULL FROM rollup.runs WHERE number = \(run)"
      ).only(Bool.self)
    }
  }

  /// Gives chunks that were set aside, or cancelled, another try.
  @discardableResult
  public func retry(_ run: Int64) async throws -> Int {
    try await jobs.retry(try await jobs.last(.max, states: Self.setAside, run: run).map(\.id))
  }

  private static let setAside: [Job.State] = [.aside, .cancelled]

  // MARK: Chunks

  /// Something to say of a run.
  public enum Event: Sendable {
    case done(RunChunk)
    case failed(RunChunk, String, isAside: Bool)
  }

  /// Works on a run until all its chunks are done or set aside, by whomever, or until it is told to stop.
  /// - Parameters:
  ///   - name: the worker's. The pool's sessions should go by it (``Jobs/sessionName(_:)``).
  ///   - size: how many chunks at a time.
  ///   - shouldStop: chunks in hand are finished.
  ///   - work: does a chunk and calls ``Worker/Claim/complete(_:in:)`` in the transaction that does it.
  public func work(
    on run: Run, as name: String, size: Int, shouldStop: @Sendable @escaping () -> Bool,
    report: @Sendable @escaping (Event) -> Void,
    _ work: @Sendable @escaping (RunChunk, Worker.Claim) async throws -> Void
  ) async throws {
    let worker = Worker(
      jobs, name: name,
      settings: .init(
        queues: [run.queue], size: size, pollInterval: .milliseconds(200),
        drainLimit: .seconds(7 * 86_400), leavesWhenOver: true),
      handlers: [
        run.kind: { claim in
          let chunk = try RunChunk(claim.job)
          try await work(chunk, claim)
          report(.done(chunk))
        }
      ],
      failed: { job, error, state in
        guard let chunk = try? RunChunk(job) else { return }
        report(.failed(chunk, "\(error)", isAside: state == .aside))
      })
    let shift = Shift()
    let listening = Task {
      while !shouldStop() { try await Task.sleep(for: .milliseconds(50)) }
      shift.end()
    }
    defer { listening.cancel() }
    try await worker.run(shift)
  }

  /// What the chunks of a run do.
  public func what(_ run: Int64) async throws -> [String] {
    try await pool.withConnection { connection in
      try await connection.query(
        "SELECT DISTINCT arguments->>'what' FROM rollup.jobs WHERE run = \(run)"
      ).map { try $0.decode(String.self) }
    }
  }

  // MARK: Counting

  public func progress(_ run: Int64) async throws -> RunProgress {
    let row = try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT count(*) FILTER (WHERE kind <> \(QueueEngine.levelKind)), count(*) FILTER (WHERE state IN ('blocked', 'waiting')),
          count(*) FILTER (WHERE state = 'taken'),
          count(*) FILTER (WHERE kind <> \(QueueEngine.levelKind) AND state = 'done'),
          count(*) FILTER (WHERE state IN ('aside', 'cancelled')), coalesce(sum(greatest(attempts - 1, 0)), 0)::bigint,
          count(*) FILTER (
            WHERE state = 'taken' AND alive_at > now() - lease),
          coalesce((
            SELECT max(s.subjects) FROM (
              SELECT sum(weight)::bigint AS subjects FROM rollup.jobs WHERE run = \(run) GROUP BY step
            ) AS s), 0),
          coalesce(sum(weight), 0)::bigint, coalesce(sum(weight) FILTER (WHERE state = 'done'), 0)::bigint,
          coalesce(sum(written), 0)::bigint, coalesce(sum(removed), 0)::bigint, coalesce(sum(found), 0)::bigint,
          coalesce(extract(epoch FROM max(done_at) - min(taken_at)), 0)::double precision
        FROM rollup.jobs
        WHERE run = \(run)
        """
      )[0]
    }
    var progress = RunProgress()
    let counts: [WritableKeyPath<RunProgress, Int>] = [
      \.chunks, \.waiting, \.taken, \.done, \.aside, \.retries, \.workers, \.subjects, \.total,
      \.completed, \.written, \.removed, \.found,
    ]
    for (place, count) in counts.enumerated() {
      progress[keyPath: count] = try row.decode(place, as: Int.self)
    }
    progress.seconds = try row.decode(counts.count, as: Double.self)
    return progress
  }

  /// The chunks that were set aside.
  public func aside(_ run: Int64) async throws -> [FailedChunk] {
    try await jobs.last(.max, states: Self.setAside, run: run).reversed().map { job in
      let chunk = try RunChunk(job)
      return FailedChunk(
        number: chunk.number, what: chunk.what, failures: job.failures,
        error: job.error ?? job.state.rawValue)
    }
  }

  /// Subjects a second of the last finished run of a kind, by the wall clock; nil without one.
  public func lastRate(_ kind: String) async throws -> Double? {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT (sum(j.weight) / nullif(extract(epoch FROM max(j.done_at) - min(j.taken_at)), 0))::double precision
        FROM rollup.jobs AS j
        WHERE j.run = (SELECT max(number) FROM rollup.runs WHERE kind = \(kind) AND finished_at IS NOT NULL)
        """
      ).only(Double?.self)
    }
  }
}
