/// What a closed period could not take: beside each rollup a table with the rows that it *would* have now, for the
/// subjects whose rows would be others. A closed period as known now is its closed rows, but for those that have a
/// row here.
extension PeriodTable {
  public var late: TableName { table.suffixed("_late") }
  var guardFunction: TableName { table.guardFunction }
}

extension TableName {
  /// The function that guards closed periods of a rollup's table.
  var guardFunction: TableName { TableName(schema: schema, Identifier("guard_" + table.name)) }
  /// The function that says whether an event stood in its source before the transaction.
  var wasThereFunction: TableName {
    TableName(schema: schema, Identifier("was_there_" + table.name))
  }

  /// The function that brings late rows of a rollup's table to what the sources say.
  var settlingFunction: TableName {
    TableName(schema: schema, Identifier("settle_" + table.name))
  }
}

extension PeriodTable {
  fileprivate var lateIndexes: [IndexShape] {
    [
      IndexShape(
        "index them by period", Identifier(late.table.name + "_by_period"),
        on: [MostRecent.periodStart, MostRecent.periodType])
    ]
  }
}

extension MostRecent {
  /// A row without an event says that the subject would have none.
  public var lateShape: TableShape {
    TableShape(
      "make the late rows of \(name)", late,
      columns: keyColumns + content.map { ShapedColumn($0) }, key: key, indexes: lateIndexes)
  }

  /// Rows of closed periods as they would be now. `condition` is of the alias `r`.
  func known(where condition: SQL, columns: [Column]? = nil) -> SQL {
    let columns = columns ?? key + content
    return """
      SELECT \(of("r", columns))
      FROM \(table) AS r
      WHERE \(condition) AND NOT EXISTS (
        SELECT FROM \(late) AS l WHERE (\(of("l", key))) = (\(of("r", key)))
      )
      UNION ALL
      SELECT \(of("r", columns))
      FROM \(late) AS r
      WHERE \(condition) AND \(time.of("r")) IS NOT NULL
      """
  }

  /// Makes the late rows of subjects right: what the closed periods would have of them by the sources as they are now.
  ///
  /// Only with the late rows locked that exist or could come to exist, or with the subjects locked `FOR UPDATE`: the
  /// guard makes and locks one for every event that it diverts.
  ///
  /// A function does it (``createSettling``), by the rights of ``RollupRole/deriver``, and nobody else writes late rows but the
  /// guard: what a restatement takes in is what the sources say, or an event that is in the ledger.
  public func settle(_ lens: Lens) -> Statement {
    Statement(
      "what closed periods would have in \(name)",
      "SELECT \(settling)(\(lens.keys(of: subject)), \(Parameter.periodStarts))")
  }

  /// The function that ``settle(_:)`` calls.
  var settling: TableName { table.settlingFunction }

  /// Makes that function, for those who write.
  public var createSettling: [Statement] {
    let statements = [missingLateRows, sameLateRows].map { statement in
      statement.replacingParameters { parameter in
        switch parameter {
        case .timeZone: "reporting_zone"
        case .periodStarts: "given_starts"
        default: "given_subjects"
        }
      }
    }
    let key = subject.id.type
    return createWasThere + [
      Statement(
        "make what brings late rows of \(name) to what the sources say",
        """
        CREATE OR REPLACE FUNCTION \(settling)(given_subjects \(key)[], given_starts date[]) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off
        SET plan_cache_mode = force_custom_plan AS $settle$
        DECLARE
          reporting_zone text := (SELECT d.time_zone FROM rollup.deployment AS d);
        BEGIN
          \(statements[0]);
          \(statements[1]);
        END
        $settle$
        """),
      Statement(
        "only writers call it",
        "REVOKE EXECUTE ON FUNCTION \(settling)(\(key)[], date[]) FROM PUBLIC"),
    ]
  }

  private var missingLateRows: SQL {
    let closed: SQL = """
      p.period_start = ANY (\(Parameter.periodStarts)) AND \(isClosed("p"))
      """
    return """
      INSERT INTO \(late) AS r (\(names(key + content)))
      SELECT \(.joined(key.map { "coalesce(\($0.of("m")), \($0.of("n")))" } + content.map { $0.of("m") }))
      FROM (
        \(asEditionsHave(mostRecent(candidates(.subjects, where: closed))))
      ) AS m
      FULL JOIN (
        \(known(where: """
          \(Lens.subjects.condition(on: subjectID.of("r"), subject.id.type))
            AND r.period_start = ANY (\(Parameter.periodStarts)) AND \(isClosed("r"))
          """))
      ) AS n ON (\(of("n", key))) = (\(of("m", key)))
      WHERE (\(of("m", content))) IS DISTINCT FROM (\(of("n", content)))
      ORDER BY \(.joined(lockOrder.map { "coalesce(\($0.of("m")), \($0.of("n")))" }))
      ON CONFLICT (\(names(key))) DO UPDATE
      SET (\(names(content))) = ROW (\(of("excluded", content)))
      """
  }

