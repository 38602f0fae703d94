import Postgres

/// What a person asks of jobs.
extension Jobs {
  /// The last jobs, the latest first.
  /// - Parameters:
  ///   - states: only in these; empty for all.
  ///   - kind: only of this kind.
  public func last(
    _ count: Int, states: [Job.State] = [], kind: String? = nil, run: Int64? = nil
  ) async throws -> [Job] {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT \(unescaped: Job.columns)
        FROM rollup.jobs AS j
        WHERE (cardinality(\(states.map(\.rawValue))) = 0 OR j.state = ANY (\(states.map(\.rawValue))))
          AND (\(kind)::text IS NULL OR j.kind = \(kind)) AND (\(run)::bigint IS NULL OR j.run = \(run))
        ORDER BY j.id DESC
        LIMIT \(Int64(count))
        """
      ).map(Job.init)
    }
  }

  public func job(_ id: Int64) async throws -> Job? {
    try await pool.withConnection { connection in
      try await connection.prepared(
        "SELECT \(unescaped: Job.columns) FROM rollup.jobs AS j WHERE j.id = \(id)"
      ).first.map(Job.init)
    }
  }

  /// Gives jobs that were set aside or cancelled another try.
  /// - Returns: how many were.
  @discardableResult
  public func retry(_ ids: [Int64]) async throws -> Int {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        UPDATE rollup.jobs
        SET state = CASE WHEN needs > 0 THEN 'blocked' ELSE 'waiting' END, failures = 0, not_before = '-infinity',
          is_cancelled = false, done_at = NULL, unique_key = NULL
        WHERE id = ANY (\(ids)) AND state IN ('aside', 'cancelled')
        RETURNING (SELECT count(*) FROM (SELECT pg_notify(\(Self.channel), queue)) AS said)
        """
      ).count
    }
  }

  /// Cancels jobs, and those that need them. One that a worker has is stopped with the worker's next heartbeat.
  /// - Returns: how many were not over yet.
  @discardableResult
  public func cancel(_ ids: [Int64]) async throws -> Int {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        WITH RECURSIVE all_of_them (id) AS (
          SELECT unnest(\(ids))
          UNION
          SELECT n.job FROM all_of_them AS a JOIN rollup.job_needs AS n ON n.needed = a.id
        )
        UPDATE rollup.jobs AS j
        SET is_cancelled = true, state = CASE WHEN state = 'taken' THEN state ELSE 'cancelled' END,
          done_at = CASE WHEN state = 'taken' THEN done_at ELSE now() END
        FROM (
          SELECT id FROM rollup.jobs WHERE id IN (SELECT id FROM all_of_them) ORDER BY id FOR NO KEY UPDATE
        ) AS a
        WHERE j.id = a.id AND j.state IN ('blocked', 'waiting', 'taken', 'aside')
        RETURNING j.id
        """
      ).count
    }
  }

  /// How many jobs each queue has in each state.
  public func counts() async throws -> [(queue: String, state: Job.State, jobs: Int)] {
    try await pool.withConnection { connection in
      try await connection.query(
        "SELECT queue, state, count(*) FROM rollup.jobs GROUP BY queue, state ORDER BY queue, state"
      ).map { row in
        let (queue, state, jobs) = try row.decode((String, String, Int).self)
        return (queue, Job.State(rawValue: state) ?? .aside, jobs)
      }
    }
  }

  /// Forgets jobs that have been over for long, some at a time, and the runs of projections. Jobs of steps stay for as long
  /// as their run.
  /// - Returns: how many jobs.
  @discardableResult
  public func prune(atMost count: Int = 10_000) async throws -> Int {
    let history = policy.history / .seconds(1)
    return try await pool.withConnection { connection in
      try await connection.execute(
        """
        DELETE FROM rollup.runs
        WHERE kind = 'project' AND finished_at < now() - make_interval(secs => \(history))
        """)
      return try await connection.execute(
        """
        DELETE FROM rollup.jobs
        WHERE id IN (
          SELECT id FROM rollup.jobs
          WHERE step = 0 AND state IN ('done', 'cancelled') AND done_at < now() - make_interval(secs => \(history))
          LIMIT \(Int64(count))
          FOR UPDATE SKIP LOCKED
        )
        """)
    }
  }
}
