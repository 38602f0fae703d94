/// What a "most recent" rollup's rows are derived from: the one text that the write path, the backfill and
/// verification share, so that they cannot mean different things.
extension MostRecent {
  /// Every event of the lens's subjects, from all sources, as candidates.
  ///
  /// - Parameters:
  ///   - condition: of the relations `e` (event), `k` (subject) and `p` (period).
  ///   - omitted: rows of one source to leave out, as if they were gone.
  func candidates(
    _ lens: Lens, where condition: SQL? = nil, omitting omitted: (rows: RowSet, of: Source)? = nil
  ) -> SQL {
    candidates(events(of: lens, omitting: omitted), where: condition)
  }

  /// The candidates of a span whose ends are bound.
  func candidatesInSpan(_ lens: Lens, where condition: SQL? = nil) -> SQL {
    let conditions = [inSpan("p"), ofSubject(lens)] + (condition.map { [$0] } ?? [])
    return candidates(events(of: lens, nearSpan: true), where: .joined(conditions, " AND "))
  }

  /// Every event of the lens's subjects, from all sources.
  /// - Parameter nearSpan: only those that can be in a span whose ends are bound.
  func events(
    of lens: Lens, omitting omitted: (rows: RowSet, of: Source)? = nil, nearSpan: Bool = false
  ) -> SQL {
    let events = inputs.map { input in
      var conditions = [lens.condition(on: input.source.subject.of("s"), subject.id.type)]
      if nearSpan {
        let days = periods.map(\.mostDays).max() ?? 0
        conditions.append(input.source.time.isNearSpan(in: "s", lasting: days))
      }
      if let omitted, omitted.of == input.source {
        conditions.append(
          """
          NOT EXISTS (
            SELECT FROM \(omitted.rows.relation(of: input.source, as: "a"))
            WHERE a.subject_id = \(input.source.subject.of("s")) AND a.row_id = \(input.source.id.of("s"))
          )
          """)
      }
      return self.events(from: "\(input.source.table)", input, where: conditions)
    }
    return .joined(events, "\nUNION ALL\n")
  }

  /// Events of subjects that exist, once for each period type: a row's key and content.
  func candidates(_ events: SQL, where condition: SQL? = nil) -> SQL {
    """
    SELECT \(.joined(key.map { $0 == subjectID ? $0.of("e") : $0.of("p") } + content.map(qualified)))
    FROM (
      \(events)
    ) AS e
    JOIN \(subject.table) AS k ON \(subject.id.of("k")) = \(subjectID.of("e")) AND \(subject.exists.sql(of: "k"))
    CROSS JOIN LATERAL \(periods(at: time.of("e"))) AS p (period_type, period_start)
    \(condition.map { "WHERE \($0)" } ?? "WHERE true")
    """
  }

  /// The most recent of the candidates: the plain query that a rollup is compared with.
  ///
  /// In the order of locks, so that partition after partition is written and not all of them by turns: two thirds of the
  /// time.
  func mostRecent(_ candidates: SQL) -> SQL {
    """
    SELECT DISTINCT ON (\(names(lockOrder))) *
    FROM (
      \(candidates)
    ) AS c
    ORDER BY \(names(lockOrder)), \(.joined(ranking.map { "\($0) DESC" }))
    """
  }

  /// One source's events in the rollup's own columns.
  func events(from relation: SQL, _ input: Input, where conditions: [SQL]) -> SQL {
    let source = input.source
    var columns: [SQL] = [
      "\(source.subject.of("s")) AS \(subjectID)",
      "\(source.time.instant(of: "s")) AS \(time)",
      "\(source.id.of("s")) AS \(id)",
    ]
    if let origin {
      columns.append("\(literal: .init(codeOf: source))::\(origin.type) AS \(origin)")
    }
    columns += zip(input.kept, kept).map { "\($0.of("s")) AS \($1)" }
    let all = [source.exists.sql(of: "s"), source.time.hasPeriod(in: "s")] + conditions
    return """
      SELECT \(.joined(columns))
      FROM \(relation) AS s
      WHERE \(.joined(all, " AND "))
      """
  }

