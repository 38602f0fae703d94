import Postgres

/// A state of the database as a statement saw it: what was read in one is what would be read in an equal one.
///
/// Equal snapshots see the same transactions (PostgreSQL manual, 9.27.8 "Transaction ID and Snapshot Information Functions").
/// A moment also has when the server was started, because another server may count from where this one was, and a quarter of an
/// hour, because a new day makes other figures: time zones differ by quarters of an hour.
public struct Moment: Hashable, Sendable {
  private let text: String

  /// An expression of SQL that ``init(_:)`` reads. Null of a standby: its snapshots do not name what is in progress.
  public static let expression = """
    CASE WHEN NOT pg_is_in_recovery() THEN
      concat_ws(' ', pg_current_snapshot(), extract(epoch FROM pg_postmaster_start_time()),
        floor(extract(epoch FROM now()) / 900))
    END
    """

  /// - Returns: nil where it is not known what the statement saw.
  public init?(_ text: String?) {
    guard let text else { return nil }
    self.text = text
  }
}
