import Foundation
import PeriodRollups
import Postgres
import RollupStore
import Synchronization

/// Reading as a service does whose database role sees no patient: figures come from filed statements, which the database
/// executes within the region of the token in force, and patients only from a list that was announced (docs/access.md).
///
/// ```swift
/// try await ServedReading.$current.withValue(ServedReading()) {
///   try await pool.transaction(.repeatableRead, readOnly: true) { tx in
///     _ = try await tx.query("SELECT FROM rollup.enter(\(secret))")
///     return try await report.make(question, in: tx)
///   }
/// }
/// ```
public struct ServedReading: Sendable {
  /// nil where the database role may read the rows itself, as the commands' do.
  @TaskLocal public static var current: ServedReading?

  /// The number of the list that was announced; nil to read figures.
  let list: Int64?
  /// What was read before, of whoever sees what the token in force sees; nil to read it anew.
  private let memory: (figures: ReadingMemory, scope: AccessToken.Scope, moment: Moment?)?
  private let snapshot = Snapshot()

  /// What has been read in the snapshot.
  private final class Snapshot: Sendable {
    let values = Mutex<[AnyKey: any Sendable]>([:])
    let counted = Mutex(AffectedFacilities.none)
  }

  private struct AnyKey: Hashable, @unchecked Sendable {
    let key: AnyHashable
  }

  /// Of one transaction that sees one snapshot; another takes another.
  /// - Parameter list: what ``ListAnnouncement/make(_:)`` returned.
  public init(list: Int64? = nil) {
    self.list = list
    memory = nil
  }

  /// - Parameters:
  ///   - memory: of the database that is read.
  ///   - scope: of the token in force, as the database said when it was put in force (``enter(_:_:)``).
  ///   - moment: the snapshot's.
  public init(_ memory: ReadingMemory, of scope: AccessToken.Scope, at moment: Moment?) {
    list = nil
    self.memory = (memory, scope, moment)
  }

  /// The facilities whose patients were counted: what was read rests on them, besides what nobody changes without a note.
  public var counted: AffectedFacilities { snapshot.counted.withLock { $0 } }

  /// Puts a token in force until the transaction ends.
  /// - Returns: what the token opens, and what the database is.
  /// - Throws: ``PostgresError`` with SQLSTATE 28000 for a token that does not hold.
  public static func enter(_ secret: String, _ tx: borrowing Transaction) async throws -> (
    scope: AccessToken.Scope, moment: Moment?
  ) {
    let answers = try await tx.pipeline([
      "SELECT state, district, block, facility_id FROM rollup.enter(\(secret))",
      "SELECT \(unescaped: Moment.expression)",
    ])
    let (state, district, block, facility) = try answers[0].only(
      (String?, String?, String?, UUID?).self)
    return (
      AccessToken.Scope(state, district, block, facility),
      Moment(try answers[1].only(String?.self))
    )
  }

  /// What `read` reads; what was read in this snapshot before under the same key is not read again.
  public static func once<Value: Sendable>(
    _ key: some Hashable & Sendable, _ read: () async throws -> Value
  ) async rethrows -> Value {
    guard let values = current?.snapshot else { return try await read() }
    let known = AnyKey(key: AnyHashable(key))
    // In two steps: nothing at all could be taken for a value that is none.
    if let found = values.values.withLock({ $0[known] }), let value = found as? Value {
      return value
    }
    let value = try await read()
    values.values.withLock { $0[known] = value }
    return value
  }

  /// All editions, as ``RollupStore/editions(in:)``.
  public static func editions(_ tx: borrowing Transaction) async throws -> [EditionRecord] {
    try await once("editions") { try await RollupStore.editions(in: tx) }
  }

  func rows(of published: PublishedFigures, _ tx: borrowing Transaction) async throws
    -> [PublishedFigures.Row]
  {
    guard let (figures, scope, _) = memory,
      let record = try await Self.editions(tx).first(where: { $0.edition == published.edition })
    else { return try await published.read(tx) }
    let all = try await figures.published.rows(of: record, scope) {
      let whole = PublishedFigures(published.edition, state: nil, district: nil)
      return PublishedRows(try await whole.read(tx))
    }
    return all.rows(of: published)
  }

  /// A query over patients' rows that is not offered in this way.
  public struct Refusal: Error, Hashable, CustomStringConvertible {
    public let description: String
  }
}

