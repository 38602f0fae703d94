import PeriodRollups
import Postgres

extension Chunk {
  /// Some of its subjects as a chunk of their own; nil for none. Of very many it is the whole, which is quicker to find.
  func narrowed(to subjects: Set<Key>) -> Chunk? {
    if subjects.isEmpty { return nil }
    return subjects.count > 2_000 ? self : Chunk(Array(subjects))
  }
}

/// A span as it is looked at: the years that have data, by their periods' bounds, and those before and after, where dates
/// are mistakes, by asking the clock about each.
struct SpanParts: Sendable {
  let span: PeriodSpan
  let buckets: PeriodBuckets?
  let outside: [PeriodSpan]
  /// By rollup.
  private let closed: [String: Set<Period>]

  init(_ span: PeriodSpan, of store: RollupStore, in tx: borrowing Transaction) async throws {
    self.span = span
    let usual = Partitions.usual(
      span, in: try await tx.query(Partitions.thisYear).only(Int.self))
    let types = Set(store.catalog.mostRecent.flatMap(\.periods))
    let inside = usual
    closed = try await RollupStore.closedPeriodsByRollup(in: tx)
    guard let inside,
      let buckets = try await PeriodBuckets(inside, Array(types), of: store, in: tx)
    else {
      (buckets, outside) = (nil, [span])
      return
    }
    self.buckets = buckets
    let (before, after) = (inside.first.advanced(by: -1), inside.last.advanced(by: 1))
    outside = [
      span.first <= before ? PeriodSpan(from: span.first, through: before) : nil,
      after <= span.last ? PeriodSpan(from: after, through: span.last) : nil,
    ].compactMap { $0 }
  }
}

extension SpanParts {
  /// The periods that are closed for a rollup.
  func closed(for rollup: MostRecent) -> Set<Period> { closed[rollup.name] ?? [] }
}

extension RollupStore {
  /// Those of a chunk whose rows of the span's open periods are not what the sources say, as a chunk of their own; nil for
  /// none. ``verify(_:in:asKnownNow:)`` says how they differ.
  public func differing<Key: PostgresKey>(_ chunk: Chunk<Key>, in span: PeriodSpan) async throws
    -> Chunk<Key>?
  {
    try await pool.transaction(.readCommitted, retrying: .standard) { tx in
      let parts = try await SpanParts(span, of: self, in: tx)
      var differing: Set<Key> = []
      for rollup in catalog.mostRecent {
        differing.formUnion(
          try await self.differing(rollup, chunk, parts, closedToo: false, in: tx))
      }
      for register in catalog.registers {
        differing.formUnion(try await self.differing(register, chunk, in: tx))
      }
      return chunk.narrowed(to: differing)
    }
  }

  /// - Parameter closedToo: also those of whom closed periods lack what came late.
  func differing<Key: PostgresKey>(
    _ rollup: MostRecent, _ chunk: Chunk<Key>, _ parts: SpanParts, closedToo: Bool = true,
    in tx: borrowing Transaction
  ) async throws -> Set<Key> {
    for setting in Self.forAChunk { try await tx.execute(setting) }
    var subjects: Set<Key> = []
    for span in parts.outside {
      let values = chunk.values.merging(self.values(of: span)) { $1 }
      for row in try await tx.query(query(rollup.differing(chunk.lens), values)) {
        subjects.insert(try row.decode(Key.self))
      }
    }
    guard let buckets = parts.buckets else { return subjects }
    let closed = parts.closed(for: rollup)
    for isClosed in closedToo ? [false, true] : [false]
    where buckets.contains(where: { closed.contains($0) == isClosed }) {
      let values = chunk.values.merging(
        buckets.values(where: { closed.contains($0) == isClosed })
      ) { $1 }
      let (wrong, held, rows) = try await tx.query(
        query(rollup.check(chunk.lens, closed: isClosed), values)
      ).only(([Key]?, Int, Int).self)
      subjects.formUnion(wrong ?? [])
      guard !isClosed, held != rows else { continue }
      // Some row has no event behind it, and which is found out.
      let span = chunk.values.merging(self.values(of: parts.span)) { $1 }
      for row in try await tx.query(query(rollup.unfounded(chunk.lens), span)) {
        subjects.insert(try row.decode(0, as: Key.self))
      }
    }
    return subjects
  }

  func differing<Key: PostgresKey>(
    _ register: Register, _ chunk: Chunk<Key>, in tx: borrowing Transaction
  ) async throws -> Set<Key> {
    let rows = try await tx.query(query(register.verify(chunk.lens), chunk.values))
    return Set(try rows.map { try $0.decode("subject", as: Key.self) })
  }
}
