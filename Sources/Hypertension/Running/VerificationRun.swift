import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// Compares rollups with the plain query over the sources, in chunks of patients, several at a time; it waits for nobody
/// and nobody waits for it. As a ``Run`` it can be gone on with.
public struct VerificationRun: Sendable {
  public let store: RollupStore
  public let runs: Runs
  public let task: VerificationTask

  /// What the rows of runs call it.
  public static let kind = "verify"

  public init(_ store: RollupStore, _ task: VerificationTask) {
    self.store = store
    self.task = task
    runs = Runs(store.pool)
  }

  /// Begins the run.
  public func begin() async throws -> Run {
    // What an earlier run of the same task has seen may have changed since.
    try await runs.begin(Self.kind, task: task.text, resuming: false, chunks: chunks).run
  }

  private func chunks() async throws -> [RunChunk] {
    var chunks = try await store.patientChunks(of: task.chunk, what: "rows of patients")
    if let share = task.sample {
      let count = max(1, Int((Double(chunks.count) * share).rounded(.up)))
      chunks = chunks.shuffled().prefix(count).sorted { $0.number < $1.number }
    } else if !task.knownNow {
      for count in store.catalog.counts {
        chunks.append(
          RunChunk(
            number: chunks.count + 1, step: 1, what: count.name,
            scope: .bounds(first: nil, end: nil), subjects: 0))
      }
    }
    return chunks
  }

  /// Works on the run.
  /// - Parameter name: of this process as a worker; the pool's sessions should go by it.
  /// - Parameter found: called with the differences of a chunk, and whether they were mended.
  public func work(
    on run: Run, workers: Int, as name: String = Worker.newName(),
    shouldStop: @Sendable @escaping () -> Bool = { false },
    report: @Sendable @escaping (Runs.Event) -> Void = { _ in },
    found: @Sendable @escaping ([Drift]) -> Void
  ) async throws -> RunProgress {
    try await runs.work(
      on: run, as: name, size: workers, shouldStop: shouldStop, report: report
    ) { chunk, claim in
      let drifts = try await verify(chunk)
      if !drifts.isEmpty { found(drifts) }
      try await store.pool.transaction(.readCommitted, retrying: .standard) { tx in
        var outcome = Derived()
        if task.repair, !drifts.isEmpty {
          outcome =
            task.knownNow ? try await mendLate(drifts, in: tx) : try await mend(chunk, in: tx)
        }
        try await claim.complete(JobOutcome(outcome, found: drifts.count), in: tx)
      }
    }
    _ = try await runs.finish(run.number)
    return try await runs.progress(run.number)
  }

  private func verify(_ chunk: RunChunk) async throws -> [Drift] {
    if let count = count(chunk) { return try await store.verify(count, in: task.span) }
    if task.knownNow {
      return try await store.verify(chunk.patients, in: task.span, asKnownNow: true)
    }
    guard let differing = try await store.differing(chunk.patients, in: task.span) else {
      return []
    }
    return try await store.verify(differing, in: task.span)
  }

  /// Through the backfill's own code.
  private func mend(_ chunk: RunChunk, in tx: borrowing Transaction) async throws -> Derived {
    if let count = count(chunk) { return try await store.derive(count, in: task.span, in: tx) }
    return try await store.derive(
      chunk.patients, in: task.span, rollups: store.catalog.mostRecent,
      registers: store.catalog.registers, in: tx)
  }

  /// What came late, brought to what the sources say; closed rows stay. Registers are of no period, and made right as ever.
  private func mendLate(_ drifts: [Drift], in tx: borrowing Transaction) async throws -> Derived {
    var derived = Derived()
    let keys = Set(drifts.filter { $0.period != nil }.map(\.key))
    derived.written = try await store.repairLateRows(of: keys.sorted(), in: tx)
    return derived
  }

  private func count(_ chunk: RunChunk) -> PeriodCount? {
    store.catalog.counts.first { $0.name == chunk.what }
  }
}

/// What a verification is asked to do. As JSON it is the task of its run.
public struct VerificationTask: Codable, Hashable, Sendable {
  public var from: Period
  public var to: Period
  /// Patients a chunk.
  public var chunk: Int
  /// The share of the patients that is looked at, from 0 to 1; nil for all.
  public var sample: Double?
  /// What closed periods would be now, instead of the open periods.
  public var knownNow: Bool
  /// Mends what differs.
  public var repair: Bool

  public init(
    _ span: PeriodSpan, chunk: Int, sample: Double? = nil, knownNow: Bool = false,
    repair: Bool = false
  ) {
    from = span.first
    to = span.last
    self.chunk = chunk
    self.sample = sample
    self.knownNow = knownNow
    self.repair = repair
  }

  public var span: PeriodSpan { PeriodSpan(from: from, through: to) ?? .all }
}

/// What a run is asked to do, as JSON with sorted keys: the same command again is the same text.
public protocol RunTask: Codable {}

extension RunTask {
  public var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: (try? encoder.encode(self)) ?? Data(), as: UTF8.self)
  }

  public init(text: String) throws {
    self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
  }
}

extension VerificationTask: RunTask {}
