import Foundation
import PeriodRollups
import RollupStore

/// Makes the rollups of a span right from the sources, chunk by chunk of patients, beside writers.
///
/// Each chunk is a transaction of its own, so a run that is killed has done whole chunks; the same run again finds them
/// right and rewrites nothing.
public struct BackfillRun: Sendable {
  public let store: RollupStore
  public let span: PeriodSpan
  /// Patients a chunk.
  public let chunkSize: Int

  public init(_ store: RollupStore, span: PeriodSpan, chunkSize: Int = 5_000) {
    self.store = store
    self.span = span
    self.chunkSize = chunkSize
  }

  /// What has been done so far.
  public struct Report: Sendable {
    public var chunks = 0
    public var totalChunks: Int
    public var derived = Derived()
    public var partitions = 0
  }

  /// How many patients there are, for a progress line.
  public func patients() async throws -> Int { try await store.subjectCount() }

  /// Runs.
  /// - Parameters:
  ///   - shouldStop: asked between chunks; a run that stops has done whole chunks.
  ///   - progress: called after each chunk.
  public func run(
    shouldStop: () -> Bool = { false }, progress: (Report) -> Void = { _ in }
  ) async throws -> Report {
    let partitions = try await store.pool.withConnection { connection in
      try await Partitions(store.catalog).ensure(span, on: connection)
    }
    let chunks = try await store.chunks(of: chunkSize, keyedBy: UUID.self)
    var report = Report(totalChunks: chunks.count, partitions: partitions)
    for chunk in chunks where !shouldStop() {
      report.derived =
        report.derived
        + (try await store.derive(
          chunk, in: span, rollups: store.catalog.mostRecent, registers: store.catalog.registers))
      report.chunks += 1
      progress(report)
    }
    guard report.chunks == chunks.count else { return report }
    for count in store.catalog.counts {
      report.derived = report.derived + (try await store.derive(count, in: span))
    }
    return report
  }
}
