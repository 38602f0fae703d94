import Foundation
import Postgres

/// The rows of jobs: makes them, hands them out, and notes what became of them.
///
/// A job is taken for a *lease*, which its worker's heartbeats prolong. What a job does in a transaction that also calls
/// ``complete(_:as:_:in:)`` is done once, whatever is killed; anything else is done at least once.
public struct Jobs: Sendable {
  public let pool: Pool
  public let policy: JobPolicy

  /// What is said on it is the name of a queue that has something to do.
  public static let channel = "rollup_jobs"

  public init(_ pool: Pool, policy: JobPolicy = JobPolicy()) {
    self.pool = pool
    self.policy = policy
  }

  // MARK: Asking

  /// - Returns: the job's number; that of the one which waits already, for a unique job.
  @discardableResult
  public func enqueue(_ job: NewJob) async throws -> Int64 {
    try await pool.transaction(.readCommitted, retrying: .standard) { tx in
      try await enqueue(job, in: tx)
    }
  }

  /// In the caller's transaction: the job is there if and only if that is committed.
  @discardableResult
  public func enqueue(_ job: NewJob, in tx: borrowing Transaction) async throws -> Int64 {
    let open = job.needs.isEmpty ? [] : try await stillOpen(job.needs, in: tx)
    let state = open.isEmpty ? "waiting" : "blocked"
    while true {
      let made = try await tx.prepared(
        """
        WITH made AS (
          INSERT INTO rollup.jobs (queue, kind, arguments, priority, state, run, weight, not_before, unique_key, needs,
            max_failures, time_limit, step)
          VALUES (\(job.queue), \(job.kind), (\(job.arguments)::text)::jsonb, \(Int16(clamping: job.priority)), \(state), \(job.run),
            \(Int64(job.weight)), coalesce(\(job.notBefore), '-infinity'), \(job.uniqueKey), \(Int32(open.count)),
            \(Int32(job.maxFailures)), \(job.timeLimit.map { Int32($0) }), \(Int16(job.step)))
          ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL AND state IN ('blocked', 'waiting') DO NOTHING
          RETURNING id, state
        ), said AS (
          SELECT pg_notify(\(Self.channel), \(job.queue)) FROM made WHERE state = 'waiting'
        )
        SELECT id, (SELECT count(*) FROM said) FROM made
        """
      ).first?.decode(0, as: Int64.self)
      if let made {
        if !open.isEmpty {
          try await tx.prepared(
            "INSERT INTO rollup.job_needs (needed, job) SELECT needed, \(made) FROM unnest(\(open)) AS n (needed)"
          )
        }
        return made
      }
      // Locked, so that it does not begin before the caller's transaction is there for it to see.
      let there = try await tx.prepared(
        """
        SELECT id FROM rollup.jobs
        WHERE kind = \(job.kind) AND unique_key = \(job.uniqueKey) AND state IN ('blocked', 'waiting')
        FOR NO KEY UPDATE
        """)
      if let id = try there.first?.decode(Int64.self) { return id }
    }
  }

  /// Many at once, without uniqueness.
  /// - Returns: their numbers, in order.
  @discardableResult
  public func enqueue(_ jobs: [NewJob], in tx: borrowing Transaction) async throws -> [Int64] {
    guard !jobs.isEmpty else { return [] }
    return try await tx.prepared(
      """
      WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(\(jobs.map(\.queue)), \(jobs.map(\.kind)), \(jobs.map(\.arguments)), \(jobs.map { Int16(clamping: $0.priority) }),
          \(jobs.map(\.run)), \(jobs.map { Int64($0.weight) }), \(jobs.map { Int32($0.maxFailures) }),
          \(jobs.map { $0.timeLimit.map { Int32($0) } }), \(jobs.map(\.notBefore)), \(jobs.map { Int16($0.step) }))
          WITH ORDINALITY AS a (queue, kind, arguments, priority, run, weight, max_failures, time_limit, not_before, step, number)
      ), made AS (
        INSERT INTO rollup.jobs (queue, kind, arguments, priority, run, weight, max_failures, time_limit, not_before, step)
        SELECT queue, kind, arguments::jsonb, priority, run, weight, max_failures, time_limit, coalesce(not_before, '-infinity'), step
        FROM asked
        ORDER BY number
        RETURNING id
      ), said AS (
        SELECT pg_notify(\(Self.channel), q.queue) FROM (SELECT DISTINCT queue FROM asked) AS q
      )
      SELECT id, (SELECT count(*) FROM said) FROM made ORDER BY id
      """
    ).map { try $0.decode(0, as: Int64.self) }
  }

  /// Those that are not done, locked so that they do not become it meanwhile.
  private func stillOpen(_ needs: [Int64], in tx: borrowing Transaction) async throws -> [Int64] {
    try await tx.prepared(
      """
      SELECT id FROM rollup.jobs WHERE id = ANY (\(needs)) AND state <> 'done' ORDER BY id FOR SHARE
      """
    ).map { try $0.decode(Int64.self) }
  }

  // MARK: Handing out

