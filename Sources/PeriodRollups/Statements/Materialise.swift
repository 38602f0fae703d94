/// The statements that make a rollup right for a whole scope: the backfill, a patient's arrival or transfer.
///
/// All of them want the scope's subjects locked (at least ``Locks/Strength/share``): then only plain inserts go on
/// beside them, and those only move maxima.
extension MostRecent {
  /// Adds what is missing or older, and mends values and carried columns: all periods of a lens.
  public func materialise(_ lens: Lens) -> Statement {
    Statement(
      "derive \(name) from the sources", upsert(mostRecent(candidates(lens)), .newerOrMended))
  }

  /// The same for a span of periods and as many subjects as a chunk has: rows that are right already are joined away
  /// first, which costs a third of meeting each of them in the upsert. What is missing from a closed period meets its
  /// guard: it is late.
  public func materialiseSpan(_ lens: Lens) -> Statement {
    Statement("derive \(name) from the sources", upsert(lacking(lens), .newerOrMended))
  }

  /// The rows of a span that are not there as they should be, and not late either.
  private func lacking(_ lens: Lens) -> SQL {
    """
    SELECT m.*
    FROM (
      \(asEditionsHave(mostRecent(candidatesInSpan(lens))))
    ) AS m
    WHERE NOT EXISTS (
      SELECT FROM \(table) AS r
      WHERE \(lens.condition(on: subjectID.of("r"), subject.id.type)) AND \(inSpan("r"))
        AND (\(of("r", key + ranking))) = (\(of("m", key + ranking)))
        AND (\(of("r", unranked))) IS NOT DISTINCT FROM (\(of("m", unranked)))
    ) AND NOT EXISTS (
      SELECT FROM \(late) AS l
      WHERE (\(of("l", key + ranking))) = (\(of("m", key + ranking)))
        AND (\(of("l", unranked))) IS NOT DISTINCT FROM (\(of("m", unranked)))
    )
    """
  }

  /// The subjects that ``unfounded(_:)`` and ``materialiseSpan(_:)`` have something to do for, whatever the span.
  public func differing(_ lens: Lens) -> Statement {
    Statement(
      "see whose \(name) is not right",
      """
      SELECT \(subjectID.of("d"))
      FROM (
        \(lacking(lens))
      ) AS d
      UNION
      SELECT \(subjectID.of("u"))
      FROM (
        \(unfoundedRows(lens))
      ) AS u
      """)
  }

  /// Rollup rows that no event of the sources stands behind: the event is gone, is deleted, is at another time, or
  /// the row is in the wrong period. Returns the keys and the event's id.
  ///
  /// Rows of closed periods stay whatever the sources say.
  /// A row and its source are committed together, so in one statement's snapshot there is no false alarm.
  public func unfounded(_ lens: Lens) -> Statement {
    Statement("rows of \(name) without an event behind them", unfoundedRows(lens))
  }

  private func unfoundedRows(_ lens: Lens) -> SQL {
    let right = periods.map { type -> SQL in
      "WHEN \(literal: .init(type)) THEN \(Self.start(of: type, at: time.of("r")))"
    }
    return """
      SELECT \(of("r", key)), \(id.of("r"))
      FROM \(table) AS r
      WHERE \(lens.condition(on: subjectID.of("r"), subject.id.type)) AND \(inSpan("r"))
        AND NOT \(isClosed("r"))
        AND NOT EXISTS (
          SELECT FROM (
            \(events(of: lens, nearSpan: true))
          ) AS e
          JOIN \(subject.table) AS k ON \(subject.id.of("k")) = \(subjectID.of("e")) AND \(subject.exists.sql(of: "k"))
            AND \(ofSubject(lens))
          WHERE (\(of("e", [subjectID] + ranking))) = (\(of("r", [subjectID] + ranking)))
            AND r.period_start = CASE r.period_type \(.joined(right, " ")) END
        )
      """
  }

