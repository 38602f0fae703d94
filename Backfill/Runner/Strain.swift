import Foundation
import Postgres

/// Looks after writers while a backfill runs: how long a commit takes, and how far the replicas are behind.
///
/// A commit of nothing but a message in the write-ahead log takes as long as a writer's commit waits for the disk and for its
/// turn on the processors. Replicas' lag is seen by roles with `pg_monitor`; to others it looks as if there were none.
public struct Strain: Sendable {
  /// The longest that a commit may take; nil for three times what it takes at the beginning, and at least 5 ms.
  public var latency: Duration?
  /// The longest that a replica may be behind.
  public var lag: Duration

  public init(latency: Duration? = nil, lag: Duration = .seconds(10)) {
    self.latency = latency
    self.lag = lag
  }

  /// How long a commit takes before the backfill begins.
  func usual(_ pool: Pool) async throws -> Duration {
    try await median(pool, every: .milliseconds(20))
  }

  /// Tells the pacer what it sees, until the task is cancelled. What cannot be seen for a while, because the server is
  /// away, is seen again later.
  func watch(_ pool: Pool, _ pacer: Pacer, usual: Duration) async {
    let limit = latency ?? max(usual * 3, .milliseconds(5))
    while !Task.isCancelled {
      do {
        let now = try await median(pool, every: .milliseconds(200))
        if now > limit {
          pacer.note("a commit takes \(Self.text(now)), at the beginning \(Self.text(usual))")
        } else if let behind = try await replicaLag(pool), behind > lag {
          pacer.note("a replica is \(Self.text(behind)) behind")
        } else {
          pacer.note(nil)
        }
      } catch {
        try? await Task.sleep(for: .seconds(1))
      }
    }
  }

  /// Of five commits.
  private func median(_ pool: Pool, every pause: Duration) async throws -> Duration {
    var times: [Duration] = []
    for _ in 0..<5 {
      try await Task.sleep(for: pause)
      times.append(
        try await pool.withConnection { connection in
          let started = ContinuousClock.now
          try await connection.execute(
            "SELECT pg_logical_emit_message(true, 'rollup-backfill', 'how long does a commit take')"
          )
          return .now - started
        })
    }
    return times.sorted()[2]
  }

  private func replicaLag(_ pool: Pool) async throws -> Duration? {
    try await pool.withConnection { connection in
      try await connection.query(
        "SELECT extract(epoch FROM max(replay_lag))::double precision FROM pg_stat_replication"
      ).only(Double?.self).map { .seconds($0) }
    }
  }

  private static func text(_ time: Duration) -> String {
    time < .seconds(1)
      ? "\((time / .milliseconds(1)).formatted(.number.precision(.fractionLength(0...1)))) ms"
      : "\((time / .seconds(1)).formatted(.number.precision(.fractionLength(0...1)))) s"
  }
}
