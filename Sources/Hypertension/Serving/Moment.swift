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
  private let text: String

  /// An expression of SQL that ``init(_:)`` reads. Null of a standby: its snapshots do not name what is in progress.
  public static let expression = """
    CASE WHEN NOT pg_is_in_recovery() THEN
      concat_ws(' ', pg_current_snapshot(), (SELECT system_identifier FROM pg_control_system()),
        (SELECT concat_ws(' ', timeline_id, checkpoint_lsn) FROM pg_control_checkpoint()),
        extract(epoch FROM pg_postmaster_start_time()), current_database(), floor(extract(epoch FROM now()) / 900))
    END
    """

  /// - Returns: nil where it is not known what the statement saw.
  public init?(_ text: String?) {
    guard let text else { return nil }
    self.text = text
  }
}
