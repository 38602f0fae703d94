/// How a derived row meets the one that is there.
enum Meeting {
  /// It replaces an earlier event and nothing else. Commutative and idempotent: any number of writers and a backfill
  /// may run it in any order, without a lock.
  case newer
  /// As `newer`, and the same event with other values is mended. Only under a lock that keeps the subject's rows
  /// from being taken away or reassigned.
  case newerOrMended
  /// It replaces the event of a row in the set, which is being taken away. Only with the rollup row locked by an
  /// earlier statement.
  case replacing(RowSet, Source)
}

extension MostRecent {
  /// Writes derived rows. Rows go to their partitions by the parent's routing, so a prepared statement touches only
  /// the partitions it writes. Only a restatement inserts besides, so this is also where ``named`` columns come from.
  func upsert(_ rows: SQL, _ meeting: Meeting) -> SQL {
    """
    INSERT INTO \(table) AS r (\(names(key + content + Self.named)))
    SELECT d.*, \(periodNames(of: "d"))
    FROM (
      \(rows)
    ) AS d
    ON CONFLICT (\(names(key))) DO UPDATE
    SET (\(names(content))) = (\(of("excluded", content)))
    WHERE \(guardCondition(meeting))
    """
  }

  private func guardCondition(_ meeting: Meeting) -> SQL {
    let newer: SQL = "(\(of("excluded", ranking))) > (\(of("r", ranking)))"
    switch meeting {
    case .newer: return newer
    case .newerOrMended:
      return """
        \(newer)
        OR ((\(of("excluded", ranking))) = (\(of("r", ranking)))
          AND (\(of("excluded", unranked))) IS DISTINCT FROM (\(of("r", unranked))))
        """
    case .replacing(let rows, let source):
      return holds(rows, of: source)
    }
  }

  /// The columns of ``content`` that do not decide which event is the most recent.
  var unranked: [Column] { content.filter { !ranking.contains($0) } }

  /// True of a rollup row `r` that holds one of the source rows.
  func holds(_ rows: RowSet, of source: Source) -> SQL {
    """
    \(isFrom(source))EXISTS (
      SELECT FROM \(rows.relation(of: source, as: "a"))
      WHERE a.subject_id = \(subjectID.of("r")) AND a.row_id = \(id.of("r"))
    )
    """
  }

  /// `r.source = 'V' AND `, where there is more than one source.
  func isFrom(_ source: Source) -> SQL {
    origin.map { "\($0.of("r")) = \(literal: .init(codeOf: source)) AND " } ?? ""
  }
}