  /// Takes the next jobs for a worker: of the step that their queue is at, by priority, then in the order in which they
  /// were asked for.
  public func take(_ count: Int, of queues: [String], kinds: [String], as worker: String)
    async throws -> [Job]
  {
    let next: Query =
      """
      WITH next AS (
        SELECT n.id
        FROM unnest(\(queues)) AS q (queue)
        LEFT JOIN LATERAL (
          SELECT s.step FROM rollup.jobs AS s
          WHERE s.queue = q.queue AND s.step > 0 AND s.state IN ('waiting', 'taken')
          ORDER BY s.step
          LIMIT 1
        ) AS first ON true
        CROSS JOIN LATERAL (
          SELECT id, priority FROM rollup.jobs
          WHERE queue = q.queue AND step <= coalesce(first.step, 0::smallint) AND state = 'waiting' AND not_before <= now()
            AND kind = ANY (\(kinds))
          ORDER BY step, priority, id
          LIMIT \(Int64(count))
          FOR UPDATE SKIP LOCKED
        ) AS n
        ORDER BY n.priority, n.id
        LIMIT \(Int64(count))
      )
      UPDATE rollup.jobs AS j
      SET state = 'taken', worker = \(worker), attempts = attempts + 1, taken_at = now(), alive_at = now(),
        lease = make_interval(secs => \(policy.lease / .seconds(1)))
      FROM next
      WHERE j.id = next.id
      RETURNING \(unescaped: Job.columns)
      """
    // One round trip.
    let results = try await pool.transaction(.readCommitted, retrying: .standard) { tx in
      try await tx.commit(after: Self.inOrder + [next])
    }
    return try results[Self.inOrder.count].map(Job.init)
      .sorted { ($0.priority, $0.id) < ($1.priority, $1.id) }
  }

  /// The first jobs that wait are read off the index that has them in order, whatever the planner knows of jobs. It never
  /// knows them well: of a kind that was not there when it last looked it expects none, and then it reads all jobs and sorts
  /// all that wait for each handful that is taken (docs/benchmarks.md). The plan is made once for each session.
  private static let inOrder: [Query] = [
    "SET LOCAL enable_seqscan = off", "SET LOCAL enable_bitmapscan = off", "SET LOCAL jit = off",
    "SET LOCAL plan_cache_mode = force_generic_plan",
  ]

  /// Says that a worker is alive.
  /// - Returns: the jobs that are still its own, and which of them it is asked to stop.
  func heartbeat(_ worker: String) async throws -> (mine: Set<Int64>, cancelled: Set<Int64>) {
    let rows = try await pool.withConnection { connection in
      // One that is being completed is passed over, and is still the worker's.
      try await connection.prepared(
        """
        WITH alive AS (
          UPDATE rollup.jobs AS j SET alive_at = now()
          FROM (
            SELECT id FROM rollup.jobs WHERE state = 'taken' AND worker = \(worker) FOR UPDATE SKIP LOCKED
          ) AS mine
          WHERE j.id = mine.id
        )
        SELECT id, is_cancelled FROM rollup.jobs WHERE state = 'taken' AND worker = \(worker)
        """
      ).map { try $0.decode((Int64, Bool).self) }
    }
    return (Set(rows.map(\.0)), Set(rows.filter(\.1).map(\.0)))
  }

  /// Whether nothing of queues waits or is in anybody's hands.
  func isOver(_ queues: [String]) async throws -> Bool {
    try await pool.withConnection { connection in
      try await connection.prepared(
        """
        SELECT NOT EXISTS (SELECT FROM rollup.jobs WHERE queue = ANY (\(queues)) AND state = 'waiting')
          AND NOT EXISTS (SELECT FROM rollup.jobs WHERE queue = ANY (\(queues)) AND state = 'taken')
        """
      ).only(Bool.self)
    }
  }

  /// Puts jobs of workers that have not been heard of for their own lease back, and ends their sessions, so that what they
  /// hold is free.
  /// - Parameter worker: who looks, and is not dead however long it took to come to this.
  @discardableResult
  public func rescue(by worker: String? = nil) async throws -> Int {
    try await pool.withConnection { connection in
      let workers = try await connection.prepared(
        """
        UPDATE rollup.jobs AS j
        SET state = CASE WHEN is_cancelled THEN 'cancelled' ELSE 'waiting' END, unique_key = NULL,
          done_at = CASE WHEN is_cancelled THEN now() END
        FROM (
          SELECT id FROM rollup.jobs
          WHERE state = 'taken' AND alive_at < now() - lease AND worker IS DISTINCT FROM \(worker)
          FOR UPDATE SKIP LOCKED
        ) AS silent
        WHERE j.id = silent.id
        RETURNING j.worker, (SELECT count(*) FROM (SELECT pg_notify(\(Self.channel), j.queue)) AS said)
        """
      ).map { try $0.decode(0, as: String?.self) }
      let dead = Array(Set(workers.compactMap { $0 }))
      if !dead.isEmpty { try await end(dead, on: connection) }
      return workers.count
    }
  }

