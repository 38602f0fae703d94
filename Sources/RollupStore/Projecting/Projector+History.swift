import Foundation
import PeriodRollups
import Postgres

/// What is on record of projections: how many rows they have, and what the last run that derived them took.
public struct ProjectionHistory: Sendable, Hashable {
  /// By the server's estimate; nil while it has none.
  public var rows: Int?
  /// Of those that are kept at commit there is none but backfills.
  public var last: LastRun?

  /// A run that workers did (``QueueEngine``). What was derived in process leaves metrics and lines of the log only.
  public struct LastRun: Sendable, Hashable {
    public let run: Int64
    /// Sources as of then, or later, are in the rows.
    public let begun: Timestamp
    /// nil while it goes on.
    public let ended: Timestamp?
    /// As it was asked for.
    public let lens: String
    public let chunks: Int
    /// Of all chunks together, in whichever worker.
    public let seconds: Double
    public let written: Int
    public let removed: Int
  }
}

extension Projector {
  /// What is on record of each projection that has a table, by its name.
  public func history() async throws -> [String: ProjectionHistory] {
    var history: [String: ProjectionHistory] = [:]
    for (name, rows) in try await estimatedRows() {
      history[name] = ProjectionHistory(rows: rows)
    }
    for (name, last) in try await lastRuns() { history[name, default: .init()].last = last }
    return history
  }

  private func estimatedRows() async throws -> [(String, Int?)] {
    let tables = graph.projections.compactMap { projection in
      projection.table.map { (projection.name, $0.qualified) }
    }
    return try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT t.name, (
          SELECT sum(c.reltuples)::bigint
          FROM pg_partition_tree(to_regclass(t.place)) AS p JOIN pg_class AS c ON c.oid = p.relid
          WHERE p.isleaf AND c.reltuples >= 0)
        FROM unnest(\(tables.map(\.0)), \(tables.map(\.1))) AS t (name, place)
        WHERE to_regclass(t.place) IS NOT NULL
        """
      ).map { try $0.decode((String, Int?).self) }
    }
  }

  private func lastRuns() async throws -> [(String, ProjectionHistory.LastRun)] {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT DISTINCT ON (p.name) p.name, r.number, r.created_at, r.finished_at, r.task, p.chunks, p.seconds, p.written,
          p.removed
        FROM (
          SELECT e.key AS name, j.run, count(*) AS chunks, sum((e.value->>'seconds')::double precision) AS seconds,
            sum((e.value->>'written')::bigint)::bigint AS written, sum((e.value->>'removed')::bigint)::bigint AS removed
          FROM rollup.jobs AS j CROSS JOIN jsonb_each(j.parts) AS e
          WHERE j.parts IS NOT NULL
          GROUP BY e.key, j.run
        ) AS p
        JOIN rollup.runs AS r ON r.number = p.run
        ORDER BY p.name, r.number DESC
        """
      ).map { row in
        let (name, run, begun, ended, task) = try (
          row.decode(0, as: String.self), row.decode(1, as: Int64.self),
          row.decode(2, as: Timestamp.self), row.decode(3, as: Timestamp?.self),
          row.decode(4, as: String.self)
        )
        let asked = try? JSONDecoder().decode(QueueEngine.Arguments.self, from: Data(task.utf8))
        return (
          name,
          ProjectionHistory.LastRun(
            run: run, begun: begun, ended: ended, lens: lens(asked) ?? "of another program",
            chunks: try row.decode(5, as: Int.self), seconds: try row.decode(6, as: Double.self),
            written: try row.decode(7, as: Int.self), removed: try row.decode(8, as: Int.self))
        )
      }
    }
  }

  private func lens(_ asked: QueueEngine.Arguments?) -> String? {
    guard let asked, let target = try? graph.projection(asked.target) else { return nil }
    return (try? asked.lens.lens(of: target))?.description
  }
}

extension ProjectionHistory: CustomStringConvertible {
  public var description: String {
    var parts = [rows.map { "about \($0) rows" } ?? "rows not counted yet"]
    if let last {
      let state = last.ended == nil ? "goes on" : "took \(Self.seconds(last.seconds))"
      parts.append(
        "run \(last.run) for \(last.lens), as of \(last.begun), \(state), \(last.written) written, \(last.removed) removed in \(last.chunks) chunks"
      )
    }
    return parts.joined(separator: "; ")
  }

  private static func seconds(_ seconds: Double) -> String { String(format: "%.2f s", seconds) }
}
