import Foundation
import Hypertension
import Metrics
import PeriodRollups
import Postgres
import RollupStore

/// Makes the rollups of a span right from the sources, in chunks of patients, beside readers and writers.
///
/// The run is a row and its chunks are jobs (``Runs``), so any number of workers on any number of machines work on it, and one that
/// is killed is taken over from. Each chunk is one transaction; one that is done again rewrites nothing that is right.
public struct BackfillRun: Sendable {
  public let store: RollupStore
  public let runs: Runs
  public let task: BackfillTask

  /// What the rows of runs call it.
  public static let kind = "backfill"

  public init(_ store: RollupStore, _ task: BackfillTask, policy: JobPolicy = JobPolicy()) {
    self.store = store
    self.task = task
    runs = Runs(store.pool, policy: policy)
  }

  // MARK: Planning

  /// What a run would do.
  public struct Plan: Hashable, Sendable {
    /// How many of each type that the task's rollups are declared for, shorter types first.
    public var periods: [Count] = []
    /// Of those: they keep their rows, and what they lack is late.
    public var closed = 0
    /// Periods of rollups that are empty, and are loaded before they are indexed.
    public var loaded = 0
    public var patients = 0
    public var chunks = 0
    /// At the last run's rate; nil without one.
    public var seconds: Double?

    /// So many periods of a type.
    public struct Count: Hashable, Sendable {
      public let type: PeriodType
      public let count: Int
    }
  }

  /// - Throws: ``UnknownRegion``.
  public func plan() async throws -> Plan {
    let chunks = try await chunks()
    var plan = Plan()
    let closed = Set(try await store.editions().map(\.edition.period))
    let types = task.types
    plan.periods = task.span.counts(of: types).map { Plan.Count(type: $0.type, count: $0.count) }
    plan.closed = closed.filter { types.contains($0.type) && task.includes($0) }.count
    plan.chunks = chunks.count
    plan.loaded = Work.loaded(chunks.map(\.what)).values.reduce(0) { $0 + $1.count }
    let steps = Dictionary(grouping: chunks, by: \.step).mapValues {
      $0.reduce(0) { $0 + $1.subjects }
    }
    plan.patients = steps.values.max() ?? 0
    plan.seconds = try await runs.lastRate(Self.kind).map {
      Double(steps.values.reduce(0, +)) / max($0, 1)
    }
    return plan
  }

  private func chunks() async throws -> [RunChunk] {
    let size = if let chunk = task.chunk { chunk } else { try await store.usualChunkSize() }
    if let patients = try await BackfillScope(task: task).patients(store.pool) {
      return stride(from: 0, to: patients.count, by: size).enumerated().map { place, start in
        let some = patients[start..<min(start + size, patients.count)]
        return RunChunk(
          number: place + 1, step: 4, what: Work.mend.text,
          scope: .subjects(some.map(\.uuidString)), subjects: some.count)
      }
    }
    var chunks: [RunChunk] = []
    func add(_ step: Int, _ work: Work, _ scope: RunChunk.Scope, _ subjects: Int) {
      chunks.append(
        RunChunk(
          number: chunks.count + 1, step: step, what: work.text, scope: scope, subjects: subjects))
    }
    func addPatients(_ step: Int, _ work: Work) async throws {
      for chunk in try await store.patientChunks(of: size, what: work.text) {
        add(step, work, chunk.scope, chunk.subjects)
      }
    }
    let nobody = RunChunk.Scope.bounds(first: nil, end: nil)
    let loaded = try await periodsToLoad()
    if !loaded.isEmpty {
      try await addPatients(1, .load)
      let each = try await store.subjectCount() / loaded.count
      for (rollup, period) in loaded {
        let isComposed = Loader(rollup, run: 0, in: store).isComposed(period)
        add(isComposed ? 3 : 2, .attach(rollup.name, period), nobody, each)
      }
    }
    if !(task.rollups.isEmpty && task.registers.isEmpty) { try await addPatients(4, .mend) }
    for count in task.counts { add(5, .count(count.name), nobody, 0) }
    return chunks
  }

  /// The empty periods of each rollup, where loading them is worth it.
  private func periodsToLoad() async throws -> [(MostRecent, Period)] {
    guard task.isWhole, task.load != .never, task.columns == nil else { return [] }
    if task.load == nil {
      guard try await store.estimatedEvents() >= Self.worthLoading else { return [] }
    }
    var loaded: [(MostRecent, Period)] = []
    for rollup in task.rollups {
      for period in try await Loader.emptyPeriods(rollup, in: task.span, of: store) {
        loaded.append((rollup, period))
      }
    }
    return loaded
  }

  /// Making and swapping some hundred tables takes as long as inserting so many events.
  private static let worthLoading = 100_000.0

  // MARK: Running

