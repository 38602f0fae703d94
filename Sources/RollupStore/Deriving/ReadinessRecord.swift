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

  /// Notes that a backfill of all subjects has filled a span.
  /// - Parameters:
  ///   - columns: only these, of the one rollup; nil for the rollups' rows with all their columns.
  ///   - begun: when, by the database's clock; what was declared since is not filled.
  public func noteFilled(
    _ rollups: [String], columns: [String]? = nil, in span: PeriodSpan, begun: Timestamp,
    by run: Int64? = nil
  ) async throws {
    let values = self.values(of: span).merging([
      "rollups": Bind(rollups), "columns": Bind(columns ?? []), "run": Bind(run),
      "begun": Bind(begun),
    ]) { $1 }
    let statement = try query(Readiness.note(columns: columns != nil), values)
    _ = try await pool.withConnection { try await $0.execute(statement) }
  }

  /// Makes all rollups right from the sources, chunk after chunk on one connection: for a program that is small, or has no
  /// use for `rollup-backfill`. Safe at any time, as that is.
  /// - Parameters:
  ///   - key: what the subjects are told apart by, such as `UUID.self`.
  ///   - size: subjects in a transaction.
  @discardableResult
  public func fill<Key: PostgresKey>(
    _ span: PeriodSpan = .all, keyedBy key: Key.Type, chunksOf size: Int = 5_000
  ) async throws -> Derived {
    let begun = try await pool.withConnection {
      try await $0.query("SELECT now()").only(Timestamp.self)
    }
    var derived = Derived()
    for chunk in try await chunks(of: size, keyedBy: key) {
      derived =
        derived
        + (try await derive(
          chunk, in: span, rollups: catalog.mostRecent, registers: catalog.registers))
    }
    for count in catalog.counts { derived = derived + (try await derive(count, in: span)) }
    try await noteFilled(catalog.names, in: span, begun: begun)
    return derived
  }
}
