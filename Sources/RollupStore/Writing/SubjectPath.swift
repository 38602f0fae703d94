import PeriodRollups
import Postgres

/// The write path of the subjects: registration, transfer, death, deletion, merge.
public struct SubjectPath<Key: PostgresKey>: Sendable {
  let store: RollupStore
  let subject: Subject
  let writes: SubjectWrites
  let locks: Locks

  public init(in store: RollupStore) {
    self.store = store
    self.subject = store.catalog.subject
    self.writes = SubjectWrites(store.catalog)
    self.locks = Locks(store.catalog.subject)
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
      writes.count(.subjects, times: 1, changing: subject.columns) + writes.rederive(.subjects)
    _ = try await tx.pipeline(store.queries(following, keys))
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
    try await change(keys, columns, by: store.query(writes.update(columns), all), in: tx)
    return .changed
  }

  /// Marks a subject deleted: it and its rows count no more.
  public func delete(_ id: Key, in tx: borrowing Transaction) async throws -> WriteOutcome {
    guard let delete = writes.delete else { throw WriteError.noSoftDelete(subject.name) }
    return try await mark(delete, id, in: tx)
  }

  /// Takes the mark away again.
  public func restore(_ id: Key, in tx: borrowing Transaction) async throws -> WriteOutcome {
    guard let restore = writes.restore else { throw WriteError.noSoftDelete(subject.name) }
    return try await mark(restore, id, in: tx)
  }

  private func mark(_ statement: Statement, _ id: Key, in tx: borrowing Transaction) async throws
    -> WriteOutcome
  {
    try store.check(tx)
    let keys = Self.keys(id)
    try await lock([id], in: tx)
    let marked = try await change(
      keys, subject.exists.columns, by: store.query(statement, keys), in: tx)
    return marked.isEmpty ? .unchanged : .changed
  }

  /// Removes a subject and all its source rows for good.
  public func destroy(_ id: Key, in tx: borrowing Transaction) async throws {
    try store.check(tx)
    let keys = Self.keys(id)
    try await lock([id], in: tx)
    let steps =
      writes.count(.subjects, times: -1, changing: subject.columns) + writes.destroyRows
      + [writes.destroy] + writes.dematerialise(.subjects) + writes.reregister(.subjects)
    _ = try await tx.pipeline(store.queries(steps, keys))
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
    let deleting = writes.count(.subjects, times: -1, changing: subject.columns) + [delete]
    let following = writes.giveRows + writes.dematerialise(.subjects) + writes.rederive(.subjects)
    _ = try await tx.pipeline(store.queries(deleting, one) + store.queries(following, both))
  }

  /// Counts out, changes, counts in, and derives again what depends on the columns.
  @discardableResult
  private func change(
    _ keys: Values, _ columns: [Column], by change: Query, in tx: borrowing Transaction
  ) async throws -> Rows {
    let before = try store.queries(writes.count(.subjects, times: -1, changing: columns), keys)
    var after = writes.count(.subjects, times: 1, changing: columns)
    let existenceMayChange = !Set(columns).isDisjoint(with: subject.exists.columns)
    if existenceMayChange { after += writes.dematerialise(.subjects) }
    let carriedMayChange = !Set(columns).isDisjoint(with: subject.carried)
    after +=
      existenceMayChange || carriedMayChange
      ? writes.rederive(.subjects) : writes.reregister(.subjects)
    return try await tx.pipeline(before + [change] + store.queries(after, keys))[before.count]
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
