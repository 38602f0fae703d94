import Foundation
import PeriodRollups
import Postgres

/// A backfill that is not finished and covers a period: what closing asks before it publishes figures of the period.
///
/// The only place where closing looks at runs. It reads a run's row and the first and last period of its task, and of its
/// chunks, or jobs, only when one of them was last heard of.
struct UnfinishedFilling: Hashable, Sendable {
  let run: Int64
  let begun: Timestamp

  /// The earliest that covers the period; nil when none does.
  ///
  /// A run that nobody has begun, worked on or joined for a day is taken for abandoned: one that is forgotten must not keep
  /// a programme from closing for good. What it has left undone `rollup verify` tells.
  static func find(of period: Period, in tx: borrowing Transaction) async throws -> Self? {
    for row in try await tx.query(unfinished) {
      let (run, begun, task) = try row.decode((Int64, Timestamp, String).self)
      // A task that this program cannot read may be of any period.
      guard let covered = try? JSONDecoder().decode(Covered.self, from: Data(task.utf8)),
        !covered.includes(period)
      else { return Self(run: run, begun: begun) }
    }
    return nil
  }

  /// Signs of life of workers are in the run's chunks, or in its jobs, as the run is worked on by either.
  private static let unfinished: Query = """
    SELECT r.number, r.created_at, r.task
    FROM rollup.runs AS r
    WHERE r.kind = 'backfill' AND r.finished_at IS NULL
      AND greatest(
        r.created_at,
        (SELECT max(greatest(c.taken_at, c.alive_at, c.done_at)) FROM rollup.run_chunks AS c WHERE c.run = r.number),
        (SELECT max(greatest(j.taken_at, j.alive_at, j.done_at)) FROM rollup.jobs AS j WHERE j.run = r.number)
      ) > now() - interval '1 day'
    ORDER BY r.number
    """

  /// What the task of a backfill says of its periods, whatever else it says.
  private struct Covered: Decodable {
    let from: Period
    let to: Period

    /// Quarters are filled from all their months, so those at the ends of the span are too.
    func includes(_ period: Period) -> Bool {
      PeriodSpan(from: from, through: to)?.periods(of: period.type).contains(period) ?? true
    }
  }
}
