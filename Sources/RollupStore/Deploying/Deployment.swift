import PeriodRollups
import Postgres

/// What is set once for a deployment.
public enum Deployment {
  /// The reporting time zone, or nil when the database has not been migrated.
  static func timeZone(_ pool: Pool) async throws -> String? {
    do {
      return try await pool.withConnection { connection in
        try await connection.query("SELECT time_zone FROM rollup.deployment").first?.decode(
          String.self)
      }
    } catch let error as PostgresError
      where error.sqlState == .undefinedTable || error.sqlState == .invalidSchemaName
    {
      return nil
    }
  }

  /// Sets how long periods take late data; nil keeps what is set. Closed periods stay closed.
  /// - Returns: what is set now.
  public static func set(month: Int?, quarter: Int?, on pool: Pool) async throws -> Grace {
    let (month, quarter) = try await pool.withConnection { connection in
      try await connection.query(
        """
        UPDATE rollup.deployment
        SET month_grace_days = coalesce(\(month), month_grace_days),
          quarter_grace_days = coalesce(\(quarter), quarter_grace_days)
        RETURNING month_grace_days, quarter_grace_days
        """
      ).only((Int, Int).self)
    }
    return Grace(month: month, quarter: quarter)
  }

  /// The day it is by the server's clock, in the reporting time zone.
  /// - Throws: ``DeploymentError/notMigrated``.
  public static func today(_ pool: Pool) async throws -> CalendarDate {
    guard try await timeZone(pool) != nil else { throw DeploymentError.notMigrated }
    return try await pool.withConnection { connection in
      CalendarDate(
        try await connection.query(
          "SELECT (now() AT TIME ZONE time_zone)::date FROM rollup.deployment"
        ).only(CalendarDay.self))
    }
  }

  /// Decides from which period on figures are published. It can be moved earlier, and later as long as nothing is closed
  /// before it. Waits for closings in flight.
  /// - Parameter today: nil for the server's day.
  /// - Throws: ``Closing/Refusal/noFirstPeriod(_:)``, ``Closing/Refusal/closedBeforeFirst(_:first:)``.
  public static func set(
    firstPeriod first: Period, today: CalendarDate? = nil, on pool: Pool
  ) async throws {
    try await checkRange(of: first, today, pool)
    try await pool.transaction(.readCommitted, retrying: .standard) { tx in
      // Closings hold the row FOR SHARE until they are entered.
      try await tx.execute(
        "UPDATE rollup.deployment SET first_period = \(CalendarDay(first.start))")
      try await checkNothingIsClosed(before: first, in: tx)
    }
  }

  /// Whether ``set(firstPeriod:today:on:)`` would do it now. Writes nothing.
  public static func check(firstPeriod first: Period, on pool: Pool) async throws {
    try await checkRange(of: first, nil, pool)
    try await pool.transaction(.readCommitted, readOnly: true) { tx in
      try await checkNothingIsClosed(before: first, in: tx)
    }
  }

  private static func checkRange(of first: Period, _ today: CalendarDate?, _ pool: Pool)
    async throws
  {
    let server = try await self.today(pool)
    let latest = Period(.month, containing: today ?? server).advanced(by: 12)
    guard Closing.types.contains(first.type), first.start >= Closing.earliest,
      first.start <= latest.start
    else { throw Closing.Refusal.noFirstPeriod(first) }
  }

  private static func checkNothingIsClosed(before first: Period, in tx: borrowing Transaction)
    async throws
  {
    let closed = try await RollupStore.closedPeriods(in: tx)
    if let before = closed.filter({ $0.start < first.start }).min() {
      throw Closing.Refusal.closedBeforeFirst(before, first: first)
    }
  }

  /// The name as the server's time zone data spells it.
  /// - Throws: ``DeploymentError/unknownTimeZone(_:nearest:)``: only IANA names that the server knows will do.
  static func validated(timeZone name: String, on connection: Connection) async throws -> String {
    let names = try await connection.query(
      """
      SELECT name FROM pg_timezone_names
      WHERE name NOT LIKE 'posix%' AND name NOT LIKE 'right/%' AND name NOT IN ('Factory', 'localtime')
      """
    ).map { try $0.decode(String.self) }
    if let exact = names.first(where: { $0.lowercased() == name.lowercased() }) { return exact }
    throw DeploymentError.unknownTimeZone(name, nearest: nearest(to: name, among: names))
  }
}

/// The names that differ least from what was typed, best first; none when nothing is near.
public func nearest(to text: String, among names: [String], atMost count: Int = 3) -> [String] {
  let typed = Array(text.lowercased())
  return names.map { name in
    (name: name, distance: typed.difference(from: Array(name.lowercased())).count)
  }
  .filter {
    $0.distance <= max(4, typed.count / 2 + 1) || $0.name.lowercased().contains(text.lowercased())
  }
  .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
  .prefix(count).map(\.name)
}

/// What can be wrong with a deployment.
public enum DeploymentError: Error, Hashable, CustomStringConvertible {
  case notMigrated
  case unknownTimeZone(String, nearest: [String])
  case timeZoneIsSet(String, asked: String)
  case changedMigration(String)
  case unknownMigration(String)
  /// A step of a migration never had its locks.
  case busy(String)

  public var description: String {
    switch self {
    case .notMigrated: "the database has no rollups yet: run 'rollup migrate' first"
    case .unknownTimeZone(let name, let nearest):
      "'\(name)' is not a time zone that the server knows. Expected an IANA name such as Asia/Kolkata"
        + (nearest.isEmpty ? "." : "; near it are \(nearest.joined(separator: ", ")).")
    case .timeZoneIsSet(let zone, let asked):
      "the reporting time zone is \(zone) and figures have been derived by it; it cannot become \(asked). "
        + "Every reading near midnight would change its period."
    case .changedMigration(let name):
      "migration \(name) was applied in another form than this program has. Applied migrations are never edited: "
        + "restore the file, and write the change as a new one."
    case .unknownMigration(let name):
      "the database has migration \(name), which this program does not know: it was migrated by a newer version."
    case .busy(let step):
      "another session has held what the step '\(step)' needs for minutes (see pg_stat_activity for long transactions). "
        + "What was done before it stays; 'rollup migrate' goes on with the rest."
    }
  }
}
