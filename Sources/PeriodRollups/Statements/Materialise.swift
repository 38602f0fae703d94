/// The statements that make a rollup right for a whole scope: the backfill, a patient's arrival or transfer.
///
/// All of them want the scope's subjects locked (at least ``Locks/Strength/share``): then only plain inserts go on
/// beside them, and those only move maxima.
extension MostRecent {
  /// Adds what is missing or older, and mends values and carried columns, for a lens and a span of periods.
  /// Without a span: all periods there are.
  public func materialise(_ lens: Lens, inSpan: Bool) -> Statement {
    let candidates = candidates(lens, where: inSpan ? self.inSpan("p") : nil)
    return Statement(
      "derive \(name) from the sources", upsert(mostRecent(candidates), .newerOrMended))
  }

  /// Rollup rows that no event of the sources stands behind: the event is gone, is deleted, is at another time, or
  /// the row is in the wrong period. Returns the keys and the event's id.
  ///
  /// A row and its source are committed together, so in one statement's snapshot there is no false alarm.
  public func unfounded(_ lens: Lens) -> Statement {
    let right = periods.map { type -> SQL in
      "WHEN \(literal: .init(type)) THEN \(start(of: type, at: time.of("r")))"
    }
    let founded = inputs.map { input -> SQL in
      let source = input.source
      return """
        \(isFrom(source))EXISTS (
          SELECT FROM \(source.table) AS s
          WHERE \(source.subject.of("s")) = \(subjectID.of("r")) AND \(source.id.of("s")) = \(id.of("r"))
            AND \(source.time.instant(of: "s")) = \(time.of("r"))
            AND \(source.exists.sql(of: "s")) AND \(source.time.hasPeriod(in: "s"))
        )
        """
    }
    return Statement(
      "rows of \(name) without an event behind them",
      """
      SELECT \(of("r", key)), \(id.of("r"))
      FROM \(table) AS r
      WHERE \(lens.condition(on: subjectID.of("r"), subject.id.type)) AND \(inSpan("r"))
        AND NOT (
          r.period_start = CASE r.period_type \(.joined(right, " ")) END
          AND EXISTS (
            SELECT FROM \(subject.table) AS k
            WHERE \(subject.id.of("k")) = \(subjectID.of("r")) AND \(subject.exists.sql(of: "k"))
          )
          AND (
            \(.joined(founded, "\nOR "))
          )
        )
      """)
  }

  /// Removes rows that ``unfounded(_:)`` found, if they still hold that event; ``materialise(_:inSpan:)`` afterwards.
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
        AND r.period_start = ANY (\(Parameter.periodStarts))
      """)
  }

  /// Removes the rows of those of the lens's subjects that no longer exist.
  public func dematerialise(_ lens: Lens) -> Statement {
    Statement(
      "remove the rows of \(name)",
      """
      DELETE FROM \(table) AS r
      WHERE \(lens.condition(on: subjectID.of("r"), subject.id.type)) AND NOT EXISTS (
        SELECT FROM \(subject.table) AS k
        WHERE \(subject.id.of("k")) = \(subjectID.of("r")) AND \(subject.exists.sql(of: "k"))
      )
      """)
  }
}

extension Parameter {
  static let periodTypes = Parameter("period_types", .array(.char))
  static let starts = Parameter("starts", .array(.date))
  /// How many subjects a chunk has.
  static let chunkSize = Parameter("chunk_size", .bigint)
}
