import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// The programme's records. Every write keeps the blood-pressure, visit and registration rollups right in its own
/// transaction.
///
/// ```swift
/// let store = try await Store(Pool(ConnectionSettings(conninfo: url)))
/// try await store.record(reading)
///
/// try await store.transaction { tx in
///   try await store.insert(patient, in: tx)
///   try await store.record(reading, in: tx)
/// }
/// ```
///
/// ## Topics
/// - Readings and visits: ``record(_:)-(R)``, ``insert(_:)-(R)``, ``update(_:)-(R)``, ``delete(_:_:of:)``,
///   ``restore(_:_:of:)``, ``destroy(_:_:of:)``, ``reassign(_:_:from:to:)``
/// - Patients: `insert`, `update`, `transfer`, `recordDeath`, `delete`, `restore`, `destroy`, `merge`
/// - Facilities: `save`, `delete`
public struct Store: Sendable {
  /// The rollups below it: deriving, verification, tables.
  public let rollups: RollupStore

  /// The write path of each source, by the source's name.
  private let paths: [String: SourcePath<UUID>]

  var pool: Pool { rollups.pool }

  /// - Throws: ``DeploymentError/notMigrated`` before `rollup migrate`.
  public init(_ pool: Pool) async throws {
    let rollups = try await RollupStore(pool, Rollups.catalog)
    self.rollups = rollups
    paths = Dictionary(
      uniqueKeysWithValues: rollups.catalog.sources.map { ($0.name, SourcePath($0, in: rollups)) })
  }

  func path<R: Event>(_: R.Type) -> SourcePath<UUID> {
    paths[R.source.name] ?? SourcePath(R.source, in: rollups)
  }

  /// A transaction of the caller's own: all writes in it are committed together or not at all. What PostgreSQL aborts for
  /// a deadlock is run again, so `body` may run more than once.
  public func transaction<T: Sendable>(_ body: (borrowing Transaction) async throws -> T)
    async throws -> T
  {
    try await rollups.transaction(body)
  }
}
