import PeriodRollups
import Postgres

/// The write path of the subjects: registration, transfer, death, deletion, merge.
public struct SubjectPath<Key: PostgresKey>: Sendable {
  let store: RollupStore
  let subject: Subject
  let writes: SubjectWrites
  let locks: Locks
  let ledger: Ledger

  public init(in store: RollupStore) {
    self.store = store
    self.subject = store.catalog.subject
    self.writes = SubjectWrites(store.catalog)
    self.locks = Locks(store.catalog.subject)
    self.ledger = Ledger(store.catalog)
  }

  /// Stores a subject. Rows that came ahead of it enter the rollups now, with its carried columns.
  /// - Returns: false when it is there already; nothing is changed then.
  public func insert(_ id: Key, _ values: Values, in tx: borrowing Transaction) async throws -> Bool
  {
    try store.check(tx)
    let keys = Self.keys(id)
    let inserted = try await tx.pipeline([
      store.query(locks.arrival, keys), store.query(writes.insert, values),
    ])[1]
    guard !inserted.isEmpty else { return false }
    let following =
      [Doing.change.statement] + writes.count(.subjects, times: 1, changing: subject.columns)
      + writes.rederive(.subjects) + writes.note(.subjects)
    try await finish(store.queries(following, keys), .arrival, keys, existed: false, in: tx)
    return true
  }

  /// Sets columns of a subject: its registration, its facilities, its death.
  /// - Throws: ``WriteError/notFound(_:key:)``.
  public func update(
    _ id: Key, _ columns: [Column], _ values: Values, in tx: borrowing Transaction
  ) async throws -> WriteOutcome {
    try store.check(tx)
    let keys = Self.keys(id)
    let all = values.merging(keys) { value, _ in value }
    let differs = try await tx.pipeline([
      store.query(locks.subjects(.subjects, for: .update), keys),
      store.query(writes.differs(columns), all),
    ])[1]
    guard let row = differs.first else { throw notFound(id) }
    guard try row.decode(Bool.self) else { return .unchanged }
    try await change(
      keys, columns, by: store.query(writes.update(columns), all), as: .edit, in: tx)
    return .changed
  }

  /// Marks a subject deleted: it and its rows count no more.
  public func delete(_ id: Key, in tx: borrowing Transaction) async throws -> WriteOutcome {
    guard let delete = writes.delete else { throw WriteError.noSoftDelete(subject.name) }
    return try await mark(delete, id, as: .departure, in: tx)
  }

  /// Takes the mark away again.
  public func restore(_ id: Key, in tx: borrowing Transaction) async throws -> WriteOutcome {
    guard let restore = writes.restore else { throw WriteError.noSoftDelete(subject.name) }
    return try await mark(restore, id, as: .arrival, in: tx)
  }

  private func mark(
    _ statement: Statement, _ id: Key, as name: Ledger.Change, in tx: borrowing Transaction
  ) async throws -> WriteOutcome {
    try store.check(tx)
    let keys = Self.keys(id)
    try await lock([id], in: tx)
    let marked = try await change(
      keys, subject.exists.columns, by: store.query(statement, keys), as: name, in: tx)
    return marked.isEmpty ? .unchanged : .changed
  }

  /// Removes a subject and all its source rows for good.
  public func destroy(_ id: Key, in tx: borrowing Transaction) async throws {
    try store.check(tx)
    let keys = Self.keys(id)
    try await lock([id], in: tx)
    // Deriving once more holds the partitions of its rows, so that the ledger is told of periods that cannot close any more.
    let holding = [Doing.change.statement, writes.exists] + writes.rederive(.subjects)
    let existed = try await existence(holding, keys, in: tx)
    let entering = store.catalog.sources.map {
      ledger.enter(.destroy, $0, before: .subjects(.subjects, existed: .existed), leaving: true)
    }
    let steps =
      writes.note(.subjects) + writes.count(.subjects, times: -1, changing: subject.columns)
      + entering
      + writes.destroyRows + [writes.destroy] + writes.dematerialise(.subjects)
      + writes.reregister(.subjects)
    let values = keys.merging([Parameter.existed.name: Bind(existed)]) { $1 }
    try await finish(store.queries(steps, values), nil, keys, existed: existed, in: tx)
  }