  /// They may be gone, or another role's.
  private func end(_ workers: [String], on connection: Connection) async throws {
    do {
      try await connection.execute(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = ANY (\(workers.map(Self.sessionName)))
          AND pid <> pg_backend_pid()
        """)
    } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {}
  }

  /// The name that a worker's sessions go by; the server keeps 63 bytes.
  public static func sessionName(_ worker: String) -> String {
    String(worker.utf8.prefix(63)) ?? ""
  }

  // MARK: What became of them

  /// Notes, in the transaction of the work, that it is done; jobs that need no other any more may then be taken.
  /// - Throws: ``LostJob`` when another worker has taken it over, or it was cancelled.
  public func complete(
    _ job: Job, as worker: String, _ outcome: JobOutcome = JobOutcome(),
    in tx: borrowing Transaction
  ) async throws {
    let done = try await tx.prepared(Self.completion([job], worker, outcome))
    guard done.count == 1 else { throw LostJob(id: job.id) }
  }

  /// The statement by which jobs are done: gives the numbers of those that were the worker's.
  static func completion(_ jobs: [Job], _ worker: String, _ outcome: JobOutcome = JobOutcome())
    -> Query
  {
    """
    WITH done AS (
      UPDATE rollup.jobs AS j
      SET state = 'done', done_at = clock_timestamp(), error = NULL, written = \(Int64(outcome.written)),
        removed = \(Int64(outcome.removed)), emitted = \(Int64(outcome.emitted)), found = \(Int64(outcome.found)), parts = (\(outcome.partsText)::text)::jsonb
      FROM unnest(\(jobs.map(\.id)), \(jobs.map { Int32($0.attempts) })) AS a (id, attempts)
      WHERE j.id = a.id AND j.attempts = a.attempts AND j.state = 'taken' AND j.worker = \(worker) AND NOT j.is_cancelled
      RETURNING j.id
    ), needing AS (
      SELECT n.job, count(*)::integer AS fewer FROM rollup.job_needs AS n JOIN done ON n.needed = done.id GROUP BY n.job
    ), held AS MATERIALIZED (
      SELECT id FROM rollup.jobs WHERE id IN (SELECT job FROM needing) ORDER BY id FOR NO KEY UPDATE
    ), freed AS (
      UPDATE rollup.jobs AS j
      SET needs = j.needs - n.fewer,
        state = CASE WHEN j.needs = n.fewer AND j.state = 'blocked' THEN 'waiting' ELSE j.state END
      FROM needing AS n JOIN held AS h ON h.id = n.job
      WHERE j.id = n.job
      RETURNING CASE WHEN j.state = 'waiting' THEN (SELECT count(*) FROM (SELECT pg_notify(\(channel), j.queue)) AS said) END
    )
    SELECT id, (SELECT count(*) FROM freed) FROM done
    """
  }

  /// What comes before ``completion(_:_:_:)`` of many. A plan that was made for few compares each job that is taken with each
  /// that was done (8,389 in 12 s), and meanwhile still more are done; so it is planned anew, and joined otherwise.
  static let manyAtOnce: [Query] = [
    "SET LOCAL plan_cache_mode = force_custom_plan", "SET LOCAL enable_nestloop = off",
    "SET LOCAL enable_seqscan = off", "SET LOCAL jit = off",
  ]

  /// Puts a job back, to be tried again later, or sets it aside when it has failed too often.
  func fail(_ job: Job, as worker: String, _ error: String) async throws -> Job.State? {
    let backoff = policy.backoff / .seconds(1)
    return try await pool.withConnection { connection in
      try await connection.prepared(
        """
        UPDATE rollup.jobs
        SET failures = failures + 1, error = \(error), unique_key = NULL,
          state = CASE WHEN is_cancelled THEN 'cancelled' WHEN failures + 1 >= max_failures THEN 'aside' ELSE 'waiting' END,
          done_at = CASE WHEN is_cancelled THEN now() END,
          not_before = now() + make_interval(secs => least(\(backoff) * 2 ^ failures, 3600) * (0.5 + random() / 2))
        WHERE id = \(job.id) AND state = 'taken' AND worker = \(worker) AND attempts = \(Int32(job.attempts))
        RETURNING state
        """
      ).first?.decode(String.self)
    }.flatMap { Job.State(rawValue: $0) }
  }

  /// Puts a job back as if it had not been taken: its worker is going home, or has lost the server.
  /// - Parameter pause: how long it is left alone.
  func putBack(_ job: Job, as worker: String, for pause: Duration = .zero) async throws {
    try await pool.withConnection { connection in
      _ = try await connection.prepared(
        """
        UPDATE rollup.jobs
        SET state = CASE WHEN is_cancelled THEN 'cancelled' ELSE 'waiting' END, unique_key = NULL,
          not_before = now() + make_interval(secs => \(pause / .seconds(1))),
          done_at = CASE WHEN is_cancelled THEN now() END
        WHERE id = \(job.id) AND state = 'taken' AND worker = \(worker) AND attempts = \(Int32(job.attempts))
        RETURNING (SELECT count(*) FROM (SELECT pg_notify(\(Self.channel), queue)) AS said)
        """)
    }
  }
}
