import Foundation
import PeriodRollups
import Postgres
import RollupStore

extension RollupStore {
  /// All patients as chunks of a run, numbered from 1, in step 1.
  public func patientChunks(of size: Int, what: String) async throws -> [RunChunk] {
    let bounds = try await chunks(of: size, keyedBy: UUID.self)
    let total = try await subjectCount()
    return bounds.enumerated().map { place, chunk in
      RunChunk(
        number: place + 1, step: 1, what: what,
        scope: .bounds(first: chunk.first?.uuidString, end: chunk.end?.uuidString),
        subjects: max(0, min(size, total - place * size)))
    }
  }

  /// As many patients as have a quarter of a million events, by the planner's estimates; and so few that there are some
  /// chunks to share.
  public func usualChunkSize() async throws -> Int {
    let events = try await estimatedEvents()
    let patients = max(try await estimate(["\(catalog.subject.table)"]), 1)
    guard events > 0 else { return 5_000 }
    return Int(min(max(250_000 / (events / patients), 100), max(patients / 10, 500), 50_000))
  }

  /// How many events the sources have, by the planner's estimates.
  public func estimatedEvents() async throws -> Double {
    try await estimate(catalog.sources.map { "\($0.table)" })
  }

  private func estimate(_ tables: [String]) async throws -> Double {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT sum(greatest(c.reltuples, 0))::double precision
        FROM unnest(\(tables)) AS t JOIN pg_class AS c ON c.oid = t::regclass
        """
      ).only(Double.self)
    }
  }
}

extension RunChunk {
  /// The patients of the chunk.
  public var patients: Chunk<UUID> {
    switch scope {
    case .subjects(let keys): Chunk(keys.compactMap(UUID.init(uuidString:)))
    case .bounds(let first, let end):
      Chunk(
        first: first.flatMap(UUID.init(uuidString:)), end: end.flatMap(UUID.init(uuidString:)))
    }
  }
}
