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

  /// How much of what they do without a backfill writers are left with, where they do all that the server can: a little more
  /// than the 80 % that are promised, because the chunk that is in hand when they begin is finished first.
  private static let share = 0.85
  /// So few that write a second leave the server time for both.
  private static let few = 50.0

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
    var replicas = Replicas()
    while !Task.isCancelled {
      do {
        let now = try await median(pool, every: .milliseconds(200))
        if now > limit {
          pacer.note("a commit takes \(Self.text(now)), at the beginning \(Self.text(usual))")
        } else if try await replicas.look(pool) > lag {
          pacer.note("a replica is \(Self.text(replicas.behind)) behind")
        } else {
          pacer.note(nil)
        }
      } catch {
        try? await Task.sleep(for: .seconds(1))
      }
    }
  }

  /// Keeps the writers' rate from falling below their share of what it is without the backfill, until the task is cancelled.
  ///
  /// No latency says how fast writers would be alone, so it is tried out: no chunk begins any more, and their rate is taken
  /// before and after the last chunk is done. A rest then makes up for what they have lost. Where they have lost little it is
  /// tried again after a while.
  func leaveWritersTheirShare(_ pool: Pool, _ pacer: Pacer) async {
    var pause = Duration.zero
    while !Task.isCancelled {
      do {
        let begun = try await Writes.now(pool)
        try await Task.sleep(for: .seconds(1))
        guard try await begun.rate(pool) > Self.few else { continue }
        try await Task.sleep(for: pause)
        pacer.hold()
        try await pacer.untilIdle()
        let working = ContinuousClock.now - begun.at
        let beside = try await begun.rate(pool)
        let idle = try await Writes.now(pool)
        try await Task.sleep(for: .milliseconds(500))
        let alone = try await idle.rate(pool)
        let lost = max(0, Self.share * alone - beside) / ((1 - Self.share) * max(alone, 1))
        if lost > 0 {
          pacer.hold("\(Int(beside)) write a second beside it, \(Int(alone)) without it")
          try await Task.sleep(for: min(working * lost, .seconds(30)))
          pause = .zero
        } else {
          pause = min(max(pause * 2, .seconds(5)), .seconds(60))
        }
      } catch {
        try? await Task.sleep(for: .seconds(1))
      }
      pacer.release()
    }
    pacer.release()
  }

  /// How many transactions have written so far: the server numbers them.
  private struct Writes {
    let at: ContinuousClock.Instant
    let count: Int64

    static func now(_ pool: Pool) async throws -> Writes {
      let count = try await pool.withConnection { connection in
        try await connection.prepared(
          "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        ).only(Int64.self)
      }
      return Writes(at: .now, count: count)
    }

    /// A second, since then.
    func rate(_ pool: Pool) async throws -> Double {
      let now = try await Self.now(pool)
      return Double(now.count - count) / max((now.at - at) / .seconds(1), 0.001)
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

  /// How far the replica that is last is behind: how long ago the primary was where it is.
  ///
  /// The server's own `replay_lag` stands still when the replica does.
  private struct Replicas {
    private(set) var behind = Duration.zero
    private var passed: [(position: Int64, at: ContinuousClock.Instant)] = []

    mutating func look(_ pool: Pool) async throws -> Duration {
      let (position, replayed) = try await pool.withConnection { connection in
        try await connection.query(
          """
          SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint,
            (SELECT pg_wal_lsn_diff(min(replay_lsn), '0/0')::bigint FROM pg_stat_replication)
          """
        ).only((Int64, Int64?).self)
      }
      passed.append((position, .now))
      passed.removeAll { $0.position <= replayed ?? position }
      behind = passed.first.map { .now - $0.at } ?? .zero
      return behind
    }
  }

  private static func text(_ time: Duration) -> String {
    time < .seconds(1)
      ? "\((time / .milliseconds(1)).formatted(.number.precision(.fractionLength(0...1)))) ms"
      : "\((time / .seconds(1)).formatted(.number.precision(.fractionLength(0...1)))) s"
  }
}
