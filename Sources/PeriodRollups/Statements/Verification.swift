extension MostRecent {
  /// The open periods of the rollup against the plain query over the sources, as rows: `kind`, `period_type`, `period_start`, the
  /// subject's key as text, and the ids of the event `expected` and the one found (`actual`).
  ///
  /// Kinds: `missing` (an event, but no row), `orphan` (a row, but no event at all), `stale` (the row holds another
  /// event than the most recent), `wrong value` (the right event, other values or facilities).
  public func verify(_ lens: Lens) -> Statement {
    comparison(
      "compare \(name) with the sources",
      mostRecent(
        candidatesInSpan(lens, where: "NOT \(isClosed("p"))")),
      """
      SELECT \(of("r", key + content))
      FROM \(table) AS r
      WHERE \(lens.condition(on: subjectID.of("r"), subject.id.type)) AND \(inSpan("r"))
        AND NOT \(isClosed("r"))
      """)
  }

  private func comparison(_ name: String, _ expected: SQL, _ actual: SQL) -> Statement {
    let all = key + content
    return Statement(
      name,
      """
      SELECT CASE WHEN \(subjectID.of("r")) IS NULL THEN 'missing'
          WHEN \(subjectID.of("e")) IS NULL THEN 'orphan'
          WHEN (\(of("e", ranking))) IS DISTINCT FROM (\(of("r", ranking))) THEN 'stale'
          ELSE 'wrong value' END AS kind,
        coalesce(e.period_type, r.period_type) AS period_type,
        coalesce(e.period_start, r.period_start) AS period_start,
        coalesce(\(subjectID.of("e")), \(subjectID.of("r")))::text AS key,
        \(id.of("e"))::text AS expected, \(id.of("r"))::text AS actual
      FROM (
        \(expected)
      ) AS e
      FULL JOIN (
        \(actual)
      ) AS r ON (\(of("r", key))) = (\(of("e", key)))
      WHERE (\(of("e", all))) IS DISTINCT FROM (\(of("r", all)))
      ORDER BY 3, 2, 4
      """)
  }
}

extension MostRecent {
  /// What closed periods would have now, by their rows and the late rows, against the plain query; as ``verify(_:)``.
  public func verifyKnown(_ lens: Lens) -> Statement {
    comparison(
      "compare \(name) as known now with the sources",
      asEditionsHave(mostRecent(candidatesInSpan(lens, where: isClosed("p")))),
      known(
        where: """
          \(lens.condition(on: subjectID.of("r"), subject.id.type)) AND \(inSpan("r"))
            AND \(isClosed("r"))
          """))
  }
}
