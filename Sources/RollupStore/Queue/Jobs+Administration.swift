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
      try await connection.query("SELECT rollup.retry_jobs(\(ids))").only(Int.self)
    }
  }

  /// Cancels jobs, and those that need them. One that a worker has is stopped with the worker's next heartbeat. Without the
  /// owner's rights only what this login has asked for is cancelled, and retried.
  /// - Returns: how many were not over yet.
  @discardableResult
  public func cancel(_ ids: [Int64]) async throws -> Int {
    try await pool.withConnection { connection in
      try await connection.query("SELECT rollup.cancel_jobs(\(ids))").only(Int.self)
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
      try await connection.query(
        "SELECT rollup.prune_jobs(make_interval(secs => \(history)), \(Int64(count)))"
      ).only(Int.self)
    }
  }
}