  /// Removes rows that ``unfounded(_:)`` found, if they still hold that event; ``materialiseSpan(_:)`` afterwards.
  ///
  /// A concurrent insert that lost against the unfounded event still locked the row, so this waits for it and the
  /// later statement sees it; one that won has changed the row, and it stays.
  public var dropUnfounded: Statement {
    Statement(
      "remove rows of \(name) without an event behind them",
      """
      DELETE FROM \(table) AS r
      USING unnest(\(Parameter.subjects(subject.id.type)), \(Parameter.periodTypes), \(Parameter.starts), \
      \(Parameter.rows(id.type))) AS a (subject_id, period_type, period_start, row_id)
      WHERE \(subjectID.of("r")) = a.subject_id AND r.period_type = a.period_type
        AND r.period_start = a.period_start AND \(id.of("r")) = a.row_id
        AND r.period_start = ANY (\(Parameter.periodStarts)) AND NOT \(isClosed("r"))
      """)
  }

  /// Removes the rows of those of the lens's subjects that no longer exist; those of closed periods stay.
  ///
  /// Whether a period is closed is exact: the statement holds the partitions before its snapshot is taken, and nobody closes a
  /// period whose partition somebody holds.
  public func dematerialise(_ lens: Lens) -> Statement {
    Statement(
      "remove the rows of \(name)",
      """
      DELETE FROM \(table) AS r
      WHERE \(lens.condition(on: subjectID.of("r"), subject.id.type)) AND NOT EXISTS (
        SELECT FROM \(subject.table) AS k
        WHERE \(subject.id.of("k")) = \(subjectID.of("r")) AND \(subject.exists.sql(of: "k"))
      ) AND NOT \(isClosed("r"))
      """)
  }
}

extension MostRecent {
  /// Gives rows the values that columns of theirs should have, each from the event that it holds: what a column that was
  /// added is filled with. The event is found by its key, and only rows that differ are written.
  ///
  /// Only with the subjects locked at least ``Locks/Strength/share``; rows of closed periods stay as they are.
  public func mend(_ columns: [Column], _ lens: Lens) -> [Statement] {
    mend(
      columns, lens, in: "\(table)",
      where:
        "\(lens.condition(on: subjectID.of("r"), subject.id.type)) AND \(inSpan("r")) AND NOT \(isClosed("r"))"
    )
  }

  /// The same for a closed period that is being restated. Only with its partition locked and unsealed.
  public func mend(_ columns: [Column], in period: Period) -> [Statement] {
    mend(columns, .everything, in: "\(partition(of: period))", where: "true")
  }

  private func mend(
    _ columns: [Column], _ lens: Lens, in relation: SQL, where condition: SQL
  ) -> [Statement] {
    let (own, carried) = (columns.filter(kept.contains), columns.filter(subject.carried.contains))
    func update(_ columns: [Column], from values: SQL, where joined: SQL) -> Statement {
      Statement(
        "fill \(columns.map(\.name.name).joined(separator: ", ")) of \(name)",
        """
        UPDATE \(relation) AS r
        SET (\(names(columns))) = ROW (\(of("e", columns)))
        FROM (
          \(values)
        ) AS e
        WHERE \(joined) AND \(condition)
          AND (\(of("r", columns))) IS DISTINCT FROM (\(of("e", columns)))
        """)
    }
    var statements: [Statement] = []
    for input in inputs where !own.isEmpty {
      let source = input.source
      let values = zip(input.kept, kept).filter { own.contains($1) }
      statements.append(
        update(
          values.map(\.1),
          from: """
            SELECT \(source.subject.of("s")) AS subject_id, \(source.id.of("s")) AS row_id,
              \(.joined(values.map { "\($0.of("s")) AS \($1)" }))
            FROM \(source.table) AS s
            WHERE \(lens.condition(on: source.subject.of("s"), subject.id.type))
            """,
          where: "\(isFrom(source))(\(of("r", [subjectID, id]))) = (e.subject_id, e.row_id)"))
    }
    if !carried.isEmpty {
      statements.append(
        update(
          carried,
          from: """
            SELECT \(subject.id.of("k")) AS subject_id, \(of("k", carried))
            FROM \(subject.table) AS k
            WHERE \(ofSubject(lens))
            """, where: "\(subjectID.of("r")) = e.subject_id"))
    }
    return statements
  }

  /// The columns that can be added to the rollup, and filled by ``mend(_:_:)-([Column],Lens)``.
  public var payload: [Column] { unranked }
}

extension Parameter {
  static let periodTypes = Parameter("period_types", .array(.char))
  static let starts = Parameter("starts", .array(.date))
  /// How many subjects a chunk has.
  static let chunkSize = Parameter("chunk_size", .bigint)
}
