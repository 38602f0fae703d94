extension PeriodCount {
  /// What the subjects of a relation count for: one row a period and group, `n` times the number of subjects.
  private func counted(_ relation: SQL, as alias: Identifier, times n: Int, where condition: SQL)
    -> SQL
  {
    """
    SELECT p.period_type, p.period_start, \(group.of(alias)), \(n)::bigint AS change
    FROM \(relation) AS \(alias)
    CROSS JOIN LATERAL \(periodRows(at: time.instant(of: alias))) AS p (period_type, period_start)
    WHERE \(counted.sql(of: alias)) AND \(group.of(alias)) IS NOT NULL AND \(time.hasPeriod(in: alias))
      AND \(condition)
    """
  }

  private func periodRows(at instant: SQL) -> SQL {
    MostRecent.periods(periods, at: instant)
  }

  /// Adds up changes and appends what is not zero. Ordered, so that two batches append in one order.
  private func append(_ changes: SQL) -> SQL {
    """
    INSERT INTO \(table) (period_type, period_start, \(group), \(Self.change))
    SELECT c.period_type, c.period_start, \(group.of("c")), sum(c.change)
    FROM (
      \(changes)
    ) AS c
    GROUP BY 1, 2, 3
    HAVING sum(c.change) <> 0
    """
  }

  /// Counts subjects in (`times` 1) or out (-1), as they are now. Run before a change with -1 and after it with 1
  /// in a transaction that has locked them, when ``dependsOn(_:)`` says that the change matters.
  public func count(_ lens: Lens, times: Int) -> Statement {
    Statement(
      times > 0 ? "count into \(name)" : "count out of \(name)",
      append(
        counted(
          "\(subject.table)", as: "k", times: times,
          where: lens.condition(on: subject.id.of("k"), subject.id.type))))
  }

  /// Whether a change of the columns can change what a subject counts for.
  public func dependsOn(_ columns: [Column]) -> Bool {
    !Set(columns).isDisjoint(with: [time, group] + counted.columns)
  }

  /// The number of changes that are one row too many: what folding would save.
  public var unfolded: Statement {
    Statement(
      "rows of \(name) that folding would save",
      """
      SELECT coalesce(sum(n - 1), 0)::bigint
      FROM (SELECT count(*) AS n FROM \(table) GROUP BY period_type, period_start, \(group)) AS rows
      """)
  }

  /// Puts all changes of one period and group into one row. What a reader adds up stays the same in every snapshot.
  /// Only with ``maintenance`` held.
  public var fold: Statement {
    Statement(
      "fold \(name)",
      """
      WITH many AS (
        SELECT period_type, period_start, \(group) FROM \(table) GROUP BY 1, 2, 3 HAVING count(*) > 1
      ), gone AS (
        DELETE FROM \(table) AS r
        USING many
        WHERE (r.period_type, r.period_start, \(group.of("r"))) = (many.period_type, many.period_start, \(group.of("many")))
          AND NOT \(isClosed("r"))
        RETURNING r.*
      )
      INSERT INTO \(table) (period_type, period_start, \(group), \(Self.change))
      SELECT period_type, period_start, \(group), sum(\(Self.change))
      FROM gone
      GROUP BY 1, 2, 3
      HAVING sum(\(Self.change)) <> 0
      """)
  }

  /// One repair or folding at a time; writers do not take it and never wait.
  public var maintenance: Statement {
    let name = Parameter("rollup", .text, constant: name)
    return Statement(
      "keep other maintenance of \(self.name) out",
      "SELECT pg_advisory_xact_lock(\(Locks.advisoryClass), -1 - (hashtextextended(\(name), 0) & 1023)::integer)"
    )
  }

  /// The difference between what the sources count and what the changes add up to. In one snapshot both are of the
  /// same transactions, so whatever differs is drift, however many writers are at work.
  private var drift: SQL {
    """
    SELECT period_type, period_start, \(group), sum(expected) AS expected, sum(actual) AS actual
    FROM (
      SELECT c.period_type, c.period_start, \(group.of("c")), c.change AS expected, 0::bigint AS actual
      FROM (
        \(counted("\(subject.table)", as: "k", times: 1, where: "true"))
      ) AS c
      UNION ALL
      SELECT period_type, period_start, \(group), 0::bigint, \(Self.change)
      FROM \(table)
      UNION ALL
      SELECT period_type, period_start, \(group), 0::bigint, \(Self.change)
      FROM \(late)
    ) AS both_sides
    WHERE period_start >= \(Parameter.from) AND period_start < \(Parameter.to)
    GROUP BY 1, 2, 3
    HAVING sum(expected) <> sum(actual)
    """
  }

  /// Appends the difference. Only with ``maintenance`` held, so that it is appended once.
  public var mend: Statement {
    Statement(
      "mend \(name)",
      """
      INSERT INTO \(table) (period_type, period_start, \(group), \(Self.change))
      SELECT d.period_type, d.period_start, \(group.of("d")), d.expected - d.actual
      FROM (
        \(drift)
      ) AS d
      """)
  }

  /// The differences, as rows: `kind`, `period_type`, `period_start`, the group as text, `expected`, `actual`.
  public var verify: Statement {
    Statement(
      "compare \(name) with the sources",
      """
      SELECT 'wrong value' AS kind, d.period_type, d.period_start, \(group.of("d"))::text AS key,
        d.expected::bigint, d.actual::bigint
      FROM (
        \(drift)
      ) AS d
      ORDER BY d.period_start, d.period_type, 4
      """)
  }
}
