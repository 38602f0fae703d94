import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// Rows of an import that are stored under another patient: an id is one reading's, so the later row says whose it is
/// (`docs/decisions/036-a-reading-that-comes-under-another-patient.md`).
struct Moves {
  let store: RollupStore
  let connection: Connection
  let sourcesOnly: Bool
  let source: Source
  /// The rows of the import, numbered.
  let ready: String

  private struct Move {
    let id: UUID
    let holder: UUID
    let patient: UUID
    /// Whether the patient has the row as well: then the holder's is a second one, and is marked deleted.
    let isThere: Bool
  }

  /// Gives each to the patient that the import says, before its values are written.
  /// - Returns: how many.
  func run() async throws -> Int {
    let moves = try await find()
    guard !moves.isEmpty else { return 0 }
    if sourcesOnly {
      for move in moves { try await write(move) }
      return moves.count
    }
    let path = SourcePath<UUID>(source, in: store)
    for move in moves { try await follow(move, path) }
    return moves.count
  }

  /// One look at the whole table for all of the import: no index of the ids alone is needed, which every write would pay for.
  private func find() async throws -> [Move] {
    try await connection.query(
      """
      SELECT r.id, s.patient_id, r.patient_id, t.id IS NOT NULL
      FROM \(unescaped: ready) AS r
      JOIN \(unescaped: "\(source.table)") AS s ON s.id = r.id AND s.patient_id <> r.patient_id
      LEFT JOIN \(unescaped: "\(source.table)") AS t ON (t.patient_id, t.id) = (r.patient_id, r.id)
      WHERE t.id IS NULL OR s.deleted_at IS NULL
      ORDER BY r.place, s.patient_id
      """
    ).map { row in
      let (id, holder, patient, isThere) = try row.decode((UUID, UUID, UUID, Bool).self)
      return Move(id: id, holder: holder, patient: patient, isThere: isThere)
    }
  }

  /// By the protocol of a change, in a transaction of its own: the rollups, late rows and the ledger follow.
  private func follow(_ move: Move, _ path: SourcePath<UUID>) async throws {
    do {
      try await connection.transaction(.readCommitted, retrying: .batch) { tx in
        if move.isThere {
          _ = try await path.delete(move.id, of: move.holder, in: tx)
        } else {
          try await path.reassign(move.id, from: move.holder, to: move.patient, in: tx)
        }
      }
    } catch WriteError.notFound {
      // Somebody else has moved or removed it since.
    } catch let error as PostgresError where error.sqlState == .uniqueViolation {
      // It has come to the patient since, or this is the second that others held.
      try await connection.transaction(.readCommitted, retrying: .batch) { tx in
        _ = try await path.delete(move.id, of: move.holder, in: tx)
      }
    }
  }

  /// The source alone; a backfill makes the rollups.
  private func write(_ move: Move) async throws {
    let table = "\(source.table)"
    try await connection.execute(
      """
      UPDATE \(unescaped: table) AS s SET patient_id = \(move.patient), updated_at = now()
      WHERE (s.patient_id, s.id) = (\(move.holder), \(move.id))
        AND NOT EXISTS (SELECT FROM \(unescaped: table) AS t WHERE (t.patient_id, t.id) = (\(move.patient), \(move.id)))
      """)
    try await connection.execute(
      """
      UPDATE \(unescaped: table) SET deleted_at = now(), updated_at = now()
      WHERE (patient_id, id) = (\(move.holder), \(move.id)) AND deleted_at IS NULL
      """)
  }
}
