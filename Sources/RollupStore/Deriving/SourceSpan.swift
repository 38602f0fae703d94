import PeriodRollups
import Postgres

extension RollupStore {
  /// The months of everything in the sources, wrong dates included: what a backfill has to span so that every rollup is there.
  /// The sources are read whole.
  /// - Returns: nil when there is nothing in them that has a period.
  public func spanOfSources() async throws -> PeriodSpan? {
    let query = try query(catalog.daysOfSources)
    let (first, last) = try await pool.withConnection { try await $0.query(query) }
      .only((CalendarDay?, CalendarDay?).self)
    guard let first, let last else { return nil }
    return PeriodSpan(
      from: Period(.month, containing: CalendarDate(first)),
      through: Period(.month, containing: CalendarDate(last)))
  }
}
