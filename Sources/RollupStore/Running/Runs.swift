import Foundation
import Postgres

/// The rows of runs: begins them, hands out their chunks, and counts.
///
/// A chunk is taken for a *lease*, which its worker's heartbeats prolong. A worker that is not heard of for that long is
/// taken for dead: another takes the chunk over and ends the dead one's session. A chunk's work and the note that it is done
/// are one transaction, which fails when the chunk is no longer the worker's: it is done once.
public struct Runs: Sendable {
  public let pool: Pool
  public let policy: RunPolicy

  public init(_ pool: Pool, policy: RunPolicy = RunPolicy()) {
    self.pool = pool
    self.policy = policy
  }

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
      try await tx.execute(
        """
        UPDATE rollup.runs SET finished_at = now()
        WHERE kind = \(kind) AND task = \(task) AND finished_at IS NULL
        """)
      try await tx.execute(
        "DELETE FROM rollup.runs WHERE kind = \(kind) AND finished_at < now() - interval '1 year'")
      let number = try await tx.query(
        "INSERT INTO rollup.runs (kind, task) VALUES (\(kind), \(task)) RETURNING number"
      ).only(Int64.self)
      for chunk in chunks { try await tx.execute(Self.insert(chunk, in: number)) }
      try await prepare(number, chunks, tx)
      return (try Self.run(try await tx.query(Self.select("number = $1", [Bind(number)]))[0]), true)
    }
  }

  /// Spells "runs".
  private static let lock: Int64 = 0x7275_6E73

  private static func insert(_ chunk: RunChunk, in run: Int64) -> Query {
    let (first, end, subjects): (String?, String?, [String]?) =
      switch chunk.scope {
      case .bounds(let first, let end): (first, end, nil)
      case .subjects(let keys): (nil, nil, keys)
      }
    return """
      INSERT INTO rollup.run_chunks (run, number, step, what, first_subject, end_subject, subject_ids, subjects)
      VALUES (\(run), \(chunk.number), \(chunk.step), \(chunk.what), \(first), \(end), \(subjects), \(Int64(chunk.subjects)))
      """
  }

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

  /// Notes that a run is over, when all its chunks are done.
  /// - Returns: whether it is.
  public func finish(_ run: Int64) async throws -> Bool {
    try await pool.withConnection { connection in
      try await connection.execute(
        """
        UPDATE rollup.runs AS r SET finished_at = now()
        WHERE number = \(run) AND finished_at IS NULL
          AND NOT EXISTS (SELECT FROM rollup.run_chunks AS c WHERE c.run = r.number AND c.state <> 'done')
        """)
      return try await connection.query(
        "SELECT finished_at IS NOT NULL FROM rollup.runs WHERE number = \(run)"
      ).only(Bool.self)
    }
  }

  /// Gives chunks that were set aside another try.
  @discardableResult
  public func retry(_ run: Int64) async throws -> Int {
    try await pool.withConnection { connection in
      try await connection.execute(
        """
        UPDATE rollup.run_chunks SET state = 'waiting', failures = 0, not_before = '-infinity'
        WHERE run = \(run) AND state = 'aside'
        """)
    }
  }

  // MARK: Chunks

  /// Takes a chunk for a worker: the next that waits, or one whose worker has not been heard of.
  public func take(_ run: Int64, as worker: String, on connection: Connection) async throws
    -> RunChunk?
  {
    let row = try await connection.query(
      """
      WITH next AS (
        SELECT run, number, CASE WHEN state = 'taken' THEN backend END AS dead, backend_start AS dead_start
        FROM rollup.run_chunks
        WHERE run = \(run) AND state NOT IN ('done', 'aside')
          AND step = (SELECT min(step) FROM rollup.run_chunks WHERE run = \(run) AND state NOT IN ('done', 'aside'))
          AND ((state = 'waiting' AND not_before <= now())
            OR (state = 'taken' AND alive_at < now() - make_interval(secs => \(policy.lease / .seconds(1)))))
        ORDER BY number
        LIMIT 1
        FOR UPDATE SKIP LOCKED
      )
      UPDATE rollup.run_chunks AS c
      SET state = 'taken', worker = \(worker), attempts = attempts + 1, taken_at = now(), alive_at = now(),
        backend = pg_backend_pid(),
        backend_start = (SELECT a.backend_start FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid())
      FROM next
      WHERE c.run = next.run AND c.number = next.number
      RETURNING c.number, c.step, c.what, c.first_subject, c.end_subject, c.subject_ids, c.subjects, c.attempts,
        next.dead, next.dead_start
      """
    ).first
    guard let row else { return nil }
    if let dead = try row.decode(8, as: Int?.self) {
      try await end(dead, try row.decode(9, as: Timestamp?.self), connection)
    }
    let keys = try row.decode(5, as: [String]?.self)
    var chunk = RunChunk(
      number: try row.decode(0, as: Int.self), step: try row.decode(1, as: Int.self),
      what: try row.decode(2, as: String.self),
      scope: try keys.map { .subjects($0) }
        ?? .bounds(first: row.decode(3, as: String?.self), end: row.decode(4, as: String?.self)),
      subjects: Int(try row.decode(6, as: Int64.self)))
    chunk.attempts = try row.decode(7, as: Int.self)
    return chunk
  }

  /// Ends the session of a worker that is taken for dead, so that what it holds is free. It may be gone, or another role's.
  private func end(_ backend: Int, _ start: Timestamp?, _ connection: Connection) async throws {
    do {
      try await connection.execute(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid = \(backend) AND backend_start = \(start) AND pid <> pg_backend_pid()
        """)
    } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {}
  }

  /// Notes, in the transaction of the work, that it is done.
  /// - Throws: ``LostChunk`` when another worker has taken the chunk over.
  public func complete(
    _ chunk: RunChunk, of run: Int64, as worker: String, _ derived: Derived, found: Int,
    in tx: borrowing Transaction
  ) async throws {
    let noted = try await tx.execute(
      """
      UPDATE rollup.run_chunks
      SET state = 'done', done_at = clock_timestamp(), written = \(Int64(derived.written)),
        removed = \(Int64(derived.removed)), found = \(Int64(found)), error = NULL
      WHERE run = \(run) AND number = \(chunk.number) AND state = 'taken' AND worker = \(worker)
        AND attempts = \(chunk.attempts)
      """)
    guard noted == 1 else { throw LostChunk(number: chunk.number) }
  }

  /// Puts a chunk back, to be tried again later, or sets it aside when it has failed too often.
  /// - Returns: whether it was set aside.
  public func fail(_ chunk: RunChunk, of run: Int64, as worker: String, _ error: String)
    async throws -> Bool
  {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        UPDATE rollup.run_chunks
        SET failures = failures + 1, error = \(error),
          state = CASE WHEN failures + 1 >= \(policy.attempts) THEN 'aside' ELSE 'waiting' END,
          not_before = now() + make_interval(secs => \(policy.backoff / .seconds(1)) * 2 ^ failures)
        WHERE run = \(run) AND number = \(chunk.number) AND state = 'taken' AND worker = \(worker)
          AND attempts = \(chunk.attempts)
        RETURNING state = 'aside'
        """
      ).first?.decode(Bool.self) ?? false
    }
  }

  /// Says that workers are alive. A chunk that is being completed is passed over.
  public func heartbeat(_ run: Int64, _ workers: [String]) async throws {
    try await pool.withConnection { connection in
      _ = try await connection.execute(
        """
        UPDATE rollup.run_chunks AS c SET alive_at = now()
        FROM (
          SELECT run, number FROM rollup.run_chunks
          WHERE run = \(run) AND state = 'taken' AND worker = ANY (\(workers))
          FOR UPDATE SKIP LOCKED
        ) AS mine
        WHERE c.run = mine.run AND c.number = mine.number
        """)
    }
  }

  /// What the chunks of a run do.
  public func what(_ run: Int64) async throws -> [String] {
    try await pool.withConnection { connection in
      try await connection.query(
        "SELECT DISTINCT what FROM rollup.run_chunks WHERE run = \(run)"
      ).map { try $0.decode(String.self) }
    }
  }

  // MARK: Counting

  public func progress(_ run: Int64) async throws -> RunProgress {
    let row = try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT count(*), count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'taken'),
          count(*) FILTER (WHERE state = 'done'), count(*) FILTER (WHERE state = 'aside'),
          coalesce(sum(greatest(attempts - 1, 0)), 0)::bigint,
          count(DISTINCT worker) FILTER (
            WHERE state = 'taken' AND alive_at > now() - make_interval(secs => \(policy.lease / .seconds(1)))),
          coalesce((
            SELECT max(s.subjects) FROM (
              SELECT sum(subjects)::bigint AS subjects FROM rollup.run_chunks WHERE run = \(run) GROUP BY step
            ) AS s), 0),
          coalesce(sum(subjects), 0)::bigint, coalesce(sum(subjects) FILTER (WHERE state = 'done'), 0)::bigint,
          coalesce(sum(written), 0)::bigint, coalesce(sum(removed), 0)::bigint,
          coalesce(sum(found), 0)::bigint,
          coalesce(extract(epoch FROM max(done_at) - min(taken_at)), 0)::double precision
        FROM rollup.run_chunks
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
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT number, what, failures, coalesce(error, '') FROM rollup.run_chunks
        WHERE run = \(run) AND state = 'aside' ORDER BY number
        """
      ).map { row in
        let (number, what, failures, error) = try row.decode((Int, String, Int, String).self)
        return FailedChunk(number: number, what: what, failures: failures, error: error)
      }
    }
  }

  /// Subjects a second of the last finished run of a kind, by the wall clock; nil without one.
  public func lastRate(_ kind: String) async throws -> Double? {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT (sum(c.subjects) / nullif(extract(epoch FROM max(c.done_at) - min(c.taken_at)), 0))::double precision
        FROM rollup.run_chunks AS c
        WHERE c.run = (SELECT max(number) FROM rollup.runs WHERE kind = \(kind) AND finished_at IS NOT NULL)
        """
      ).only(Double?.self)
    }
  }
}

/// How chunks are handed out.
public struct RunPolicy: Hashable, Sendable {
  /// How long a worker may be silent before it is taken for dead.
  public var lease: Duration
  /// How often a chunk may fail before it is set aside. That its worker was killed is no failure of the chunk.
  public var attempts: Int
  /// How long a failed chunk waits, twice as long each time.
  public var backoff: Duration

  public init(lease: Duration = .seconds(30), attempts: Int = 5, backoff: Duration = .seconds(1)) {
    self.lease = lease
    self.attempts = attempts
    self.backoff = backoff
  }
}

/// A worker was silent for so long that another has taken its chunk; nothing it did for it was committed.
public struct LostChunk: Error, Hashable, CustomStringConvertible {
  public let number: Int
  public var description: String { "chunk \(number) was taken over by another worker" }
}
