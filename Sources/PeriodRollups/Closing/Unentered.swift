/// Whether what closed periods could not take is in the ledger.
extension MostRecent {
  /// Late rows of closed periods that hold another event than the closed row, or other values of it, with no entry in the
  /// ledger that says so: the subject's key as text. What is carried of the subject is no event, and has none.
  public func unenteredLateRows(in period: Period) -> Statement {
    unentered(
      "late rows of \(name) that are in no ledger", now: late, in: period,
      before: partition(of: period), comparing: ranking + kept)
  }

  /// The same for the rows of an edition beside those of the edition before it, in the columns that both have.
  public func unenteredRows(
    of period: Period, in now: TableName, before: TableName, comparing columns: [Column]
  ) -> Statement {
    unentered(
      "rows of \(name) that a restatement has changed, and no ledger has", now: now, in: period,
      before: before, comparing: ranking + kept.filter(columns.contains), isWhole: true)
  }

  /// - Parameter isWhole: both tables have all rows of the period; else a row that `now` lacks is as it was.
  private func unentered(
    _ purpose: String, now: TableName, in period: Period, before: TableName,
    comparing columns: [Column], isWhole: Bool = false
  ) -> Statement {
    func isOf(_ alias: Identifier) -> SQL {
      """
      \(alias).period_type = \(literal: .init(period.type)) AND \(alias).period_start = \(literal: .init(period.start))
      """
    }
    let join: SQL = isWhole ? "FULL JOIN" : "LEFT JOIN"
    let key: SQL = "coalesce(\(subjectID.of("n")), \(subjectID.of("b")))"
    return Statement(
      purpose,
      """
      SELECT \(key)::text
      FROM (SELECT * FROM \(now) AS r WHERE \(isOf("r"))) AS n
      \(join) \(before) AS b ON \(subjectID.of("b")) = \(subjectID.of("n"))
      WHERE (\(PeriodRollups.of("n", columns))) IS DISTINCT FROM (\(PeriodRollups.of("b", columns)))
        AND NOT EXISTS (
          SELECT FROM \(Ledger.table) AS l
          WHERE l.subject_id = \(key) AND \(isOf("l"))
            AND l.row_id IN (\(id.of("n"))::text, \(id.of("b"))::text)
        )
      ORDER BY 1
      """)
  }
}

extension MostRecent {
  /// Enters in the ledger what late rows of subjects say otherwise than the closed rows, where no entry says so: after they were
  /// brought to what the sources say.
  public func enterRepaired(_ lens: Lens) -> Statement {
    func source(_ alias: Identifier) -> SQL {
      origin.map { $0.of(alias) } ?? "\(literal: .init(codeOf: inputs[0].source))::\"char\""
    }
    return Statement(
      "enter the late rows of \(name) that are in no ledger",
      """
      INSERT INTO \(Ledger.table) (\(.joined(Ledger.said.map { "\($0)" })))
      SELECT 'repair', CASE WHEN \(id.of("l")) IS NULL THEN 'out' WHEN \(id.of("l")) = \(id.of("b")) THEN 'within' ELSE 'in' END,
        CASE WHEN \(id.of("l")) IS NULL THEN \(source("b")) ELSE \(source("l")) END, \(subjectID.of("l")),
        coalesce(\(id.of("l")), \(id.of("b")))::text, l.period_type, l.period_start, coalesce(\(time.of("l")), \(time.of("b")))
      FROM \(late) AS l
      LEFT JOIN \(table) AS b ON (\(of("b", key))) = (\(of("l", key)))
      WHERE \(lens.condition(on: subjectID.of("l"), subject.id.type))
        AND (\(of("l", ranking + kept))) IS DISTINCT FROM (\(of("b", ranking + kept)))
        AND NOT EXISTS (
          SELECT FROM \(Ledger.table) AS e
          WHERE e.subject_id = \(subjectID.of("l")) AND e.period_type = l.period_type AND e.period_start = l.period_start
            AND e.row_id IN (\(id.of("l"))::text, \(id.of("b"))::text)
        )
      ON CONFLICT (\(names(Ledger.once))) DO NOTHING
      """)
  }
}