  /// Removes late rows that say the same as the closed rows: a change locks them by making them, and may turn out to be none
  /// for the period, as one of a column that its edition does not have.
  ///
  /// One that somebody else holds stays: he may be about to change it. Who waits for one that goes makes it again (the guard).
  private var sameLateRows: SQL {
    """
    DELETE FROM \(late) AS d
    USING (
      SELECT \(of("l", key))
      FROM \(late) AS l
      LEFT JOIN \(table) AS r ON (\(of("r", key))) = (\(of("l", key)))
      WHERE \(Lens.subjects.condition(on: subjectID.of("l"), subject.id.type))
        AND l.period_start = ANY (\(Parameter.periodStarts))
        AND (\(of("l", content))) IS NOT DISTINCT FROM (\(of("r", content)))
      ORDER BY \(.joined(lockOrder.map { $0.of("l") }))
      FOR UPDATE OF l SKIP LOCKED
    ) AS s
    WHERE (\(of("d", key))) = (\(of("s", key)))
    """
  }
}

extension PeriodCount {
  /// Changes that came after closing.
  public var lateShape: TableShape {
    TableShape(
      "make the late changes of \(name)", late,
      columns: [MostRecent.periodType, MostRecent.periodStart, group].map {
        ShapedColumn($0, required: true)
      } + [Self.shapedChange] + [
        ShapedColumn(Column("arrived_at", .timestamptz), required: true, " DEFAULT now()")
      ],
      indexes: lateIndexes)
  }
}

extension RecordedPart {
  /// Keeps the rows of an edition that is about to be restated, with all columns that its digest is over, of which some may
  /// be declared no more.
  public func keep(_ edition: Int, of period: Period) -> [Statement] {
    let kept = table.edition(edition, of: period)
    return [
      Statement(
        "keep the rows of edition \(edition)",
        """
        CREATE TABLE \(kept) AS
        SELECT \(names([MostRecent.periodType, MostRecent.periodStart] + columns)) FROM \(table.partition(of: period))
        """),
      Statement(
        "refuse changes of it",
        """
        CREATE TRIGGER kept BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON \(kept)
        FOR EACH STATEMENT EXECUTE FUNCTION rollup.refuse()
        """),
      Statement(
        "whatever the session's replication role",
        "ALTER TABLE \(kept) ENABLE ALWAYS TRIGGER kept"),
    ]
  }

  /// Whether the digest is over a column of that name.
  public func has(_ column: Column) -> Bool { columns.contains { $0.name == column.name } }
}

extension MostRecent {
  /// Brings a closed period's rows to what is known now. Only with its partition locked and unsealed.
  public func takeIn(_ period: Period) -> [Statement] {
    let of: SQL = """
      period_type = \(literal: .init(period.type)) AND period_start = \(literal: .init(period.start))
      """
    return [
      // A change that was made before the partition was locked for this may be about to remove one that says nothing new.
      Statement(
        "hold the late rows",
        "SELECT count(*) FROM (SELECT FROM \(late) WHERE \(of) ORDER BY \(names(lockOrder)) FOR UPDATE) AS l"
      ),
      Statement(
        "take out the rows that would be others",
        """
        DELETE FROM \(partition(of: period)) AS r
        USING \(late) AS l
        WHERE (\(PeriodRollups.of("l", key))) = (\(PeriodRollups.of("r", key)))
        """),
      Statement(
        "take in the late rows",
        """
        INSERT INTO \(partition(of: period)) (\(names(key + content + Self.named)))
        SELECT \(names(key + content)), \(periodNames(of: "l"))
        FROM \(late) AS l
        WHERE \(of) AND \(time) IS NOT NULL
        ORDER BY 1
        """),
      Statement("forget the late rows", "DELETE FROM \(late) WHERE \(of)"),
    ]
  }
}

extension PeriodCount {
  /// Brings a closed period's changes to what is known now. Only with its partition locked and unsealed.
  public func takeIn(_ period: Period) -> [Statement] {
    let columns = names([MostRecent.periodType, MostRecent.periodStart, group, Self.change])
    return [
      Statement(
        "take in the late changes",
        """
        WITH gone AS (
          DELETE FROM \(late)
          WHERE period_type = \(literal: .init(period.type)) AND period_start = \(literal: .init(period.start))
          RETURNING \(columns)
        )
        INSERT INTO \(partition(of: period)) (\(columns)) SELECT \(columns) FROM gone
        """)
    ]
  }
}

extension MostRecent {
  /// The rows of one period, as text for a query that reads several: of a closed one as known now.
  /// - Parameter columns: what is read besides the subject and what is carried of it; a report does not depend on others.
  ///   nil for all columns.
  public func rows(of period: Period, isClosed: Bool, reading columns: [Column]? = nil) -> String {
    let columns = columns.map { [subjectID] + $0 + subject.carried } ?? key + content
    let inPeriod: SQL = """
      r.period_type = \(literal: .init(period.type)) AND r.period_start = \(literal: .init(period.start))
      """
    let rows: SQL =
      // There is nothing before the year 1, which windows of its first months begin in.
      period.start.year < 1
      ? "SELECT \(PeriodRollups.of("r", columns)) FROM \(table) AS r WHERE false"
      : isClosed
        ? known(where: inPeriod, columns: columns)
        : "SELECT \(PeriodRollups.of("r", columns)) FROM \(table) AS r WHERE \(inPeriod)"
    return Statement("", rows).text
  }
}
