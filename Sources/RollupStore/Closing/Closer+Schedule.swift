import PeriodRollups
import Postgres

/// What is to be closed when, as the database has it.
extension Closer {
  /// The day it is in the reporting time zone, and the deployment's grace.
  public func calendar() async throws -> (today: CalendarDate, grace: Grace) {
    let answer = try await store.pool.withConnection {
      try await $0.query(
        """
        SELECT (now() AT TIME ZONE time_zone)::date, month_grace_days, quarter_grace_days
        FROM rollup.deployment
        """)
    }
    let (day, month, quarter) = try answer.only((CalendarDay, Int, Int).self)
    return (today ?? CalendarDate(day), Grace(month: month, quarter: quarter))
  }

  /// The calendar with the first period and what is closed. Where the first period is not decided and nothing is closed, the
  /// data are asked for a proposal.
  public func schedule() async throws -> ClosingSchedule {
    let (today, grace) = try await calendar()
    let decided = try await store.pool.withConnection {
      try await $0.query("SELECT first_period FROM rollup.deployment").only(CalendarDay?.self)
    }
    let closed = Set(try await store.editions().map(\.edition.period))
    let first: FirstPeriod =
      if let decided {
        .decided(Period(beginning: CalendarDate(decided)))
      } else if let first = closed.map(\.start).min() {
        .firstClosed(Period(beginning: first))
      } else {
        .undecided(
          proposal: try await store.activity(from: nil, through: today).proposal(on: today))
      }
    return ClosingSchedule(today: today, grace: grace, first: first, closed: closed)
  }

  /// What is dated before the first period, as far as one is decided: counted in cumulative figures, published in none of its
  /// own.
  public func dated(before first: Period) async throws -> Activity.Sum {
    let day = CalendarDate(daysSince1970: first.start.daysSince1970 - 1)
    return try await store.activity(from: nil, through: day).sum { $0.start < first.start }
  }

  /// Refuses to close unasked what a person would look at first: more periods than are expected, and periods of which
  /// nothing, or hardly anything, is recorded.
  ///
  /// One that a backfill is filling is left to ``close(_:early:despiteBackfill:)``, which says so.
  /// - Parameters:
  ///   - most: nil for any number.
  ///   - despiteBackfill: whether it is closed although a backfill of it is not finished.
  /// - Throws: ``Closing/Refusal/tooMany(_:atMost:today:)``, ``Closing/Refusal/doubtful(_:today:)``.
  public func checkExpected(
    _ periods: [Period], _ schedule: ClosingSchedule, atMost most: Int?,
    despiteBackfill: Bool = false
  ) async throws {
    if let most { try schedule.check(periods, atMost: most) }
    var open = periods.filter { !schedule.closed.contains($0) }
    if !despiteBackfill { open = try await notBeingFilled(open) }
    guard !open.isEmpty else { return }
    let activity = try await store.activity(
      from: schedule.firstDayAsked(about: open), through: schedule.today)
    let doubts = schedule.doubts(about: open, activity)
    if !doubts.isEmpty { throw Closing.Refusal.doubtful(doubts, today: schedule.today) }
  }

  private func notBeingFilled(_ periods: [Period]) async throws -> [Period] {
    try await store.pool.transaction(.readCommitted) { tx in
      var others: [Period] = []
      for period in periods where try await UnfinishedFilling.find(of: period, in: tx) == nil {
        others.append(period)
      }
      return others
    }
  }

  /// Holds the decision of the first period until the closing is entered.
  func checkBegun(_ period: Period, in tx: borrowing Transaction) async throws {
    let decided = try await tx.query("SELECT first_period FROM rollup.deployment FOR SHARE")
      .only(CalendarDay?.self)
    guard let first = decided.map({ Period(beginning: CalendarDate($0)) }) else { return }
    if period.start < first.start { throw Closing.Refusal.beforeFirst(period, first: first) }
  }
}

extension RollupStore {
  /// The first period whose figures are published: the one decided, else the first that is closed; nil before either. What
  /// is offered to readers begins with it.
  public static func firstPeriod(in tx: borrowing Transaction) async throws -> Period? {
    try await tx.query(
      """
      SELECT coalesce(
        (SELECT first_period FROM rollup.deployment), (SELECT min(period_start) FROM rollup.editions))
      """
    ).only(CalendarDay?.self).map { Period(beginning: CalendarDate($0)) }
  }

  /// How much the rollups have of each month, from the rollups alone.
  /// - Parameters:
  ///   - from: nil for the first there is.
  ///   - through: the last day.
  func activity(from: CalendarDate?, through day: CalendarDate) async throws -> Activity {
    let rollups = catalog.mostRecent.filter { $0.periods.contains(.month) }
    let span = [
      Bind(from.map { CalendarDay($0) }), Bind(CalendarDay(day)),
    ]
    func counts(_ name: String, _ table: TableName, _ month: String, _ condition: String) -> String
    {
      """
      SELECT '\(name)', r.\(month), count(*)
      FROM \(table) AS r
      WHERE \(condition) AND ($1::date IS NULL OR r.\(month) >= $1) AND r.\(month) <= $2
      GROUP BY 2
      """
    }
    let parts =
      rollups.map { counts($0.name, $0.table, "period_start", "r.period_type = 'M'") }
      + catalog.registers.map {
        counts("", $0.table, "\($0.months[0].column.name)", "true")
      }
    guard !parts.isEmpty else { return Activity() }
    return try await pool.withConnection { connection in
      var activity = Activity()
      let rows = try await connection.query(
        Query(text: parts.joined(separator: "\nUNION ALL\n"), binds: span))
      for row in rows {
        let (name, start, count) = try row.decode((String, CalendarDay, Int).self)
        let month = Period(.month, containing: CalendarDate(start))
        if name.isEmpty {
          activity.registrations[month, default: 0] += count
        } else {
          activity.events[name, default: [:]][month] = count
        }
      }
      activity.newest = try await newest(in: activity, through: day, on: connection)
      return activity
    }
  }

  /// The latest day with an event. Looked for in the last months that have any: others of their rows may be of days to
  /// come.
  private func newest(
    in activity: Activity, through day: CalendarDate, on connection: Connection
  ) async throws -> CalendarDate? {
    let months = Set(activity.events.values.flatMap(\.keys)).sorted().suffix(2)
    let rollups = catalog.mostRecent.filter { $0.periods.contains(.month) }
    guard !months.isEmpty else { return nil }
    let days = rollups.map { rollup in
      """
      SELECT max((r.\(rollup.time.name) AT TIME ZONE $1)::date) AS day
      FROM \(rollup.table) AS r
      WHERE r.period_type = 'M' AND r.period_start = ANY ($2) AND (r.\(rollup.time.name) AT TIME ZONE $1)::date <= $3
      """
    }
    return try await connection.query(
      Query(
        text: "SELECT max(day) FROM (\(days.joined(separator: " UNION ALL "))) AS d",
        binds: [
          Bind(timeZone), Bind(months.map { CalendarDay($0.start) }), Bind(CalendarDay(day)),
        ])
    ).only(CalendarDay?.self).map { CalendarDate($0) }
  }
}
