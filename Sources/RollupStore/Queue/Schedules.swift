import Foundation
import Postgres

/// Jobs that the clock makes: each schedule makes its job once when it is due, whichever worker notices. What came due
/// while no worker was there is made up for once.
public struct Schedules: Sendable {
  let jobs: Jobs
  let zone: TimeZone

  /// - Parameter timeZone: an IANA name: the clock that schedules go by.
  public init(_ jobs: Jobs, timeZone: String) {
    self.jobs = jobs
    zone = TimeZone(identifier: timeZone) ?? .gmt
  }

  /// Makes a schedule, or changes the one of that name; it is next due by the present.
  public func set(_ name: String, _ cron: Cron, _ job: NewJob, now: Date = Date()) async throws {
    guard let next = cron.next(after: now, in: zone) else {
      throw Cron.Unreadable(text: "\(cron)", reason: "it is never due")
    }
    try await jobs.pool.withConnection { connection in
      _ = try await connection.execute(
        """
        INSERT INTO rollup.schedules (name, cron, queue, kind, arguments, next_at)
        VALUES (\(name), \("\(cron)"), \(job.queue), \(job.kind), (\(job.arguments)::text)::jsonb, \(next))
        ON CONFLICT (name) DO UPDATE
        SET (cron, queue, kind, arguments, next_at)
          = (excluded.cron, excluded.queue, excluded.kind, excluded.arguments, excluded.next_at)
        """)
    }
  }

  @discardableResult
  public func remove(_ name: String) async throws -> Bool {
    try await jobs.pool.withConnection { connection in
      try await connection.execute("DELETE FROM rollup.schedules WHERE name = \(name)") > 0
    }
  }

  /// A schedule as it stands.
  public struct Entry: Sendable, Hashable {
    public let name: String
    public let cron: String
    public let kind: String
    public let nextAt: Timestamp
    public let lastAt: Timestamp?
  }

  public func all() async throws -> [Entry] {
    try await jobs.pool.withConnection { connection in
      try await connection.query(
        "SELECT name, cron, kind, next_at, last_at FROM rollup.schedules ORDER BY name"
      ).map { row in
        let (name, cron, kind, nextAt, lastAt) = try row.decode(
          (String, String, String, Timestamp, Timestamp?).self)
        return Entry(name: name, cron: cron, kind: kind, nextAt: nextAt, lastAt: lastAt)
      }
    }
  }

  /// Makes the jobs that are due.
  /// - Returns: how many.
  @discardableResult
  public func makeDue(now: Date = Date()) async throws -> Int {
    try await jobs.pool.transaction(.readCommitted, retrying: .standard) { tx in
      let due = try await tx.prepared(
        """
        SELECT name, cron, queue, kind, arguments::text FROM rollup.schedules
        WHERE next_at <= \(now) ORDER BY name FOR UPDATE SKIP LOCKED
        """)
      for row in due {
        let (name, cron, queue, kind, arguments) = try row.decode(
          (String, String, String, String, String).self)
        try await jobs.enqueue(
          NewJob(kind, arguments: arguments, queue: queue, uniqueKey: "schedule \(name)"), in: tx)
        let next = try Cron(cron).next(after: now, in: zone)
        try await tx.prepared(
          "UPDATE rollup.schedules SET last_at = \(now), next_at = coalesce(\(next), 'infinity') WHERE name = \(name)"
        )
      }
      return due.count
    }
  }
}
