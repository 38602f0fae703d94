import Foundation
import Postgres
import RollupStore

/// Facilities. No rollup depends on them: reports join them by id, and name and region are those of today for open
/// periods.
extension Store {
  /// Inserts a facility, or gives it the values it has here; its names as ``PlaceName/normalised(_:)`` has them.
  @discardableResult
  public func save(_ facility: Facility) async throws -> WriteOutcome {
    try await transaction { tx in try await save(facility, in: tx) }
  }

  @discardableResult
  public func save(_ facility: Facility, in tx: borrowing Transaction) async throws -> WriteOutcome
  {
    let facility = facility.normalised
    let rows = try await tx.prepared(
      """
      INSERT INTO facilities AS f (id, name, state, district, block, size, deleted_at)
      VALUES (\(facility.id), \(facility.name), \(facility.state), \(facility.district), \(facility.block),
        \(facility.size), \(facility.deletedAt))
      ON CONFLICT (id) DO UPDATE
      SET (name, state, district, block, size, deleted_at, updated_at) = (excluded.name, excluded.state,
        excluded.district, excluded.block, excluded.size, excluded.deleted_at, now())
      WHERE (f.name, f.state, f.district, f.block, f.size, f.deleted_at) IS DISTINCT FROM (excluded.name,
        excluded.state, excluded.district, excluded.block, excluded.size, excluded.deleted_at)
      RETURNING xmax = 0
      """)
    guard let row = rows.first else { return .unchanged }
    return try row.decode(Bool.self) ? .inserted : .changed
  }

  /// Marks a facility deleted. It stays in reports as long as it has something to count.
  @discardableResult
  public func delete(facility: UUID) async throws -> WriteOutcome {
    let changed = try await pool.withConnection {
      try await $0.execute(
        "UPDATE facilities SET deleted_at = now(), updated_at = now() WHERE id = \(facility) AND deleted_at IS NULL"
      )
    }
    return changed > 0 ? .changed : .unchanged
  }

  /// Takes the mark away.
  @discardableResult
  public func restore(facility: UUID) async throws -> WriteOutcome {
    let changed = try await pool.withConnection {
      try await $0.execute(
        "UPDATE facilities SET deleted_at = NULL, updated_at = now() WHERE id = \(facility) AND deleted_at IS NOT NULL"
      )
    }
    return changed > 0 ? .changed : .unchanged
  }
}
