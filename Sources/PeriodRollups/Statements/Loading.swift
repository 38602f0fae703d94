/// How empty periods are filled: into tables of their own that have no index, which are indexed afterwards and take the
/// places of the empty partitions. A row costs a third of what it costs in the partition (docs/decisions/014).
///
/// Nothing but a backfill uses it, and what it loads need not be exact: rows of the time before a change of the sources are
/// mended by the ordinary pass that follows.
public struct Loading: Sendable {
  public let rollup: MostRecent
  /// Tells the tables of one backfill from those of others.
  public let run: Int64

  public init(_ rollup: MostRecent, run: Int64) {
    self.rollup = rollup
    self.run = run
  }

  /// The type whose rows those of another are chosen from, when its periods consist of whole periods of that type; nil
  /// where they are chosen from the sources.
  public func composed(_ type: PeriodType) -> PeriodType? {
    type != .month && type.isOfMonths && rollup.periods.contains(.month) ? .month : nil
  }

  /// What tells the tables of backfills from all others.
  public static let mark = "_load_"

  private var suffix: String { "\(Self.mark)\(run)" }
  /// The table over those of a type that is loaded from the sources.
  public func table(of type: PeriodType) -> TableName {
    rollup.table(of: type).suffixed(suffix)
  }
  /// The table that becomes a period's partition.
  public func table(of period: Period) -> TableName {
    rollup.partition(of: period).suffixed(suffix)
  }

  /// Whether a period's partition has no row.
  public func isEmpty(_ period: Period) -> Statement {
    Statement(
      "see whether \(period) is empty",
      "SELECT NOT EXISTS (SELECT FROM \(rollup.partition(of: period)))")
  }

  // MARK: Loading

  /// Makes the tables of some periods of a type.
  ///
  /// Those of periods that are composed stand alone: to detach one would have to wait for whoever fills another.
  public func create(_ type: PeriodType, _ periods: [Period]) -> [Statement] {
    let like: SQL = "LIKE \(rollup.table(of: type)) INCLUDING DEFAULTS"
    if composed(type) != nil {
      return periods.map { period in
        Statement(
          "make the table to load \(period) into",
          "CREATE TABLE \(table(of: period)) (\(like)) \(MostRecent.storage)")
      }
    }
    return [
      Statement(
        "make the tables to load \(type.rawValue)s into",
        "CREATE TABLE \(table(of: type)) (\(like)) PARTITION BY RANGE (period_start)")
    ]
      + periods.map { period in
        Statement(
          "for \(period)",
          """
          CREATE TABLE \(table(of: period)) PARTITION OF \(table(of: type))
          FOR VALUES FROM (\(literal: .init(period.start))) TO (\(literal: .init(period.end)))
          \(MostRecent.storage)
          """)
      }
  }

  /// Loads a lens's rows of the periods whose starts are bound (``Parameter/starts(of:)``).
  public func load(_ lens: Lens, _ type: PeriodType) -> Statement {
    let start = Buckets.column(type)
    return Statement(
      "load \(type.rawValue)s of \(rollup.name)",
      insert(
        into: table(of: type),
        """
        SELECT DISTINCT ON (e.\(start), \(rollup.subjectID.of("e")))
          \(literal: .init(type))::\(MostRecent.periodType.type) AS period_type, e.\(start) AS period_start,
          \(of("e", [rollup.subjectID] + rollup.content))
        FROM (
          \(rollup.bucketed(lens, [type]))
        ) AS e
        WHERE e.\(start) IS NOT NULL
        ORDER BY e.\(start), \(rollup.subjectID.of("e")), \(descending)
        """))
  }

  /// Fills the table of a period that consists of others, from their rows: a subject's row is that of the last of them in
  /// which it has any. That needs no sorting.
  public func compose(_ period: Period, from type: PeriodType) -> Statement {
    let parts = PeriodSpan(from: period, through: period).map { Array($0.periods(of: type)) } ?? []
    return Statement(
      "load \(period) from its \(type.rawValue)s",
      insert(
        into: table(of: period), named: "\(period.year), \(literal: .init(period))",
        .joined(parts.map { rows(of: $0, as: period, before: parts.last) }, "\nUNION ALL\n")))
  }

