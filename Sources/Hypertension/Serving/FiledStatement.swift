import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// A statement over patients' rows that the database keeps, so that a service can have it executed without being able to
/// read the rows: it names the statement and says for which facilities.
///
/// The texts are those that the commands execute, of every period there are partitions for. A period that is open has no
/// late rows, so all of them read late rows too, and are right when the period closes.
struct FiledStatement: Sendable {
  enum Name: String, Sendable {
    case figures, patients, recall
    case publishedPatients = "published patients"
  }

  let name: Name
  /// The code of the period's type, its first day, and the first day of the month of evaluation.
  let key: (type: String, start: CalendarDay, month: CalendarDay)
  let countsAll: Bool
  let text: String

  var listsPatients: Bool { name != .figures }

  private init(_ name: Name, _ evaluation: Evaluation, countsAll: Bool = false, _ text: String) {
    self.name = name
    key = (
      evaluation.period.type.code, CalendarDay(evaluation.period.start),
      CalendarDay(evaluation.month.start)
    )
    self.countsAll = countsAll
    self.text = text
  }

  private init(published text: String) {
    name = .publishedPatients
    key = ("*", CalendarDay(daysSince2000: 0), CalendarDay(daysSince2000: 0))
    countsAll = false
    self.text = text
  }

  /// All statements of a span's months and quarters.
  static func all(of span: PeriodSpan) -> [FiledStatement] {
    let months = span.periods(of: .month).map { Evaluation($0, today: $0.start) }
    // A quarter that is not over is judged as of the month of now.
    let quarters = span.periods(of: .quarter).flatMap { quarter in
      quarter.months.map { Evaluation(quarter, today: $0.start) }
    }
    return [FiledStatement(published: PublishedPatients.filedText)]
      + (months + quarters).flatMap(statements) + months.map(recall)
  }

  private static func statements(_ evaluation: Evaluation) -> [FiledStatement] {
    let closed = evaluation.windows
    func figures(_ facilities: [UUID]?) -> String {
      CareFiguresQuery(evaluation, limits: .standard, facilities: facilities, closed: closed).query
        .text
    }
    let states = CareStates(evaluation: evaluation, closed: closed, scope: .assignedFacilities)
    return [
      FiledStatement(.figures, evaluation, figures([])),
      FiledStatement(.figures, evaluation, countsAll: true, figures(nil)),
      FiledStatement(.patients, evaluation, states.query),
    ]
  }

  private static func recall(_ evaluation: Evaluation) -> FiledStatement {
    let query = RecallQuery(
      evaluation, limits: .standard, facilities: [], closed: evaluation.windows)
    return FiledStatement(.recall, evaluation, query.query.text)
  }
}

extension Evaluation {
  /// Every period that is looked at.
  fileprivate var windows: Set<Period> { Set(year + recent + cohortWindow + [period]) }
}

/// Files the statements that a service may have executed.
public enum Filing {
  /// Brings what is filed to what this program executes; of the periods there are partitions for. To be called when the
  /// tables or the definitions have changed, by a member of the owner's role.
  /// - Returns: how many statements are filed.
  @discardableResult
  public static func refresh(_ pool: Pool) async throws -> Int {
    let statements = FiledStatement.all(of: try await span(pool))
    let query: Query = """
      INSERT INTO rollup.filed_statements AS f (name, period_type, period_start, evaluated, counts_all, lists_patients, text)
      SELECT name, type::"char", start, month, counts_all, lists_patients, text
      FROM unnest(\(statements.map(\.name.rawValue)), \(statements.map(\.key.type)), \(statements.map(\.key.start)),
        \(statements.map(\.key.month)), \(statements.map(\.countsAll)), \(statements.map(\.listsPatients)),
        \(statements.map(\.text))) AS s (name, type, start, month, counts_all, lists_patients, text)
      ON CONFLICT (name, period_type, period_start, evaluated, counts_all) DO UPDATE
      SET text = excluded.text, lists_patients = excluded.lists_patients
      WHERE (f.text, f.lists_patients) IS DISTINCT FROM (excluded.text, excluded.lists_patients)
      """
    try await pool.transaction { tx in
      if try await tx.execute(query) > 0 {
        try await tx.execute(Changes.noteEverything.query([:]))
      }
    }
    return statements.count
  }

  /// As ``refresh(_:)``, where there are tokens: without any nobody asks for what is filed.
  public static func refreshIfUsed(_ pool: Pool) async throws {
    let isUsed: Query = "SELECT EXISTS (SELECT FROM rollup.tokens)"
    if try await pool.withConnection({ try await $0.query(isUsed).only(Bool.self) }) {
      try await refresh(pool)
    }
  }

  /// As ``refresh(_:)``, where nothing is filed: when the first token is made.
  static func refreshIfMissing(_ pool: Pool) async throws {
    let isFiled: Query = "SELECT EXISTS (SELECT FROM rollup.filed_statements)"
    if try await !pool.withConnection({ try await $0.query(isFiled).only(Bool.self) }) {
      try await refresh(pool)
    }
  }

  /// From the first month that has a partition to the last.
  private static func span(_ pool: Pool) async throws -> PeriodSpan {
    let starts: Query = """
      SELECT min(d.day), max(d.day)
      FROM pg_inherits AS i
      JOIN pg_class AS c ON c.oid = i.inhrelid
      CROSS JOIN LATERAL (
        SELECT substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \\(''(\\d{4}-\\d\\d-\\d\\d)''\\)')::date AS day
      ) AS d
      WHERE i.inhparent = to_regclass('rollup.blood_pressure_rollups_months')
      """
    let days = try await pool.withConnection {
      try await $0.query(starts).only((CalendarDay?, CalendarDay?).self)
    }
    guard let first = days.0, let last = days.1,
      let span = PeriodSpan(
        from: Period(.quarter, containing: CalendarDate(first)),
        through: Period(.quarter, containing: CalendarDate(last)))
    else { throw DeploymentError.notMigrated }
    return span
  }
}
