extension Catalog {
  /// The first day and the last one, on the reporting time zone's clock, of all that has a period: events, and subjects that
  /// are counted. One row, of nulls where there is nothing. It reads the sources whole.
  public var daysOfSources: Statement {
    let events = sources.map { days(of: $0.time, in: $0.table) }
    let subjects = counts.map { days(of: $0.time, in: $0.subject.table) }
    return Statement(
      "find the first and the last day of the sources",
      """
      SELECT min(first), max(last) FROM (
        \(SQL.joined(events + subjects, "\nUNION ALL\n"))
      ) AS days
      """)
  }

  private func days(of time: Column, in table: TableName) -> SQL {
    """
    SELECT min(\(time.localTime(of: "s")))::date AS first, max(\(time.localTime(of: "s")))::date AS last
    FROM \(table) AS s
    WHERE \(time.hasPeriod(in: "s"))
    """
  }
}
