import PeriodRollups
import Postgres

/// What deriving a scope changed.
public struct Derived: Sendable, Hashable {
  /// Rollup rows added or mended.
  public var written = 0
  /// Rollup rows removed because no event stood behind them.
  public var removed = 0

  public init() {}

  public static func + (a: Self, b: Self) -> Self {
    var sum = a
    sum.written += b.written
    sum.removed += b.removed
    return sum
  }
}

extension RollupStore {
  /// Makes the rollup rows of a chunk's subjects and a span's periods equal to what the sources say, beside writers.
  ///
  /// Who has a row that is not right is found first, in one snapshot and without a lock: a row and its sources are
  /// committed together, so what is right stays right. Those subjects are then held `FOR SHARE`: removals and transfers of them
  /// wait, inserts go on. Their rows without an event behind them go; then what is missing or older is added and what is
  /// wrong is mended. Rows that are right are not rewritten.
  public func derive<Key: PostgresKey>(
    _ chunk: Chunk<Key>, in span: PeriodSpan, rollups: [MostRecent], registers: [Register]
  ) async throws -> Derived {
    try await transaction { tx in
      try await derive(chunk, in: span, rollups: rollups, registers: registers, in: tx)
    }
  }

  /// As ``derive(_:in:rollups:registers:)``, in the caller's transaction.
  public func derive<Key: PostgresKey>(
    _ chunk: Chunk<Key>, in span: PeriodSpan, rollups: [MostRecent], registers: [Register],
    in tx: borrowing Transaction
  ) async throws -> Derived {
    let parts = try await differing(
      chunk, in: span, rollups: rollups, registers: registers, in: tx)
    guard let all = parts.all else { return Derived() }

    for setting in Self.forAChunk { try await tx.execute(setting) }
    try await tx.execute(query(Doing.backfill.statement))
    var derived = Derived()
    try await tx.execute(
      query(Locks(catalog.subject).subjects(all.lens, for: .share), all.values))
    for rollup in rollups {
      guard let chunk = parts.byName[rollup.name] else { continue }
      let values = chunk.values.merging(self.values(of: span)) { $1 }
      derived.removed += try await dropUnfounded(rollup, chunk, values, in: tx)
      derived.written += try await tx.execute(
        query(rollup.materialiseSpan(chunk.lens), values))
    }
    for register in registers {
      guard let chunk = parts.byName[register.name] else { continue }
      derived.removed += try await tx.execute(
        query(register.dropUncounted(chunk.lens), chunk.values))
      derived.written += try await tx.execute(
        query(register.materialise(chunk.lens), chunk.values))
    }
    try await note(derived, in: tx)
    return derived
  }

  /// Of which places rows were not right is not known where a row was of another place than it should be.
  private func note(_ derived: Derived, in tx: borrowing Transaction) async throws {
    guard derived.written + derived.removed > 0 else { return }
    try await tx.execute(query(Changes.noteEverything))
  }

  /// Those of a chunk whose rows are not right: of each rollup and register, and of any.
  private struct Differing<Key: PostgresKey> {
    var byName: [String: Chunk<Key>] = [:]
    var all: Chunk<Key>?
  }

  /// Of a few that are named it is not asked: they are derived sooner than found.
  private func differing<Key: PostgresKey>(
    _ chunk: Chunk<Key>, in span: PeriodSpan, rollups: [MostRecent], registers: [Register],
    in tx: borrowing Transaction
  ) async throws -> Differing<Key> {
    let names = rollups.map(\.name) + registers.map(\.name)
    if let keys = chunk.keys, keys.count <= 20 {
      return Differing(
        byName: Dictionary(names.map { ($0, chunk) }) { first, _ in first }, all: chunk)
    }
    let parts = try await SpanParts(span, of: self, in: tx)
    var (differing, all) = (Differing<Key>(), Set<Key>())
    func note(_ subjects: Set<Key>, _ name: String) {
      differing.byName[name] = chunk.narrowed(to: subjects)
      all.formUnion(subjects)
    }
    for rollup in rollups {
      note(try await self.differing(rollup, chunk, parts, in: tx), rollup.name)
    }
    for register in registers {
      note(try await self.differing(register, chunk, in: tx), register.name)
    }
    differing.all = chunk.narrowed(to: all)
    return differing
  }

