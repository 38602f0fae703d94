import PeriodRollups
import Postgres

/// The write path of one source, for rows whose subject's and id's Swift types the model layer knows.
///
/// Each operation runs in a transaction of the caller's (`in:`) or, without one, in its own. To be kept: the statement
/// of an insert is composed once, by ``init(_:in:)``, and composing it takes longer than executing it.
public struct SourcePath<Key: PostgresKey>: Sendable {
  let store: RollupStore
  let source: Source
  let writes: SourceWrites
  let locks: Locks
  let ledger: Ledger
  /// `writes.insert`, composed.
  private let insertion: Statement

  public init(_ source: Source, in store: RollupStore) {
    self.store = store
    self.source = source
    self.writes = SourceWrites(source, in: store.catalog)
    self.locks = Locks(store.catalog.subject)
    self.ledger = Ledger(store.catalog)
    self.insertion = writes.insert
  }

  // MARK: Insert

  /// Inserts a row in one statement of its own transaction: one round trip.
  /// - Returns: false when the row is there already; nothing is changed then.
  public func insert(_ id: Key, of subject: Key, _ values: Values) async throws -> Bool {
    let statement = try store.query(insertion, values)
    let found = try await store.pool.withConnection { connection in
      try Found(await connection.prepared(statement, retrying: .standard))
    }
    if found.subject { return found.written }
    return try await store.transaction { tx in
      try await insertAhead(id, of: subject, values, in: tx)
    }
  }

  /// Inserts a row in the caller's transaction.
  public func insert(
    _ id: Key, of subject: Key, _ values: Values, in tx: borrowing Transaction
  ) async throws -> Bool {
    try store.check(tx)
    let found = try Found(await tx.prepared(store.query(insertion, values)))
    if found.subject { return found.written }
    return try await insertAhead(id, of: subject, values, in: tx)
  }

  /// The subject has not arrived, or is arriving: the row is stored, and counts when it does.
  private func insertAhead(
    _ id: Key, of subject: Key, _ values: Values, in tx: borrowing Transaction
  ) async throws -> Bool {
    let keys = Self.keys(subject, id)
    let inserted = try await tx.pipeline([
      store.query(locks.absence, keys),
      store.query(locks.subjects(.subjects, for: .keyShare), keys),
      store.query(writes.insertAhead, values),
    ])[2]
    guard !inserted.isEmpty else { return false }
    // Unannounced: into a closed period it is entered by the guard, as any insert is.
    _ = try await tx.pipeline(store.queries(writes.add(.given) + writes.note(.subjects), keys))
    return true
  }

  private struct Found {
    let subject: Bool
    let written: Bool

    init(_ rows: Rows) throws {
      let (subjects, written) = try rows.only((Int, Int).self)
      self.subject = subjects > 0
      self.written = written > 0
    }
  }

  // MARK: Change

  /// Sets columns of a row. A change of the time moves it between periods; a change of the subject is
  /// ``reassign(_:from:to:in:)``.
  /// - Returns: `unchanged` when the row has these values already: nothing is written.
  /// - Throws: ``WriteError/notFound(_:key:)``.
  public func update(
    _ id: Key, of subject: Key, _ columns: [Column], _ values: Values,
    in tx: borrowing Transaction
  ) async throws -> WriteOutcome {
    try store.check(tx)
    let keys = Self.keys(subject, id)
    let all = values.merging(keys) { value, _ in value }
    let differs = try await tx.pipeline([
      store.query(locks.absence, keys),
      store.query(locks.subjects(.subjects, for: .noKeyUpdate), keys),
      store.query(writes.differs(columns), all),
    ])[2]
    guard let row = differs.first else { throw notFound(id) }
    let changed = try row.decode([String].self)
    guard !changed.isEmpty else { return .unchanged }
    try await change(
      keys, in: tx, by: store.query(writes.update(columns), all), adding: keys, as: .edit,
      of: changed)
    return .changed
  }

  /// Marks a row deleted.
  /// - Returns: `unchanged` when it was already.
  public func delete(_ id: Key, of subject: Key, in tx: borrowing Transaction) async throws
    -> WriteOutcome
  {
    guard let delete = writes.delete else { throw WriteError.noSoftDelete(source.name) }
    return try await mark(delete, id, of: subject, in: tx, as: .delete)
  }

  /// Takes the mark away again.
  public func restore(_ id: Key, of subject: Key, in tx: borrowing Transaction) async throws
    -> WriteOutcome
  {
    guard let restore = writes.restore else { throw WriteError.noSoftDelete(source.name) }
    return try await mark(restore, id, of: subject, in: tx, as: .restore)
  }

  private func mark(
    _ statement: Statement, _ id: Key, of subject: Key, in tx: borrowing Transaction,
    as name: Ledger.Change
  ) async throws -> WriteOutcome {
    try store.check(tx)
    let keys = Self.keys(subject, id)
    let there = try await lock(keys, in: tx)
    guard there else { throw notFound(id) }
    let marked = try await change(
      keys, in: tx, by: store.query(statement, keys), adding: keys, as: name)
    return marked.isEmpty ? .unchanged : .changed
  }

