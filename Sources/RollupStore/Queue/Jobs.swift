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
    try await tx.prepared(
      """
      SELECT rollup.enqueue_job(\(job.queue), \(job.kind), (\(job.arguments)::text)::jsonb, \(Int16(clamping: job.priority)),
        \(job.run), \(Int64(job.weight)), \(job.notBefore), \(job.uniqueKey), \(job.needs), \(Int32(job.maxFailures)),
        \(job.timeLimit.map { Int32($0) }), \(Int16(job.step)))
      """
    ).only(Int64.self)
  }

  /// Many at once, without uniqueness.
  /// - Returns: their numbers, in order.
  @discardableResult
  public func enqueue(_ jobs: [NewJob], in tx: borrowing Transaction) async throws -> [Int64] {
    guard !jobs.isEmpty else { return [] }
    return try await tx.prepared(
      """
      SELECT * FROM rollup.enqueue_jobs(\(jobs.map(\.queue)), \(jobs.map(\.kind)), \(jobs.map(\.arguments)),
        \(jobs.map { Int16(clamping: $0.priority) }), \(jobs.map(\.run)), \(jobs.map { Int64($0.weight) }),
        \(jobs.map { Int32($0.maxFailures) }), \(jobs.map { $0.timeLimit.map { Int32($0) } }), \(jobs.map(\.notBefore)),
        \(jobs.map { Int16($0.step) }))
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
      SELECT \(unescaped: Job.columns)
      FROM rollup.take_jobs(\(Int64(count)), \(queues), \(kinds), \(worker), make_interval(secs => \(policy.lease / .seconds(1)))) AS j
      """
    // One round trip.
    let results = try await pool.transaction(.readCommitted, retrying: .standard) { tx in
      try await tx.commit(after: [next])
    }
    return try results[0].map(Job.init).sorted { ($0.priority, $0.id) < ($1.priority, $1.id) }
  }

  /// Says that a worker is alive.
  /// - Returns: the jobs that are still its own, and which of them it is asked to stop.
  func heartbeat(_ worker: String) async throws -> (mine: Set<Int64>, cancelled: Set<Int64>) {
    let rows = try await pool.withConnection { connection in
      try await connection.prepared(
        "SELECT id, is_cancelled FROM rollup.keep_jobs(\(worker))"
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
  /// hold is free: those that have recorded themselves as the worker's (``ConnectionSettings/sessions(of:)``), of this login.
  /// - Parameter worker: who looks, and is not dead however long it took to come to this.
  @discardableResult
  public func rescue(by worker: String? = nil) async throws -> Int {
    try await pool.withConnection { connection in
      let workers = try await connection.prepared(
        "SELECT worker FROM rollup.rescue_jobs(\(worker))"
      ).map { try $0.decode(0, as: String?.self) }
      let dead = Array(Set(workers.compactMap { $0 }))
      if !dead.isEmpty { try await end(dead, on: connection) }
      return workers.count
    }
  }

  /// They may be gone. That it is the same login's says the record, and once more the server.
  private func end(_ workers: [String], on connection: Connection) async throws {
    do {
      try await connection.execute(
        """
        SELECT pg_terminate_backend(a.pid)
        FROM rollup.sessions_of(\(workers)) AS s
        JOIN pg_stat_activity AS a ON (a.pid, a.backend_start, a.application_name) = (s.pid, s.started_at, s.session_name)
        WHERE a.usename = session_user AND a.datname = current_database() AND a.pid <> pg_backend_pid()
        """)
    } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {}
  }

  /// Forgets a worker that takes no more.
  func retire(_ worker: String) async throws {
    try await pool.withConnection { connection in
      _ = try await connection.prepared("SELECT rollup.retire_worker(\(worker))")
    }
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
    SELECT * FROM rollup.complete_jobs(\(jobs.map(\.id)), \(jobs.map { Int32($0.attempts) }), \(worker), \(Int64(outcome.written)),
      \(Int64(outcome.removed)), \(Int64(outcome.emitted)), \(Int64(outcome.found)), (\(outcome.partsText)::text)::jsonb)
    """
  }

  /// Puts a job back, to be tried again later, or sets it aside when it has failed too often.
  func fail(_ job: Job, as worker: String, _ error: String) async throws -> Job.State? {
    let backoff = policy.backoff / .seconds(1)
    return try await pool.withConnection { connection in
      try await connection.prepared(
        "SELECT rollup.fail_job(\(job.id), \(Int32(job.attempts)), \(worker), \(error), \(backoff))"
      ).only(String?.self)
    }.flatMap { Job.State(rawValue: $0) }
  }

  /// Puts a job back as if it had not been taken: its worker is going home, or has lost the server.
  /// - Parameter pause: how long it is left alone.
  func putBack(_ job: Job, as worker: String, for pause: Duration = .zero) async throws {
    try await pool.withConnection { connection in
      _ = try await connection.prepared(
        """
        SELECT rollup.put_back_job(\(job.id), \(Int32(job.attempts)), \(worker), make_interval(secs => \(pause / .seconds(1))))
        """)
    }
  }
}
