import Foundation
import PeriodRollups
import Postgres

/// A backfill that is not finished and covers a period: what closing asks before it publishes figures of the period.
///
/// The only place where closing looks at runs: at the first and the last period of their tasks.
struct UnfinishedFilling: Hashable, Sendable {
  let run: Int64
  let begun: Timestamp

  /// The earliest that covers the period; nil when none does.
  ///
  /// However long nobody has worked on it: what is half there stays so until somebody finishes it, gives it up for another,
  /// or says that it does not matter.
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

  private static let unfinished: Query =
    "SELECT number, created_at, task FROM rollup.runs WHERE kind = 'backfill' AND finished_at IS NULL ORDER BY number"

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