  /// Removes a row for good.
  public func destroy(_ id: Key, of subject: Key, in tx: borrowing Transaction) async throws {
    try store.check(tx)
    let keys = Self.keys(subject, id)
    guard try await lock(keys, in: tx) else { throw notFound(id) }
    try await change(keys, in: tx, by: store.query(writes.destroy, keys), adding: nil, as: .destroy)
  }

  /// Gives a row to another subject.
  public func reassign(
    _ id: Key, from subject: Key, to other: Key, in tx: borrowing Transaction
  ) async throws {
    try store.check(tx)
    let (before, after) = (Self.keys(subject, id), Self.keys(other, id))
    let both: Values = ["subject_ids": Bind([subject, other]), "row_ids": Bind([id, id])]
    guard try await lock(before, subjects: both, in: tx) else { throw notFound(id) }
    let change = try store.query(
      writes.reassign, before.merging([source.subject.name.name: Bind(other)]) { $1 })
    try await self.change(before, in: tx, by: change, adding: after, as: .reassign)
  }

  /// Locks the subjects. Returns whether the row is there.
  private func lock(_ keys: Values, subjects: Values? = nil, in tx: borrowing Transaction)
    async throws -> Bool
  {
    let subjects = subjects ?? keys
    let results = try await tx.pipeline([
      store.query(locks.absence, subjects),
      store.query(locks.subjects(.subjects, for: .noKeyUpdate), subjects),
      store.query(writes.find, keys),
    ])
    return !results[2].isEmpty
  }

  /// The protocol: lock the rollup rows (by adding the row as it is), take it away, change it, add it as it is now. What
  /// that meant for closed periods, whose rows the guard kept as they are, is settled at the end.
  /// - Parameter columns: which have changed; nil for all.
  @discardableResult
  private func change(
    _ keys: Values, in tx: borrowing Transaction, by change: Query, adding after: Values?,
    as name: Ledger.Change, of columns: [String]? = nil
  ) async throws -> Rows {
    let locking =
      try [store.query(Doing.change.statement)] + store.queries(writes.add(.given), keys)
      + [store.query(writes.periods(of: .given), keys), store.query(ledger.standing(source), keys)]
    let locked = try await tx.pipeline(locking)
    let starts = try locked[locking.count - 2].map { try $0.decode(CalendarDay.self) }
    let standing = locked[locking.count - 1]
    let touched = keys.merging([Parameter.periodStarts.name: Bind(starts)]) { $1 }
    let taking = starts.isEmpty ? [] : try store.queries(writes.takeAway(.given), touched)
    let adding = try after.map { try store.queries(writes.add(.given), $0) } ?? []
    let places = try [keys, after].compactMap(\.self).flatMap {
      try store.queries(writes.note(.subjects), $0)
    }
    let closed = try [
      store.query(
        ledger.closedAmong(.given, source), touched.merging(after ?? keys) { $1 }),
      store.query(Doing.unannounced.statement),
    ]
    let changed = try await tx.pipeline(taking + [change] + adding + places + closed)
    let closedStarts = try changed[changed.count - 2].map { try $0.decode(CalendarDay.self) }
    if !closedStarts.isEmpty {
      try await settle(
        closedStarts, before: keys, standing, after: after, as: name, columns, in: tx)
    }
    return changed[taking.count]
  }

  /// Makes the late rows right and enters the change in the ledger.
  private func settle(
    _ starts: [CalendarDay], before: Values, _ standing: Rows, after: Values?,
    as name: Ledger.Change, _ columns: [String]?, in tx: borrowing Transaction
  ) async throws {
    let was = try standing.first.map { try $0.decode((Timestamp?, Bool?).self) }
    let noted: Values = [
      Parameter.periodStarts.name: Bind(starts), "was_time": Bind(was?.0),
      "was_counted": Bind(was?.1 ?? false), "changed": Bind(columns),
    ]
    var steps: [Query] = []
    let moves = after.map { $0[Self.subjects] != before[Self.subjects] } ?? false
    for (keys, counted) in [(before, true)] + (moves ? [(after ?? before, false)] : []) {
      let values = noted.merging(keys) { $1 }
      steps += try store.queries(writes.settle(.subjects), values)
      let standing = counted ? values : values.merging(["was_counted": Bind(false)]) { $1 }
      steps.append(try store.query(ledger.enter(name, source, before: .given), standing))
    }
    _ = try await tx.pipeline(steps)
  }

  // MARK: Parts

  static func keys(_ subject: Key, _ id: Key) -> Values {
    [subjects: Bind([subject]), "row_ids": Bind([id])]
  }

  private static var subjects: String { "subject_ids" }

  private func notFound(_ id: Key) -> WriteError { .notFound(source.name, key: "\(id)") }
}