  private func rows(of part: Period, as whole: Period, before last: Period?) -> SQL {
    let isOfPart: SQL =
      "e.period_type = \(literal: .init(part.type)) AND e.period_start = \(literal: .init(part.start))::date"
    let isLast: SQL =
      part == last
      ? "true"
      : """
      NOT EXISTS (
        SELECT FROM \(rollup.table) AS l
        WHERE \(rollup.subjectID.of("l")) = \(rollup.subjectID.of("e")) AND l.period_type = \(literal: .init(part.type))
          AND l.period_start > \(literal: .init(part.start))::date AND l.period_start < \(literal: .init(whole.end))::date
      )
      """
    return """
      SELECT \(literal: .init(whole.type))::\(MostRecent.periodType.type) AS period_type,
        \(literal: .init(whole.start))::date AS period_start, \(of("e", [rollup.subjectID] + rollup.content))
      FROM \(rollup.table) AS e
      WHERE \(isOfPart) AND \(isLast)
      """
  }

  private var descending: SQL { .joined(rollup.ranking.map { "\($0.of("e")) DESC" }) }

  private func insert(into table: TableName, named: SQL? = nil, _ rows: SQL) -> SQL {
    let key = [MostRecent.periodType, MostRecent.periodStart, rollup.subjectID]
    return """
      INSERT INTO \(table) (\(names(key + rollup.content + MostRecent.named)))
      SELECT d.*, \(named ?? rollup.periodNames(of: "d"))
      FROM (
        \(rows)
      ) AS d
      """
  }

  // MARK: Attaching

  /// Makes a loaded table ready to be a partition.
  public func index(_ period: Period) -> [Statement] {
    let table = table(of: period)
    return [
      Statement("its key", "ALTER TABLE \(table) ADD PRIMARY KEY (\(names(rollup.key)))"),
      rollup.selectedBy.map { column in
        Statement(
          "its index by \(column.name.name)",
          "CREATE INDEX ON \(table) (\(column)) INCLUDE (\(names(rollup.key)))")
      },
      Statement(
        "say what it holds, so that attaching need not look",
        """
        ALTER TABLE \(table) ADD CONSTRAINT period CHECK (
          period_type = \(literal: .init(period.type)) AND period_start >= \(literal: .init(period.start))::date
            AND period_start < \(literal: .init(period.end))::date)
        """),
      // Who reads the period first would wait up to a minute for the server to do so, with plans for an empty table.
      Statement("look at what it holds", "ANALYZE \(table)"),
    ].compactMap { $0 }
  }

  /// Keeps readers and writers of a type waiting while a partition changes places: some milliseconds, when it is had.
  public func lock(_ period: Period) -> Statement {
    Statement(
      "keep readers and writers waiting",
      """
      LOCK TABLE ONLY \(rollup.table(of: period.type)), ONLY \(rollup.partition(of: period)),
        ONLY \(rollup.remainder(of: period.type)) IN ACCESS EXCLUSIVE MODE
      """)
  }

  /// Puts a loaded table in the place of the period's partition, with what writers have written to that meanwhile.
  public func attach(_ period: Period) -> [Statement] {
    let (table, partition) = (table(of: period), rollup.partition(of: period))
    let columns = names(rollup.key + rollup.content + MostRecent.named)
    return [
      Statement(
        "take what has been written meanwhile",
        """
        INSERT INTO \(table) AS r (\(columns))
        SELECT \(columns) FROM \(partition)
        ON CONFLICT (\(names(rollup.key))) DO UPDATE
        SET (\(names(rollup.content))) = (\(of("excluded", rollup.content)))
        WHERE (\(of("excluded", rollup.ranking))) >= (\(of("r", rollup.ranking)))
        """),
      composed(period.type) == nil
        ? Statement(
          "take it from the tables that are loaded",
          "ALTER TABLE \(self.table(of: period.type)) DETACH PARTITION \(table)") : nil,
      Statement(
        "take the empty one away",
        "ALTER TABLE \(rollup.table(of: period.type)) DETACH PARTITION \(partition)"),
      Statement("for good", "DROP TABLE \(partition)"),
      Statement("name it", "ALTER TABLE \(table) RENAME TO \(partition.table)"),
      Statement(
        "attach it",
        """
        ALTER TABLE \(rollup.table(of: period.type)) ATTACH PARTITION \(partition)
        FOR VALUES FROM (\(literal: .init(period.start))) TO (\(literal: .init(period.end)))
        """),
      // Every statement that writes to the partition would parse it again.
      Statement("it has been said", "ALTER TABLE \(partition) DROP CONSTRAINT period"),
    ].compactMap { $0 }
  }
}