  /// A chunk joins tens of thousands of rows to each other.
  ///
  /// PostgreSQL cannot tell how many: of a range of uuids within one step of its histogram, a hundredth of the table, it
  /// expects one row, and would look up each of them in every partition (500,000 patients: one chunk took longer than
  /// all those before it).
  static let forAChunk: [Query] =
    forManyRows + [
      // Joined on subject and period it would compare every row of a subject with every other.
      "SET LOCAL enable_mergejoin = off",
      // Chunks are what is done in parallel.
      "SET LOCAL max_parallel_workers_per_gather = 0",
    ]

  /// For what joins many rows, of which the planner cannot tell how many they are.
  static let forManyRows: [Query] = [
    "SET LOCAL enable_nestloop = off", "SET LOCAL jit = off",
    // The plan for these values, not for any.
    "SET LOCAL plan_cache_mode = force_custom_plan",
    // Sorts of some hundred thousand rows stay in memory, as far as that is polite on a server with others.
    "SET LOCAL work_mem = '64MB'",
  ]

  private func dropUnfounded<Key: PostgresKey>(
    _ rollup: MostRecent, _ chunk: Chunk<Key>, _ values: Values, in tx: borrowing Transaction
  ) async throws -> Int {
    let rows = try await tx.query(query(rollup.unfounded(chunk.lens), values))
    guard !rows.isEmpty else { return 0 }
    // Few rows in partitions of many: found by their keys.
    try await tx.execute("SET LOCAL enable_nestloop = on")
    var (subjects, types, starts, ids): ([Key], [String], [CalendarDay], [Key]) = ([], [], [], [])
    for row in rows {
      let (subject, type, start, id) = try row.decode((Key, String, CalendarDay, Key).self)
      subjects.append(subject)
      types.append(type)
      starts.append(start)
      ids.append(id)
    }
    let removed = try await tx.execute(
      query(
        rollup.dropUnfounded,
        [
          "subject_ids": Bind(subjects), "period_types": Bind(types), "starts": Bind(starts),
          "row_ids": Bind(ids), "period_starts": Bind(Array(Set(starts))),
        ]))
    try await tx.execute("SET LOCAL enable_nestloop = off")
    return removed
  }

  /// Makes a count equal to what the sources say, and folds it, beside writers.
  public func derive(_ count: PeriodCount, in span: PeriodSpan) async throws -> Derived {
    try await transaction { tx in try await derive(count, in: span, in: tx) }
  }

  /// As ``derive(_:in:)``, in the caller's transaction.
  public func derive(_ count: PeriodCount, in span: PeriodSpan, in tx: borrowing Transaction)
    async throws -> Derived
  {
    var derived = Derived()
    try await tx.execute(query(count.maintenance))
    derived.written = try await tx.execute(query(count.mend, values(of: span)))
    try await note(derived, in: tx)
    try await tx.execute(query(count.fold))
    return derived
  }
}

extension RollupStore {
  /// Fills columns of a chunk's rows in the span's open periods from the events that the rows hold, beside writers: what a
  /// column that was added needs. Rows are neither added nor removed.
  public func mend<Key: PostgresKey>(
    _ columns: [Column], of rollup: MostRecent, _ chunk: Chunk<Key>, in span: PeriodSpan,
    in tx: borrowing Transaction
  ) async throws -> Derived {
    let values = chunk.values.merging(self.values(of: span)) { $1 }
    for setting in Self.forAChunk { try await tx.execute(setting) }
    try await tx.execute(query(Doing.backfill.statement))
    var derived = Derived()
    try await tx.execute(
      query(Locks(catalog.subject).subjects(chunk.lens, for: .share), values))
    for statement in rollup.mend(columns, chunk.lens) {
      derived.written += try await tx.execute(query(statement, values))
    }
    try await note(derived, in: tx)
    return derived
  }
}
