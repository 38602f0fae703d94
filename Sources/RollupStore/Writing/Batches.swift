import PeriodRollups
import Postgres

/// How many rows of a batch were new, were corrected, and were there already.
public struct BatchOutcome: Sendable, Hashable {
  public var inserted = 0
  public var changed = 0
  public var unchanged = 0

  public init() {}

  public static func + (a: Self, b: Self) -> Self {
    var sum = a
    sum.inserted += b.inserted
    sum.changed += b.changed
    sum.unchanged += b.unchanged
    return sum
  }
}

extension RollupStore {
  /// Writes many rows of a source in one transaction, set by set. New rows are inserted; rows that are there with
  /// other values become as given; rows that are there as given cost a comparison. `fill` puts the rows into the
  /// staging table, by COPY or INSERT, its columns in the order of `Staging.columns`; it runs again when the
  /// transaction has to.
  ///
  /// - Parameter sourcesOnly: leave the rollups to a later backfill.
  public func write(
    _ source: Source, on connection: Connection, sourcesOnly: Bool = false,
    fill: (borrowing Transaction, Staging) async throws -> Void
  ) async throws -> BatchOutcome {
    try await connection.transaction(.readCommitted, retrying: .batch) { tx in
      try await write(source, in: tx, sourcesOnly: sourcesOnly, fill: fill)
    }
  }

  /// As ``write(_:on:sourcesOnly:fill:)``, in the caller's transaction.
  public func write(
    _ source: Source, in tx: borrowing Transaction, sourcesOnly: Bool = false,
    fill: (borrowing Transaction, Staging) async throws -> Void
  ) async throws -> BatchOutcome {
    try check(tx)
    let staging = Staging(source, in: catalog)
    try await tx.execute(query(staging.create))
    try await fill(tx, staging)
    let (writes, locks) = (SourceWrites(source, in: catalog), Locks(catalog.subject))
    let ledger = Ledger(catalog)
    var outcome = BatchOutcome()
    try await tx.execute(Query(text: "ANALYZE \(staging.table)"))
    try await tx.execute(query(staging.keepLast))
    if !sourcesOnly {
      try await hold(
        absence: locks.absence(in: staging.table, source.subject),
        subjects: locks.subjects(.staged(staging.table, source.subject), for: .noKeyUpdate), in: tx)
    }
    outcome.unchanged = try await tx.execute(query(staging.dropUnchanged))
    outcome.changed = try await tx.execute(query(staging.markKnown))
    if outcome.changed > 0 {
      let rows = RowSet.changed(staging.table)
      if sourcesOnly {
        try await tx.execute(query(staging.updateKnown))
      } else {
        try await change(rows, writes, by: staging, in: tx)
      }
    }
    outcome.inserted = try await tx.execute(query(staging.insertNew))
    if outcome.inserted > 0, !sourcesOnly {
      for statement in writes.addNew(from: staging) { try await tx.execute(query(statement)) }
    }
    if outcome.changed + outcome.inserted > 0, !sourcesOnly {
      for statement in writes.note(.staged(staging.table, source.subject)) {
        try await tx.execute(query(statement))
      }
      try await settle(
        .subjectsOf(.changed(staging.table), source), in: tx,
        settling: outcome.changed > 0 ? writes.settle : { _ in [] },
        entering: [ledger.enter(.edit, source, before: .staged(staging.table))])
    }
    try await tx.execute(query(Doing.unannounced.statement))
    return outcome
  }

  /// Holds the subjects of a batch that are there, and the absence of those that are not.
  ///
  /// A subject that is being removed is still there for the statement that asks who is absent, and gone when the one
  /// that waits for its lock goes on. So it is asked again, until the same subjects are there.
  private func hold(absence: Statement, subjects: Statement, in tx: borrowing Transaction)
    async throws
  {
    var held = -1
    while true {
      let locked = try await tx.pipeline([
        query(absence), query(subjects), query(Doing.change.statement),
      ])[1].count
      if locked == held { return }
      held = locked
    }
  }