  /// The periods an instant lies in, one row a type.
  func periods(at instant: SQL) -> SQL { Self.periods(periods, at: instant) }

  static func periods(_ types: [PeriodType], at instant: SQL) -> SQL {
    let rows: [SQL] = types.map {
      "(\(literal: .init($0))::\(periodType.type), \(start(of: $0, at: instant)))"
    }
    return "(VALUES \(.joined(rows)))"
  }

  /// The first day of the period of a type that an instant lies in, by the reporting time zone's clock.
  static func start(of type: PeriodType, at instant: SQL) -> SQL {
    type.start(of: "\(instant) AT TIME ZONE \(Parameter.timeZone)")
  }

  /// The lens on the subject itself: what follows from the join, said so that only the lens's subjects are read.
  func ofSubject(_ lens: Lens) -> SQL { lens.condition(on: subject.id.of("k"), subject.id.type) }

  private func qualified(_ column: Column) -> SQL {
    column.of(subject.carried.contains(column) ? "k" : "e")
  }

  /// Restricts the relation's period to a span whose ends are bound. Whatever begins in it is computed whole, because a
  /// row is of all events of its period, wherever in the span they lie or outside.
  func inSpan(_ alias: Identifier) -> SQL {
    """
    \(Self.periodStart.of(alias)) >= \(Parameter.from) AND \(Self.periodStart.of(alias)) < \(Parameter.to)
    """
  }
}

func names(_ columns: [Column]) -> SQL { .joined(columns.map { "\($0)" }) }
func of(_ alias: Identifier, _ columns: [Column]) -> SQL { .joined(columns.map { $0.of(alias) }) }

extension PeriodType {
  /// The first day of the period that a local time (`timestamp`) lies in.
  func start(of time: SQL) -> SQL {
    switch self {
    case .week: "date_trunc('week', \(time))::date"
    case .month: "date_trunc('month', \(time))::date"
    // Quarters of a financial year that begins in April are those of the calendar by another name.
    case .quarter, .financialQuarter: "date_trunc('quarter', \(time))::date"
    case .halfYear:
      """
      (date_trunc('quarter', \(time))
        - (1 - extract(quarter FROM \(time))::integer % 2) * interval '3 months')::date
      """
    }
  }

  /// The year in the name of the period that begins on a day.
  func year(of start: SQL) -> SQL {
    switch self {
    case .week: "extract(isoyear FROM \(start))::integer"
    case .month, .quarter, .halfYear: "extract(year FROM \(start))::integer"
    case .financialQuarter:
      "extract(year FROM \(start))::integer - (extract(month FROM \(start)) < 4)::integer"
    }
  }

  /// The name of the period that begins on a day.
  func name(of start: SQL) -> SQL {
    switch self {
    case .week: "to_char(\(start), 'IYYY\"-W\"IW')"
    case .month: "to_char(\(start), 'YYYY-MM')"
    case .quarter: "to_char(\(start), 'YYYY\"Q\"Q')"
    case .halfYear:
      "to_char(\(start), 'YYYY\"H\"') || CASE WHEN extract(month FROM \(start)) < 7 THEN '1' ELSE '2' END"
    case .financialQuarter:
      """
      'FY' || lpad((\(year(of: start)))::text, 4, '0') || 'Q'
        || ((extract(quarter FROM \(start))::integer + 2) % 4 + 1)::text
      """
    }
  }
}

extension PeriodTable {
  /// The values of ``MostRecent/named`` for a relation with `period_type` and `period_start`.
  func periodNames(of alias: Identifier) -> SQL {
    let (type, start): (SQL, SQL) = ("\(alias).period_type", "\(alias).period_start")
    func of(_ value: (PeriodType) -> SQL) -> SQL {
      let cases = periods.map { "WHEN \(literal: .init($0)) THEN \(value($0))" as SQL }
      return "CASE \(type) \(.joined(cases, " ")) END"
    }
    let isPlain = periods.allSatisfy { ![.week, .financialQuarter].contains($0) }
    return """
      \(isPlain ? PeriodType.month.year(of: start) : of { $0.year(of: start) }),
        \(of { $0.name(of: start) })
      """
  }
}