/// That a list of patients is going to be read. The announcement is committed before the list is read, so that no rollback
/// takes the record of it away.
public struct ListAnnouncement: Hashable, Sendable {
  let statement: FiledStatement.Name
  let period: Period
  let month: Period
  let edition: Int?
  /// State, district, block and facility.
  let region: [String?]

  /// Of the patients to recall in a month.
  public static func recall(in month: Period, region: [String?]) -> ListAnnouncement {
    ListAnnouncement(
      statement: .recall, period: month, month: month, edition: nil, region: region)
  }

  /// Of the patients behind a figure, as they are now.
  public static func patients(_ evaluation: Evaluation, region: [String?]) -> ListAnnouncement {
    ListAnnouncement(
      statement: .patients, period: evaluation.period, month: evaluation.month, edition: nil,
      region: region)
  }

  /// Of the patients behind a published figure.
  public static func patients(_ edition: Edition, region: [String?]) -> ListAnnouncement {
    ListAnnouncement(
      statement: .publishedPatients, period: edition.period, month: edition.period.lastMonth,
      edition: edition.number, region: region)
  }

  /// Enters the announcement; with a token in force. To be committed before the list is read.
  /// - Returns: its number.
  public func make(_ tx: borrowing Transaction) async throws -> Int64 {
    try await tx.query(
      """
      SELECT rollup.announce_list(\(statement.rawValue), \(period.type.code)::"char", \(CalendarDay(period.start)),
        \(CalendarDay(month.start)), \(edition.map { Int32($0) }), \(region))
      """
    ).only(Int64.self)
  }
}

extension ServedReading {
  /// Figures by facility: those that have been counted before, but for the facilities whose patients have changed since.
  func figures(_ query: CareFiguresQuery, _ tx: borrowing Transaction) async throws
    -> [UUID?: CareFigures]
  {
    snapshot.counted.withLock { $0.formUnion(AffectedFacilities(query.facilities)) }
    guard let (memory, scope, moment) = memory, let moment else { return try await query.count(tx) }
    let key = CountedMemory.Key(scope: scope, query: query)
    var figures: [UUID?: CareFigures]
    if let kept = memory.counted.kept(key), kept.moment.circumstances == moment.circumstances,
      let changed = try await Self.changes(since: kept.moment, tx),
      let again = query.among(changed)
    {
      figures = kept.figures
      memory.counted.noteUse()
      if !again.isEmpty {
        for facility in again { figures[facility] = nil }
        figures.merge(try await query.of(again).count(tx)) { $1 }
      }
    } else {
      figures = try await query.count(tx)
    }
    memory.counted.keep(figures, key, at: moment)
    return figures
  }

  /// The facilities whose patients have changed since a moment, as the transaction's snapshot sees them.
  /// - Returns: nil where anything may have changed.
  private static func changes(since moment: Moment, _ tx: borrowing Transaction) async throws
    -> [String]?
  {
    struct Since: Hashable { let moment: Moment }
    return try await once(Since(moment: moment)) {
      try await tx.prepared("SELECT rollup.changes_since(\(moment.snapshot)::pg_snapshot)")
        .only([String]?.self)
    }
  }

  /// Figures by facility.
  /// - Parameter counts: how many follow the facility.
  static func rows(
    of query: CareFiguresQuery, counts: Int, _ tx: borrowing Transaction
  ) async throws -> Rows {
    let columns = (1...counts).map { "c\($0) bigint" }
    let evaluation = query.evaluation
    return try await tx.query(
      """
      SELECT * FROM rollup.filed_figures(\(FiledStatement.Name.figures.rawValue), \(evaluation.period.type.code)::"char",
        \(CalendarDay(evaluation.period.start)), \(CalendarDay(evaluation.month.start)), \(query.facilities),
        \(Int32(query.limits.systolic)), \(Int32(query.limits.diastolic))
      ) AS f (facility uuid, \(unescaped: columns.joined(separator: ", ")))
      """)
  }

  /// The patients of the announced list.
  /// - Parameter columns: what the list's statement returns.
  func patients(
    of facilities: [UUID]?, _ limits: ControlLimits = .standard, columns: String,
    _ tx: borrowing Transaction
  ) async throws -> Rows {
    guard let list, let facilities else {
      throw Refusal(
        description: "patients are listed of named facilities, and after it was announced")
    }
    return try await tx.query(
      """
      SELECT * FROM rollup.read_list(\(list), \(facilities), \(Int32(limits.systolic)), \(Int32(limits.diastolic)))
        AS p (\(unescaped: columns))
      """)
  }
}
