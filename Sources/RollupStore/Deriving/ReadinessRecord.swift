import PeriodRollups
import Postgres

/// Whether something that was declared may be read.
public struct ReadinessRecord: Sendable, Hashable {
  public let item: ReadinessItem
  /// When it was declared to the database.
  public let since: Timestamp
  /// The first day filled, and the day after the last; nil for no bound.
  public let from: CalendarDate?
  public let to: CalendarDate?
  /// Whether any period is filled.
  public let isFilled: Bool
  public let filledAt: Timestamp?
  /// The last run that filled any of it; nil where it was so from the beginning.
  public let run: Int64?
}

extension RollupStore {
  /// All period types and added columns of the declared rollups, by rollup.
  public func readiness() async throws -> [ReadinessRecord] {
    let statement = try query(Readiness.all)
    let rows = try await pool.withConnection { try await $0.query(statement) }
    return try rows.compactMap { row in
      guard let kind = ReadinessItem.Kind(rawValue: try row.decode(1, as: String.self)) else {
        return nil
      }
      let item = ReadinessItem(
        try row.decode(0, as: String.self), kind, try row.decode(2, as: String.self))
      return ReadinessRecord(
        item: item, since: try row.decode(3, as: Timestamp.self),
        from: try row.decode(4, as: CalendarDay?.self).map { CalendarDate($0) },
        to: try row.decode(5, as: CalendarDay?.self).map { CalendarDate($0) },
        isFilled: try row.decode(6, as: Bool.self),
        filledAt: try row.decode(7, as: Timestamp?.self), run: try row.decode(8, as: Int64?.self))
    }
  }

  /// Notes that a run over all subjects has filled a span.
  /// - Parameter columns: only these, of the one rollup; nil for the rollups' rows with all their columns.
  public func noteFilled(
    _ rollups: [String], columns: [String]? = nil, in span: PeriodSpan, by run: Int64
  ) async throws {
    let values = self.values(of: span).merging([
      "rollups": Bind(rollups), "columns": Bind(columns ?? []), "run": Bind(run),
    ]) { $1 }
    let statement = try query(Readiness.note(columns: columns != nil), values)
    _ = try await pool.withConnection { try await $0.execute(statement) }
  }
}