  /// What a batch meant for closed periods: late rows and the ledger.
  private func settle(
    _ lens: Lens, in tx: borrowing Transaction, settling: (Lens) -> [Statement],
    entering: [Statement]
  ) async throws {
    let starts = try await tx.query(query(Ledger(catalog).closed)).map {
      try $0.decode(CalendarDay.self)
    }
    guard !starts.isEmpty else { return }
    for statement in settling(lens) + entering {
      try await tx.execute(query(statement, [Parameter.periodStarts.name: Bind(starts)]))
    }
  }

  /// The protocol of a change (``SourcePath``), for the known rows of a staging table.
  private func change(
    _ rows: RowSet, _ writes: SourceWrites, by staging: Staging, in tx: borrowing Transaction
  ) async throws {
    for statement in writes.add(rows) { try await tx.execute(query(statement)) }
    let starts = try await tx.query(query(writes.periods(of: rows))).map {
      try $0.decode(CalendarDay.self)
    }
    for statement in starts.isEmpty ? [] : writes.takeAway(rows) {
      try await tx.execute(query(statement, [Parameter.periodStarts.name: Bind(starts)]))
    }
    try await tx.execute(query(staging.updateKnown))
    for statement in writes.add(rows) { try await tx.execute(query(statement)) }
  }

  /// Writes many subjects, as ``write(_:on:sourcesOnly:fill:)`` does rows.
  public func writeSubjects(
    on connection: Connection, sourcesOnly: Bool = false,
    fill: (borrowing Transaction, Staging) async throws -> Void
  ) async throws -> BatchOutcome {
    try await connection.transaction(.readCommitted, retrying: .batch) { tx in
      try await writeSubjects(in: tx, sourcesOnly: sourcesOnly, fill: fill)
    }
  }

  /// As ``writeSubjects(on:sourcesOnly:fill:)``, in the caller's transaction.
  public func writeSubjects(
    in tx: borrowing Transaction, sourcesOnly: Bool = false,
    fill: (borrowing Transaction, Staging) async throws -> Void
  ) async throws -> BatchOutcome {
    try check(tx)
    let staging = Staging(catalog.subject)
    try await tx.execute(query(staging.create))
    try await fill(tx, staging)
    let (writes, locks) = (SubjectWrites(catalog), Locks(catalog.subject))
    let lens = Lens.staged(staging.table, catalog.subject.id)
    let all = catalog.subject.columns
    var outcome = BatchOutcome()
    func run(_ statements: [Statement]) async throws {
      for statement in statements { try await tx.execute(query(statement)) }
    }
    try await tx.execute(Query(text: "ANALYZE \(staging.table)"))
    try await tx.execute(query(staging.keepLast))
    if !sourcesOnly {
      try await hold(
        absence: locks.arrival(in: staging.table), subjects: locks.subjects(lens, for: .update),
        in: tx)
    }
    outcome.unchanged = try await tx.execute(query(staging.dropUnchanged))
    outcome.changed = try await tx.execute(query(staging.markKnown))
    if outcome.changed > 0 {
      if !sourcesOnly {
        try await run(writes.note(lens) + writes.count(lens, times: -1, changing: all))
      }
      try await tx.execute(query(staging.updateKnown))
    }
    outcome.inserted = try await tx.execute(query(staging.insertNew))
    if sourcesOnly { return outcome }
    if outcome.changed + outcome.inserted > 0 {
      try await run(writes.count(lens, times: 1, changing: all))
      if outcome.changed > 0 { try await run(writes.dematerialise(lens)) }
      try await run(writes.rederive(lens) + writes.note(lens))
      let ledger = Ledger(catalog)
      try await settle(
        lens, in: tx, settling: writes.settle,
        entering: catalog.sources.map {
          ledger.enter(.edit, $0, before: .stagedSubjects(staging.table))
        })
    }
    try await tx.execute(query(Doing.unannounced.statement))
    return outcome
  }
}
