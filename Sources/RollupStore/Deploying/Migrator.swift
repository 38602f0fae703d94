import Logging
import Migrations
import PeriodRollups
import Postgres

/// Brings a database to the state this program expects: the numbered files of `Migrations/`, in order and once each, and
/// after them the tables of the declared rollups.
public struct Migrator: Sendable {
  public let catalog: Catalog
  public let migrations: [Migration]
  let places: TableName?
  let published: [TableName]

  /// - Parameters:
  ///   - places: the application's table of places, which reports read.
  ///   - published: the tables of published rows.
  public init(
    _ catalog: Catalog, places: TableName? = nil, published: [TableName] = [],
    migrations: [Migration] = Migrations.migrations
  ) {
    self.catalog = catalog
    self.places = places
    self.published = published
    self.migrations = migrations
  }

  /// What a run did.
  public struct Outcome: Sendable, Hashable {
    /// The files applied now, by name.
    public var applied: [String] = []
    public var timeZone: String
    /// The partitions made now.
    public var partitions = 0
    /// What a superuser has to run for the roles to be there; empty when they are.
    public var missingRoles: [String] = []
  }

  /// Migrates.
  ///
  /// Two runs at once are safe: the second waits for the first. Each file is applied in a transaction of its own, so a
  /// run that is killed has applied each file whole or not at all.
  /// - Parameter timeZone: an IANA name; nil keeps the one that is set, or sets UTC.
  /// - Throws: ``DeploymentError``.
  public func run(_ pool: Pool, timeZone: String? = nil, partitions span: PeriodSpan? = nil)
    async throws -> Outcome
  {
    try await pool.withConnection { connection in
      try await connection.query("SELECT pg_advisory_lock(\(Self.lock))")
      do {
        let outcome = try await migrate(connection, timeZone: timeZone, span: span)
        try await connection.query("SELECT pg_advisory_unlock(\(Self.lock))")
        return outcome
      } catch {
        _ = try? await connection.query("SELECT pg_advisory_unlock(\(Self.lock))")
        throw error
      }
    }
  }

  /// Spells "migrate".
  private static let lock: Int64 = 0x6D_6967_7261_7465

  private func migrate(_ connection: Connection, timeZone: String?, span: PeriodSpan?) async throws
    -> Outcome
  {
    try await connection.script(
      """
      CREATE SCHEMA IF NOT EXISTS rollup;
      CREATE TABLE IF NOT EXISTS rollup.migrations (
        name text PRIMARY KEY,
        checksum bytea NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      );
      """)
    let applied = try await checkApplied(connection)
    var outcome = Outcome(timeZone: "")
    for migration in migrations where !applied.contains(migration.name) {
      try await connection.transaction { tx in
        try await tx.script(migration.sql)
        try await tx.execute(
          """
          INSERT INTO rollup.migrations (name, checksum)
          VALUES (\(migration.name), sha256(convert_to(\(migration.sql), 'UTF8')))
          """)
      }
      outcome.applied.append(migration.name)
    }
    try await connection.transaction { tx in
      for statement in catalog.create { try await tx.script(statement.text) }
    }
    outcome.timeZone = try await set(timeZone: timeZone, connection)
    let partitions = Partitions(catalog)
    let horizon = if let span { span } else { try await Partitions.horizon(connection) }
    outcome.partitions = try await partitions.ensure(horizon, on: connection)
    outcome.missingRoles = try await Roles(
      catalog: catalog, places: places, published: published
    ).ensure(on: connection)
    return outcome
  }

  /// The names of what was applied.
  /// - Throws: ``DeploymentError/changedMigration(_:)`` and ``DeploymentError/unknownMigration(_:)``.
  private func checkApplied(_ connection: Connection) async throws -> Set<String> {
    let rows = try await connection.query(
      "SELECT name, checksum FROM rollup.migrations ORDER BY name")
    var names: Set<String> = []
    for row in rows {
      let (name, checksum) = try row.decode((String, [UInt8]).self)
      guard let migration = migrations.first(where: { $0.name == name }) else {
        throw DeploymentError.unknownMigration(name)
      }
      let mine = try await connection.query(
        "SELECT sha256(convert_to(\(migration.sql), 'UTF8'))"
      ).only([UInt8].self)
      guard mine == checksum else { throw DeploymentError.changedMigration(name) }
      names.insert(name)
    }
    return names
  }

  /// Sets the reporting time zone. It can be changed only as long as no rollup has a row.
  private func set(timeZone asked: String?, _ connection: Connection) async throws -> String {
    let current = try await connection.query("SELECT time_zone FROM rollup.deployment").first?
      .decode(String.self)
    guard let asked else {
      if let current { return current }
      try await connection.execute("INSERT INTO rollup.deployment (time_zone) VALUES ('UTC')")
      return "UTC"
    }
    let zone = try await Deployment.validated(timeZone: asked, on: connection)
    guard let current else {
      try await connection.execute("INSERT INTO rollup.deployment (time_zone) VALUES (\(zone))")
      return zone
    }
    if current == zone { return zone }
    for table in catalog.periodTables.map(\.table) + catalog.registers.map(\.table) {
      let rows = try await connection.query(
        Query(text: "SELECT EXISTS (SELECT FROM \(table))"))
      if try rows.only(Bool.self) {
        throw DeploymentError.timeZoneIsSet(current, asked: zone)
      }
    }
    try await connection.execute("UPDATE rollup.deployment SET time_zone = \(zone)")
    return zone
  }
}
