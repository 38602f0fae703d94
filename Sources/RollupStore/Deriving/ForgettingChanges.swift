import Postgres

extension RollupStore {
  /// Has the database forget notes of changes that nobody asks for any more (`PeriodRollups.Changes`), not more often than once
  /// an hour. What is not forgotten now is by the next who calls this.
  public func forgetChanges() async {
    _ = try? await pool.withConnection { try await $0.query("SELECT rollup.forget_changes()") }
  }
}
