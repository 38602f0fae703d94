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

  /// As many patients as have a hundred thousand events, by the planner's estimates; and so few that there are some chunks
  /// to share.
  public func usualChunkSize() async throws -> Int {
    let sources = catalog.sources.map { "\($0.table)" }
    let subjects = "\(catalog.subject.table)"
    let (events, patients) = try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT (
            SELECT sum(greatest(c.reltuples, 0))
            FROM unnest(\(sources)) AS t JOIN pg_class AS c ON c.oid = t::regclass
          )::double precision,
          (SELECT greatest(c.reltuples, 1) FROM pg_class AS c WHERE c.oid = \(subjects)::regclass)::double precision
        """
      ).only((Double, Double).self)
    }
    guard events > 0 else { return 5_000 }
    return Int(min(max(100_000 / (events / patients), 100), max(patients / 10, 500), 20_000))
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
