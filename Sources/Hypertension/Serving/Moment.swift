import Foundation
import Postgres

/// A state of the database as a statement saw it: what was read in one is what would be read in an equal one.
///
/// On one server equal snapshots see the same transactions (PostgreSQL manual, 9.27.8 "Transaction ID and Snapshot Information
/// Functions"): whatever is before `xmax` and not in progress has ended for good. A moment also names the server, because another
/// one, or this one after a crash that lost its last commits, gives the same numbers to other transactions: the cluster's
/// identifier, its timeline (a new one after a failover or a recovery to a point in time), its last checkpoint (a new one ends
/// every recovery), when it was started (a copy of the files may have been put back), and the database. And it has a quarter of
/// an hour, because a new day makes other figures: time zones differ by quarters of an hour.
public struct Moment: Hashable, Sendable {
  /// As PostgreSQL writes a `pg_snapshot`.
  let snapshot: String
  /// Of what the snapshot is, and in which quarter of an hour.
  let circumstances: String

  /// An expression of SQL that ``init(_:)`` reads. Null where snapshots do not say what is seen: a standby's do not name what is in
  /// progress, and those of a coordinator (Citus) not what its workers have committed.
  public static let expression = """
    CASE WHEN NOT pg_is_in_recovery() AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
      concat_ws(' ', pg_current_snapshot(), (SELECT system_identifier FROM pg_control_system()),
        (SELECT concat_ws(' ', timeline_id, checkpoint_lsn) FROM pg_control_checkpoint()),
        extract(epoch FROM pg_postmaster_start_time()), current_database(), floor(extract(epoch FROM now()) / 900))
    END
    """

  /// - Returns: nil where it is not known what the statement saw.
  public init?(_ text: String?) {
    guard let text else { return nil }
    let parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    snapshot = String(parts[0])
    circumstances = parts.count > 1 ? String(parts[1]) : ""
  }
}

/// The facilities on whose patients a figure rests, or whose patients have changed: ids in small letters, empty for "no
/// facility".
public enum AffectedFacilities: Hashable, Sendable {
  case these(Set<String>)
  /// Or anything else.
  case all

  static let none = AffectedFacilities.these([])

  /// Of facilities that were asked for; nil for everybody's.
  init(_ facilities: [UUID]?) {
    self =
      facilities.map { .these(Set($0.map { $0.uuidString.lowercased() })) } ?? .all
  }

  mutating func formUnion(_ others: AffectedFacilities) {
    guard case .these(let mine) = self, case .these(let theirs) = others else {
      self = .all
      return
    }
    self = .these(mine.union(theirs))
  }
}
