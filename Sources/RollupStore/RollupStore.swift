import Foundation
import Logging
import PeriodRollups
import Postgres

/// The core executed on PostgreSQL: a catalog of declarations, a pool of connections and the deployment's time zone.
///
/// - `Deploying/` makes the tables: migrations, rollups, partitions.
/// - `Writing/` is the write path: it changes sources and keeps the rollups right in the same transaction.
/// - `Deriving/` makes rollups right from the sources (backfill) and compares them (verification).
public struct RollupStore: Sendable {
  public let pool: Pool
  public let catalog: Catalog
  /// The reporting time zone, an IANA name; set once by `rollup migrate`.
  public let timeZone: String

  /// Opens the store of a deployment.
  /// - Throws: ``DeploymentError/notMigrated`` when `rollup migrate` has not run.
  public init(_ pool: Pool, _ catalog: Catalog) async throws {
    guard let timeZone = try await Deployment.timeZone(pool) else {
      throw DeploymentError.notMigrated
    }
    self.init(pool, catalog, timeZone: timeZone)
  }

  init(_ pool: Pool, _ catalog: Catalog, timeZone: String) {
    self.pool = pool
    self.catalog = catalog
    self.timeZone = timeZone
  }

  /// A transaction of the caller's own, in which any number of writes are committed together or not at all.
  ///
  /// It is READ COMMITTED, which the protocol of the write path needs: a removal looks for what takes its place in a
  /// later statement with a fresh snapshot. What PostgreSQL aborts for a deadlock or a serialization failure is run
  /// again, so `body` must not do anything but database work that can be done twice.
  public func transaction<T: Sendable>(
    _ body: (borrowing Transaction) async throws -> T
  ) async throws -> T {
    try await pool.transaction(.readCommitted, retrying: .standard, body)
  }

  /// The database role of the connections.
  public func role() async throws -> String {
    try await pool.withConnection { try await $0.query("SELECT session_user::text") }
      .only(String.self)
  }

  func check(_ tx: borrowing Transaction) throws {
    guard tx.isolation == .readCommitted else { throw WriteError.isolation }
  }

  /// The declarations' statement with values for its parameters.
  func query(_ statement: Statement, _ values: Values = [:]) throws -> Query {
    try statement.query(
      values.merging([Parameter.timeZone.name: Bind(timeZone)]) { given, _ in given })
  }

  func queries(_ statements: [Statement], _ values: Values = [:]) throws -> [Query] {
    try statements.map { try query($0, values) }
  }
}

/// What a key of subjects and rows can be: `UUID`, `Int64`, `String`.
public typealias PostgresKey = PostgresEncodable & PostgresDecodable & PostgresArrayElement
  & Hashable & Sendable

/// Values for a statement's parameters, by name.
public typealias Values = [String: Bind]

extension Statement {
  /// The statement with its values bound.
  /// - Throws: ``UnboundParameter`` when a parameter has no value.
  public func query(_ values: Values) throws -> Query {
    let binds = try parameters.map { parameter in
      if let constant = parameter.constant { return Bind(constant) }
      guard let bind = values[parameter.name] else {
        throw UnboundParameter(statement: name, parameter: parameter.name)
      }
      return bind
    }
    return Query(text: text, binds: binds)
  }
}

/// A statement was executed without a value for one of its parameters: a mistake in the calling code.
public struct UnboundParameter: Error, CustomStringConvertible {
  public let statement: String
  public let parameter: String

  public var description: String { "no value for '\(parameter)' of the statement '\(statement)'" }
}
