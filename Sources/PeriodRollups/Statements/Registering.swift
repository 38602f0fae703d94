extension Register {
  /// The rows that subjects should have.
  private func rows(_ lens: Lens) -> SQL {
    let months: [SQL] = self.months.map { month in
      let start: SQL = "date_trunc('month', \(month.time.localTime(of: "k")))::date"
      return month == self.months.first
        ? start : "CASE WHEN \(month.time.hasPeriod(in: "k")) THEN \(start) END"
    }
    return """
      SELECT \(.joined([subject.id.of("k")] + months + kept.map { $0.of("k") }))
      FROM \(subject.table) AS k
      WHERE \(lens.condition(on: subject.id.of("k"), subject.id.type))
        AND \(counted.sql(of: "k")) AND \(self.months[0].time.hasPeriod(in: "k"))
      """
  }

  /// Writes the rows of subjects as they are now, where they differ.
  public func materialise(_ lens: Lens) -> Statement {
    Statement(
      "write \(name)",
      """
      INSERT INTO \(table) AS r (\(names([subjectID] + content)))
      \(rows(lens))
      ORDER BY 1
      ON CONFLICT (\(subjectID)) DO UPDATE
      SET (\(names(content))) = ROW (\(of("excluded", content)))
      WHERE (\(of("excluded", content))) IS DISTINCT FROM (\(of("r", content)))
      """)
  }

  /// Removes the rows of subjects that do not count, or are gone.
  public func dropUncounted(_ lens: Lens) -> Statement {
    Statement(
      "remove from \(name) who no longer counts",
      """
      DELETE FROM \(table) AS r
      WHERE \(lens.condition(on: subjectID.of("r"), subject.id.type)) AND NOT EXISTS (
        SELECT FROM \(subject.table) AS k
        WHERE \(subject.id.of("k")) = \(subjectID.of("r"))
          AND \(counted.sql(of: "k")) AND \(months[0].time.hasPeriod(in: "k"))
      )
      """)
  }

  /// The differences, as rows: `kind`, and the subject's key, as text and as it is.
  public func verify(_ lens: Lens) -> Statement {
    let e = [subjectID] + content
    return Statement(
      "compare \(name) with the \(subject.table.table.name)",
      """
      SELECT CASE WHEN \(subjectID.of("r")) IS NULL THEN 'missing'
          WHEN \(subjectID.of("e")) IS NULL THEN 'orphan'
          ELSE 'wrong value' END AS kind,
        coalesce(\(subjectID.of("e")), \(subjectID.of("r")))::text AS key,
        coalesce(\(subjectID.of("e")), \(subjectID.of("r"))) AS subject
      FROM (
        \(rows(lens))
      ) AS e (\(names(e)))
      FULL JOIN (
        SELECT \(names(e)) FROM \(table) AS r WHERE \(lens.condition(on: subjectID.of("r"), subject.id.type))
      ) AS r ON \(subjectID.of("r")) = \(subjectID.of("e"))
      WHERE (\(of("e", e))) IS DISTINCT FROM (\(of("r", e)))
      ORDER BY 2
      """)
  }
}
