import Postgres

extension Transaction {
  /// Returns when another session waits for a lock that this transaction holds.
  public func untilAnotherWaits() async throws {
    let waits: Query = """
      SELECT count(*) FROM pg_locks AS w
      WHERE NOT w.granted AND pg_backend_pid() = ANY (pg_blocking_pids(w.pid))
      """
    while try await query(waits).only(Int.self) == 0 {
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}
