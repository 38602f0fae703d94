/// What another session said with `NOTIFY` on a channel that this one listens to.
public struct ServerNotification: Sendable, Hashable {
  public let channel: String
  /// At most 8,000 bytes; empty when none was given.
  public let payload: String
  /// The process of the server that sent it: `pg_stat_activity.pid`.
  public let backend: Int32
}
