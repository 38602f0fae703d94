import Postgres

extension ConnectionSettings {
  /// For the pool of a worker: each session records itself as the worker's when it begins, so that whoever takes over from a
  /// dead worker can end it, and what it holds is free.
  ///
  /// Only sessions of the same login are ended. A session that may not record itself (a server that is read-only, a role
  /// that is no worker's) is not ended by anybody.
  public func sessions(of worker: String) -> Self {
    var settings = self
    settings.applicationName = Jobs.sessionName(worker)
    settings.introduction = """
      SELECT rollup.register_session(\(worker), a.backend_start) FROM pg_stat_get_activity(pg_backend_pid()) AS a
      """
    return settings
  }
}

extension Jobs {
  /// The name that a worker's sessions go by; the server keeps 63 bytes.
  public static func sessionName(_ worker: String) -> String {
    String(worker.utf8.prefix(63)) ?? ""
  }
}
