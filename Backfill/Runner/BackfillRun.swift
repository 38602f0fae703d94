import Foundation
import Hypertension
import Metrics
import PeriodRollups
import Postgres
import RollupStore

/// Makes the rollups of a span right from the sources, in chunks of patients, beside readers and writers.
///
/// The run and its chunks are rows (``Runs``), so any number of workers on any number of machines work on it, and one that
/// is killed is taken over from. Each chunk is one transaction; one that is done again rewrites nothing that is right.
public struct BackfillRun: Sendable {
  public let store: RollupStore
  public let runs: Runs
  public let task: BackfillTask

  /// What the rows of runs call it.
  public static let kind = "backfill"

  public init(_ store: RollupStore, _ task: BackfillTask, policy: RunPolicy = RunPolicy()) {
    self.store = store
    self.task = task
    runs = Runs(store.pool, policy: policy)
  }

  // MARK: Planning

  /// What a run would do.
  public struct Plan: Hashable, Sendable {
    public var months = 0
    public var quarters = 0
    /// Of those: they keep their rows, and what they lack is late.
    public var closed = 0
    public var patients = 0
    public var chunks = 0
    /// Patients a second of the last run; nil without one.
    public var rate: Double?
  }

  /// - Throws: ``UnknownRegion``.
  public func plan() async throws -> Plan {
    let chunks = try await chunks()
    var plan = Plan()
    let months = task.span.periods(of: .month)
    let quarters = task.span.periods(of: .quarter)
    let closed = Set(try await store.editions().map(\.edition.period))
    plan.months = months.count
    plan.quarters = quarters.count
    plan.closed = closed.filter(task.includes).count
    plan.chunks = chunks.count
    plan.patients = chunks.reduce(0) { $0 + $1.subjects }
    plan.rate = try await runs.lastRate(Self.kind)
    return plan
  }

  private static let rowsOfPatients = "rows of patients"

  private func chunks() async throws -> [RunChunk] {
    let size = if let chunk = task.chunk { chunk } else { try await store.usualChunkSize() }
    var chunks: [RunChunk] = []
    func add(_ step: Int, _ what: String, _ scope: RunChunk.Scope, _ subjects: Int) {
      chunks.append(
        RunChunk(
          number: chunks.count + 1, step: step, what: what, scope: scope, subjects: subjects))
    }
    if let patients = try await BackfillScope(task: task).patients(store.pool) {
      for start in stride(from: 0, to: patients.count, by: size) {
        let some = patients[start..<min(start + size, patients.count)]
        add(1, Self.rowsOfPatients, .subjects(some.map(\.uuidString)), some.count)
      }
    } else if !(task.rollups.isEmpty && task.registers.isEmpty) {
      chunks = try await store.patientChunks(of: size, what: Self.rowsOfPatients)
    }
    for count in task.counts { add(2, count.name, .bounds(first: nil, end: nil), 0) }
    return chunks
  }

  // MARK: Running

  /// Begins the run, or goes on with the unfinished one of the same task.
  /// - Parameter anew: gives an unfinished one up instead.
  /// - Returns: the run, and whether it is new.
  /// - Throws: ``UnknownRegion``.
  public func begin(anew: Bool = false) async throws -> (run: Run, isNew: Bool) {
    let (run, isNew) = try await runs.begin(
      Self.kind, task: task.text, resuming: !anew, chunks: chunks)
    if !isNew { try await runs.retry(run.number) }
    return (run, isNew)
  }

  /// Works on a run until all its chunks are done or set aside, by whomever.
  /// - Parameters:
  ///   - workers: of this process.
  ///   - shouldStop: asked between chunks.
  /// - Returns: how far the run is.
  public func work(
    on run: Run, workers: Int, pacer: Pacer = Pacer(),
    shouldStop: @Sendable @escaping () -> Bool = { false },
    report: @Sendable @escaping (Crew.Event) -> Void = { _ in }
  ) async throws -> RunProgress {
    try await store.pool.withConnection { connection in
      // Rows that are there have their partitions.
      guard task.columns == nil,
        let span = try await Partitions.usual(task.span, on: connection)
      else { return }
      try await Partitions(store.catalog).ensure(span, on: connection)
    }
    let crew = Crew(runs, on: run, size: workers)
    let pace = { @Sendable (chunk: RunChunk) in try await pacer.wait(for: chunk.subjects) }
    try await crew.work(shouldStop: shouldStop, pace: pace, report: report) { claim, connection in
      let started = ContinuousClock.now
      let derived = try await connection.transaction(.readCommitted, retrying: .standard) { tx in
        let derived = try await derive(claim.chunk, in: tx)
        try await claim.complete(derived, in: tx)
        return derived
      }
      note(claim.chunk, derived, .now - started)
    }
    if try await runs.finish(run.number), task.isWhole { try await noteFilled(by: run) }
    return try await runs.progress(run.number)
  }

  /// What was declared may be read when a backfill of all patients has filled it.
  private func noteFilled(by run: Run) async throws {
    let names = store.catalog.names.filter(task.includes)
    try await store.noteFilled(
      names, columns: task.columns, in: task.span, begun: run.createdAt, by: run.number)
  }

  private func derive(_ chunk: RunChunk, in tx: borrowing Transaction) async throws -> Derived {
    guard chunk.what == Self.rowsOfPatients else {
      var derived = Derived()
      for count in task.counts where count.name == chunk.what {
        derived = derived + (try await store.derive(count, in: task.span, in: tx))
      }
      return derived
    }
    if let (rollup, columns) = task.filling {
      return try await store.mend(columns, of: rollup, chunk.patients, in: task.span, in: tx)
    }
    return try await store.derive(
      chunk.patients, in: task.span, rollups: task.rollups, registers: task.registers, in: tx)
  }

  /// For whoever has bootstrapped a metrics system: chunks, patients, rows, seconds a chunk.
  private func note(_ chunk: RunChunk, _ derived: Derived, _ time: Duration) {
    Counter(label: "rollup_backfill_chunks").increment()
    Counter(label: "rollup_backfill_patients").increment(by: chunk.subjects)
    Counter(label: "rollup_backfill_rows_written").increment(by: derived.written)
    Counter(label: "rollup_backfill_rows_removed").increment(by: derived.removed)
    Metrics.Timer(label: "rollup_backfill_chunk_seconds").record(duration: time)
  }
}
