/// What says whether rows are right, several times as fast as ``MostRecent/verify(_:)`` says how they are not: events are
/// joined with the rows of their periods, and nothing is sorted (docs/decisions/014).
///
/// All rows are right when no event is more recent than its row or has other values than a row that holds it, and as many
/// events are held as there are rows.
extension MostRecent {
  /// The rows of a lens and of periods: `wrong` (the subjects with an event that is missing, more recent or different; null
  /// for none), `held` (events that a row holds), `rows`.
  ///
  /// - Parameter closed: the periods are closed: what came late counts as held, and `held` and `rows` mean nothing.
  public func check(_ lens: Lens, closed: Bool) -> Statement {
    let rows: SQL = closed ? "0::bigint" : .joined(periods.map { count($0, lens) }, " + ")
    return Statement(
      "see whether \(name) is right",
      """
      SELECT array_agg(DISTINCT v.subject_id) FILTER (WHERE v.verdict >= \(Self.wrong)) AS wrong,
        coalesce(sum(v.verdict % \(Self.wrong)), 0)::bigint AS held,
        \(rows) AS rows
      FROM (
        SELECT \(subjectID.of("e")) AS subject_id,
          \(.joined(periods.map { verdict($0, closed: closed) }, "\n    + ")) AS verdict
        FROM (
          \(bucketed(lens, periods))
        ) AS e
        \(.joined(periods.map { rowsOf($0, lens) }, "\n"))
        -- Judged once, and not again for each of the sums.
        OFFSET 0
      ) AS v
      """)
  }

  /// The verdict on an event counts the rows that hold it, fewer than this, and is so much more for each that is wrong.
  private static let wrong: SQL = "256"

  /// What an event says of the row of its period.
  private func verdict(_ type: PeriodType, closed: Bool) -> SQL {
    let row = alias(type)
    let wrong: SQL =
      closed ? "CASE WHEN \(isLate(type)) THEN 0 ELSE \(Self.wrong) END" : Self.wrong
    return """
      CASE WHEN (\(of(row, ranking))) = (\(of("e", ranking)))
          THEN 1 + CASE WHEN (\(of(row, unranked))) IS NOT DISTINCT FROM (\(values(type, closed: closed))) THEN 0 ELSE \(wrong) END
        WHEN (\(of(row, ranking))) > (\(of("e", ranking))) OR \(start(type)) IS NULL THEN 0
        ELSE \(wrong) END
      """
  }

  /// Every event of the lens's subjects that exist, once, with the starts of its periods.
  func bucketed(_ lens: Lens, _ types: [PeriodType]) -> SQL {
    let starts = types.map {
      "\(Buckets.start(of: $0, at: time.of("e"))) AS \(Buckets.column($0))" as SQL
    }
    return """
      SELECT e.*, \(.joined(subject.carried.map { $0.of("k") } + starts))
      FROM (
        \(events(of: lens))
      ) AS e
      JOIN \(subject.table) AS k ON \(subject.id.of("k")) = \(subjectID.of("e")) AND \(subject.exists.sql(of: "k"))
        AND \(ofSubject(lens))
      """
  }

  private func alias(_ type: PeriodType) -> Identifier {
    Identifier("\(type.code.lowercased())")
  }

  private func start(_ type: PeriodType) -> SQL { "e.\(Buckets.column(type))" }

  /// The rollup row `r` is of a period of the type between the first and the last that are asked for.
  private func isBetween(_ type: PeriodType) -> SQL {
    """
    r.period_type = \(literal: .init(type)) AND r.period_start >= \(Parameter.first(of: type)) \
    AND r.period_start <= \(Parameter.last(of: type))
    """
  }

  private func count(_ type: PeriodType, _ lens: Lens) -> SQL {
    """
    (
      SELECT count(*)
      FROM \(table) AS r
      WHERE \(lens.condition(on: subjectID.of("r"), subject.id.type)) AND \(isBetween(type))
        AND r.period_start <> ALL (\(Parameter.gaps(of: type)))
    )
    """
  }

  /// No event has the start of a period that is not asked for.
  private func rowsOf(_ type: PeriodType, _ lens: Lens) -> SQL {
    let row = alias(type)
    return """
      LEFT JOIN (
        SELECT \(of("r", key + content))
        FROM \(table) AS r
        WHERE \(lens.condition(on: subjectID.of("r"), subject.id.type)) AND \(isBetween(type))
      ) AS \(row) ON \(subjectID.of(row)) = \(subjectID.of("e")) AND \(row).period_start = \(start(type))
      """
  }

  /// What a row should have of the event; of a closed period without the columns that are younger than its edition.
  private func values(_ type: PeriodType, closed: Bool) -> SQL {
    guard closed else { return of("e", unranked) }
    return .joined(
      unranked.map { column in
        asEditionHas(
          column, of: "e", in: "(\(literal: .init(type))::\(Self.periodType.type), \(start(type)))")
      })
  }

  private func isLate(_ type: PeriodType) -> SQL {
    """
    EXISTS (
      SELECT FROM \(late) AS l
      WHERE \(subjectID.of("l")) = \(subjectID.of("e")) AND l.period_type = \(literal: .init(type))
        AND l.period_start = \(start(type))
        AND ((\(of("l", ranking))) > (\(of("e", ranking)))
          OR ((\(of("l", ranking))) = (\(of("e", ranking)))
            AND (\(of("l", unranked))) IS NOT DISTINCT FROM (\(values(type, closed: true)))))
    )
    """
  }
}
