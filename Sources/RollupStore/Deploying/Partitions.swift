import PeriodRollups
import Postgres

/// The partitions of the rollups, one a period. Rows of periods without one are in the remainder partition, where
/// they are as right, so making partitions is a matter of speed (and, later, of closing).
public struct Partitions: Sendable {
  let catalog: Catalog

  public init(_ catalog: Catalog) { self.catalog = catalog }

  /// The year it is for the server.
  static let thisYear: Query = "SELECT extract(year FROM now())::integer"

  /// The span `rollup migrate` makes partitions for: from five years before this year to the end of the next.
  static func horizon(_ connection: Connection) async throws -> PeriodSpan {
    let year = try await connection.query(thisYear).only(Int.self)
    return span(fromYear: year - 5, throughYear: year + 1)
  }

  /// The last month that partitions are made for: where a backfill without an end goes to.
  public static func lastPeriod(_ pool: Pool) async throws -> Period {
    try await pool.withConnection { try await horizon($0) }.last
  }

  /// Of a span the years that partitions are worth making for: from 1990, before which dates are mistakes, to the next.
  /// Nil when it has none of them.
  public static func usual(_ span: PeriodSpan, on connection: Connection) async throws
    -> PeriodSpan?
  {
    usual(span, in: try await connection.query(thisYear).only(Int.self))
  }

  static func usual(_ span: PeriodSpan, in year: Int) -> PeriodSpan? {
    let usual = Self.span(fromYear: 1990, throughYear: year + 1)
    return PeriodSpan(from: max(span.first, usual.first), through: min(span.last, usual.last))
  }

  /// Whole years, kept within those that have periods.
  public static func span(fromYear first: Int, throughYear last: Int) -> PeriodSpan {
    let years = CalendarDate.years
    guard
      let from = Period(
        .quarter, year: min(max(first, years.lowerBound), years.upperBound), index: 1),
      let through = Period(
        .quarter, year: min(max(last, first, years.lowerBound), years.upperBound), index: 4),
      let span = PeriodSpan(from: from, through: through)
    else { return .all }
    return span
  }

  /// Makes the partitions that the span lacks, with the rows that the remainder has of them.
  ///
  /// Each is made in a short transaction that gives up waiting for a lock after two seconds and tries again, so that
  /// writers of dates out of range, the only ones that can be in its way, are never kept waiting long.
  /// - Returns: how many were made.
  @discardableResult
  public func ensure(_ span: PeriodSpan, on connection: Connection) async throws -> Int {
    let existing = Set(
      try await connection.query(
        """
        SELECT n.nspname || '.' || c.relname
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relispartition AND c.relkind = 'r'
        """
      ).map { try $0.decode(String.self) })
    let missing = missing(in: span, existing)
    for (table, period) in missing { try await make(table, period, on: connection) }
    return missing.count
  }

  /// The partitions of a span that are not among the tables there are.
  func missing(in span: PeriodSpan, _ existing: Set<String>) -> [(
    table: any PeriodTable, period: Period
  )] {
    catalog.periodTables.flatMap { table in
      table.periods.flatMap { type in
        span.periods(of: type).filter { !existing.contains(table.partition(of: $0).qualified) }
          .map { (table, $0) }
      }
    }
  }

  /// The same as a step of a migration.
  static func step(_ table: any PeriodTable, _ period: Period) -> MigrationStep {
    MigrationStep(
      "make the partition of \(table.name) for \(period)",
      table.createPartition(of: period).map(MigrationStep.Piece.init) + [
        .init("it is the owner's", Roles.own(table.partition(of: period)))
      ], isDoneWhenThere: true)
  }

  private func make(_ table: any PeriodTable, _ period: Period, on connection: Connection)
    async throws
  {
    let statements = table.createPartition(of: period)
    do {
      try await connection.transaction(.readCommitted, retrying: .lockTimeout) { tx in
        try await tx.execute("SET LOCAL lock_timeout = '2s'")
        for statement in statements { try await tx.execute(Query(text: statement.text)) }
        try await tx.execute(Roles.own(table.partition(of: period)))
      }
    } catch let error as PostgresError where error.saysThatItIsThere {
      // Another program made it between the look and the attempt.
    }
  }
}