  /// Begins the run, or goes on with the unfinished one of the same task.
  /// - Parameter anew: gives an unfinished one up instead.
  /// - Returns: the run, and whether it is new.
  /// - Throws: ``UnknownRegion``.
  public func begin(anew: Bool = false) async throws -> (run: Run, isNew: Bool) {
    try await Loader.tidy(store)
    let (run, isNew) = try await runs.begin(
      Self.kind, task: task.text, resuming: !anew,
      chunks: {
        try await makePartitions()
        return try await chunks()
      }, prepare: prepare)
    if !isNew { try await runs.retry(run.number) }
    return (run, isNew)
  }

  /// Works on a run until all its chunks are done or set aside, by whomever.
  /// - Parameters:
  ///   - workers: of this process.
  ///   - name: of this process as a worker; the pool's sessions should go by it.
  ///   - strain: whose writers are spared; nil to go on whatever becomes of them.
  ///   - shouldStop: asked between chunks.
  /// - Returns: how far the run is.
  public func work(
    on run: Run, workers: Int, as name: String = Worker.newName(), pacer: Pacer = Pacer(),
    mindful strain: Strain? = nil, shouldStop: @Sendable @escaping () -> Bool = { false },
    report: @Sendable @escaping (Runs.Event) -> Void = { _ in }
  ) async throws -> RunProgress {
    let loaded = Work.loaded(try await runs.what(run.number))
    // Before the first chunk: later it is the backfill itself that keeps commits waiting.
    let usual = try await strain?.usual(store.pool)
    let watching = Task {
      guard let strain, let usual else { return }
      async let _ = strain.leaveWritersTheirShare(store.pool, pacer)
      await strain.watch(store.pool, pacer, usual: usual)
    }
    defer { watching.cancel() }
    try await runs.work(
      on: run, as: name, size: workers, shouldStop: shouldStop, report: report
    ) { chunk, claim in
      try await pacer.pace(chunk.subjects, unless: shouldStop) {
        let started = ContinuousClock.now
        let derived = try await store.pool.transaction(.readCommitted, retrying: .standard) { tx in
          let derived = try await self.work(on: chunk, of: run, loaded, in: tx)
          try await claim.complete(JobOutcome(derived), in: tx)
          return derived
        }
        note(chunk, derived, .now - started)
      }
    }
    let isOver = try await runs.finish(run.number)
    let progress = try await runs.progress(run.number)
    if isOver {
      try await Loader.tidy(store)
      if task.isWhole { try await noteFilled(by: run) }
      await Statistics(store.pool).renew(task.tables, after: progress.written)
      await store.forgetChanges()
    }
    return progress
  }

  private func work(
    on chunk: RunChunk, of run: Run, _ loaded: [String: Set<Period>], in tx: borrowing Transaction
  ) async throws -> Derived {
    var derived = Derived()
    switch Work(chunk.what) {
    case .load:
      for rollup in task.rollups {
        guard let periods = loaded[rollup.name] else { continue }
        derived.written += try await Loader(rollup, run: run.number, in: store)
          .load(chunk.patients, periods, in: task.span, tx)
      }
    case .attach(let name, let period):
      for rollup in task.rollups where rollup.name == name {
        derived.written += try await Loader(rollup, run: run.number, in: store)
          .attach(period, in: tx)
      }
    case .mend:
      if let (rollup, columns) = task.filling {
        return try await store.mend(columns, of: rollup, chunk.patients, in: task.span, in: tx)
      }
      derived = try await store.derive(
        chunk.patients, in: task.span, rollups: task.rollups, registers: task.registers, in: tx)
    case .count(let name):
      for count in task.counts where count.name == name {
        derived = derived + (try await store.derive(count, in: task.span, in: tx))
      }
    case nil:
      throw UnknownWork(what: chunk.what)
    }
    return derived
  }

  /// What was declared may be read when a backfill of all patients has filled it.
  private func noteFilled(by run: Run) async throws {
    let names = store.catalog.names.filter(task.includes)
    try await store.noteFilled(
      names, columns: task.columns, in: task.span, begun: run.createdAt, by: run.number)
  }

  /// Before it is looked which are empty.
  private func makePartitions() async throws {
    try await store.pool.withConnection { connection in
      // Rows that are there have their partitions.
      guard task.columns == nil,
        let span = try await Partitions.usual(task.span, on: connection)
      else { return }
      try await Partitions(store.catalog).ensure(span, on: connection)
    }
  }

  private func prepare(_ run: Int64, _ chunks: [RunChunk], _ tx: borrowing Transaction) async throws
  {
    let loaded = Work.loaded(chunks.map(\.what))
    for rollup in task.rollups {
      guard let periods = loaded[rollup.name] else { continue }
      try await Loader(rollup, run: run, in: store).prepare(periods.sorted(), in: tx)
    }
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