  /// Gives all rows of one subject to another and marks the one deleted (deduplication).
  public func merge(_ duplicate: Key, into other: Key, in tx: borrowing Transaction) async throws {
    guard let delete = writes.delete else { throw WriteError.noSoftDelete(subject.name) }
    try store.check(tx)
    try await lock([duplicate, other], in: tx)
    let one = Self.keys(duplicate)
    let both: Values = [
      "subject_ids": Bind([duplicate, other]), "from_subject": Bind(duplicate),
      "to_subject": Bind(other),
    ]
    let existed = try await existence([Doing.change.statement, writes.exists], one, in: tx)
    let leaving =
      writes.note(.subjects) + writes.count(.subjects, times: -1, changing: subject.columns)
      + [delete]
      + writes.dematerialise(.subjects)
      + store.catalog.sources.map {
        ledger.enter(.merge, $0, before: .subjects(.subjects, existed: .existed))
      }
    let oneAsItWas = one.merging([Parameter.existed.name: Bind(existed)]) { $1 }
    let given = try await tx.pipeline(
      store.queries(leaving, oneAsItWas) + store.queries(writes.giveRows, both)
    ).dropFirst(leaving.count)
    let following =
      writes.dematerialise(.subjects) + writes.rederive(.subjects) + writes.note(.subjects)
    let entering = try zip(store.catalog.sources, given).map { source, rows in
      let ids = try rows.map { try $0.decode(Key.self) }
      return try store.query(
        ledger.enter(.merge, source, before: .given),
        [
          "subject_ids": Bind(ids.map { _ in other }), "row_ids": Bind(ids),
          "was_time": Bind(Timestamp?.none), "was_counted": Bind(false),
          "changed": Bind([String]?.none),
        ])
    }
    try await finish(
      store.queries(following, both) + entering, nil, both, existed: existed, in: tx)
  }

  /// Counts out, changes, counts in, and derives again what depends on the columns.
  @discardableResult
  private func change(
    _ keys: Values, _ columns: [Column], by change: Query, as name: Ledger.Change,
    in tx: borrowing Transaction
  ) async throws -> Rows {
    let before =
      [Doing.change.statement, writes.exists] + writes.note(.subjects)
      + writes.count(.subjects, times: -1, changing: columns)
    let existed = try await existence(before, keys, in: tx)
    var after = writes.note(.subjects) + writes.count(.subjects, times: 1, changing: columns)
    let existenceMayChange = !Set(columns).isDisjoint(with: subject.exists.columns)
    if existenceMayChange { after += writes.dematerialise(.subjects) }
    let carriedMayChange = !Set(columns).isDisjoint(with: subject.carried)
    let rowsMayChange = existenceMayChange || carriedMayChange
    after += rowsMayChange ? writes.rederive(.subjects) : writes.reregister(.subjects)
    return try await finish(
      [change] + store.queries(after, keys), existenceMayChange ? name : nil, keys,
      existed: existed, settling: rowsMayChange, in: tx)[0]
  }

  /// Runs statements of which the second asks whether the subject exists.
  private func existence(
    _ statements: [Statement], _ keys: Values, in tx: borrowing Transaction
  ) async throws -> Bool {
    let answers = try await tx.pipeline(store.queries(statements, keys))
    return try answers[1].first?.decode(Bool.self) ?? false
  }

  /// Runs the last steps of a change, and settles what it meant for closed periods.
  /// - Parameter name: what to enter in the ledger of the subjects' rows; nil where the steps have done so.
  @discardableResult
  private func finish(
    _ steps: [Query], _ name: Ledger.Change?, _ keys: Values, existed: Bool,
    settling: Bool = true, in tx: borrowing Transaction
  ) async throws -> [Rows] {
    let ending = try [store.query(ledger.closed), store.query(Doing.unannounced.statement)]
    let answers = try await tx.pipeline(steps + ending)
    let starts = try answers[steps.count].map { try $0.decode(CalendarDay.self) }
    guard settling, !starts.isEmpty else { return answers }
    let values = keys.merging(
      [Parameter.periodStarts.name: Bind(starts), Parameter.existed.name: Bind(existed)]) { $1 }
    let entering =
      name.map { name in
        store.catalog.sources.map {
          ledger.enter(name, $0, before: .subjects(.subjects, existed: .existed))
        }
      } ?? []
    _ = try await tx.pipeline(store.queries(writes.settle(.subjects) + entering, values))
    return answers
  }

  private func lock(_ ids: [Key], in tx: borrowing Transaction) async throws {
    let found = try await tx.prepared(
      store.query(locks.subjects(.subjects, for: .update), ["subject_ids": Bind(ids)]))
    guard found.count == Set(ids).count else {
      throw WriteError.notFound(subject.name, key: ids.map { "\($0)" }.joined(separator: " or "))
    }
  }

  static func keys(_ id: Key) -> Values { ["subject_ids": Bind([id])] }

  private func notFound(_ id: Key) -> WriteError { .notFound(subject.name, key: "\(id)") }
}
