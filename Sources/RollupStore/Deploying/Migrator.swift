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
    /// What is in the database, declared no more and left there, a sentence each.
    public var remarks: [String] = []
    /// What a superuser has to run for the roles to be there; empty when they are.
    public var missingRoles: [String] = []
  }

  /// What a run would do.
  public struct Plan: Sendable {
    public internal(set) var steps: [MigrationStep] = []
    public internal(set) var remarks: [String] = []
    var outcome = Outcome(timeZone: "")

    /// The SQL of all steps, as psql would run it.
    public var description: String { steps.map(\.description).joined(separator: "\n") }
  }

  /// Migrates.
  ///
  /// Two runs at once are safe: the second waits for the first. A run that is killed has done each step whole or not at
  /// all, and the next goes on with it.
  /// - Parameters:
  ///   - timeZone: an IANA name; nil keeps the one that is set, or sets UTC.
  ///   - partitions: nil for those of some years before and after today.
  ///   - drops: also removes what is declared no more, as far as no edition rests on it.
  ///   - report: called with the name of each step that is done.
  /// - Throws: ``DeploymentError``, `SchemaPlan.Refusal`.
  public func run(
    _ pool: Pool, timeZone: String? = nil, partitions span: PeriodSpan? = nil,
    dropping drops: Bool = false, report: (String) -> Void = { _ in }
  ) async throws -> Outcome {
    try await pool.withConnection { connection in
      try await connection.execute("SELECT pg_advisory_lock(\(Self.lock))")
      do {
        let plan = try await plan(connection, timeZone: timeZone, span: span, drops: drops)
        for step in plan.steps {
          try await step.run(on: connection)
          report(step.name)
        }
        var outcome = plan.outcome
        outcome.remarks = plan.remarks
        outcome.missingRoles = try await roles.ensure(on: connection)
        try await connection.execute("SELECT pg_advisory_unlock(\(Self.lock))")
        return outcome
      } catch {
        _ = try? await connection.query("SELECT pg_advisory_unlock(\(Self.lock))")
        throw error
      }
    }
  }

  /// What ``run(_:timeZone:partitions:dropping:report:)`` would do now. Writes nothing.
  public func plan(
    _ pool: Pool, timeZone: String? = nil, partitions span: PeriodSpan? = nil,
    dropping drops: Bool = false
  ) async throws -> Plan {
    try await pool.withConnection { connection in
      var plan = try await plan(connection, timeZone: timeZone, span: span, drops: drops)
      plan.steps += try await roles.plan(on: connection)
      return plan
    }
  }

  private var roles: Roles { Roles(catalog: catalog, places: places, published: published) }

  /// Spells "migrate".
  private static let lock: Int64 = 0x6D_6967_7261_7465

  private func plan(
    _ connection: Connection, timeZone: String?, span: PeriodSpan?, drops: Bool
  ) async throws -> Plan {
    var plan = Plan()
    let applied = try await checkApplied(connection)
    if applied == nil {
      plan.steps.append(MigrationStep("make the schema", [.init("ours", Self.schema)]))
    }
    for migration in migrations where applied?.contains(migration.name) != true {
      plan.steps.append(
        MigrationStep(
          "apply \(migration.name)",
          [
            .init("Migrations/\(migration.name).sql", Query(text: migration.sql)),
            .init(
              "note that it is applied",
              """
              INSERT INTO rollup.migrations (name, checksum)
              VALUES (\(migration.name), sha256(convert_to(\(migration.sql), 'UTF8')))
              """, ["'\(migration.name)'", "the text above"]),
            .init("it is the owner's", Roles.ownMade),
          ]))
      plan.outcome.applied.append(migration.name)
    }
    let found = try await SchemaReading.read(catalog, on: connection)
    let schema = try SchemaPlan(catalog, found: found, dropping: drops)
    plan.steps += schema.steps.map { MigrationStep($0) }
    plan.remarks = schema.remarks
    if plan.outcome.applied.isEmpty { try await mend(in: &plan, connection) }
    let (zone, set) = try await set(timeZone: timeZone, found, connection)
    plan.outcome.timeZone = zone
    if let set {
      plan.steps.append(
        MigrationStep("set the reporting time zone", [.init("an IANA name", set, ["'\(zone)'"])]))
    }
    let horizon = if let span { span } else { try await Partitions.horizon(connection) }
    let partitions = Partitions(catalog).missing(in: horizon, Set(found.tables.keys))
    plan.steps += partitions.map { Partitions.step($0.table, $0.period) }
    plan.outcome.partitions = partitions.count
    return plan
  }

  /// What keeps closed periods as they are and is not as this version makes it, made again; what a person has to decide is
  /// a remark. Of a database that is up to date: an older one is brought there first.
  private func mend(in plan: inout Plan, _ connection: Connection) async throws {
    let objects = DatabaseObjects(catalog: catalog, published: published)
    let findings = try await connection.transaction(.repeatableRead, readOnly: true) { tx in
      try await objects.findings(in: tx)
    }
    for finding in findings where !finding.isOfRoles {
      guard !finding.mending.isEmpty else {
        plan.remarks.append(
          "\(finding.what); it stays, because it may be somebody's: look at it, and drop it")
        continue
      }
      let isMadeAnyway = plan.steps.contains { step in
        step.pieces.contains { finding.mending.contains($0.query.text) }
      }
      guard !isMadeAnyway else { continue }
      plan.steps.append(
        MigrationStep(
          "mend: \(finding.what)",
          finding.mending.map { .init("as this version makes it", Query(text: $0)) }
            + [.init("it is the owner's", Roles.ownMade)]))
    }
  }

  private static let schema: Query = """
    CREATE SCHEMA IF NOT EXISTS rollup;
    CREATE TABLE IF NOT EXISTS rollup.migrations (
      name text PRIMARY KEY,
      checksum bytea NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    );
    """

  /// The names of what was applied; nil where nothing ever was.
  /// - Throws: ``DeploymentError/changedMigration(_:)`` and ``DeploymentError/unknownMigration(_:)``.
  private func checkApplied(_ connection: Connection) async throws -> Set<String>? {
    let isThere = try await connection.query("SELECT to_regclass('rollup.migrations') IS NOT NULL")
    guard try isThere.only(Bool.self) else { return nil }
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

  /// The reporting time zone, and what sets it where it is not set so. It can be changed only as long as no rollup has a
  /// row.
  private func set(
    timeZone asked: String?, _ found: FoundSchema, _ connection: Connection
  ) async throws -> (String, Query?) {
    func insert(_ zone: String) -> Query {
      "INSERT INTO rollup.deployment (time_zone) VALUES (\(zone))"
    }
    let isThere = found.tables["rollup.deployment"] != nil
    let current =
      isThere
      ? try await connection.query("SELECT time_zone FROM rollup.deployment").first?.decode(
        String.self) : nil
    guard let asked else {
      if let current { return (current, nil) }
      return ("UTC", insert("UTC"))
    }
    let zone = try await Deployment.validated(timeZone: asked, on: connection)
    guard let current else { return (zone, insert(zone)) }
    if current == zone { return (zone, nil) }
    for table in catalog.periodTables.map(\.table) + catalog.registers.map(\.table)
    where found.tables[table.qualified] != nil {
      let rows = try await connection.query(
        Query(text: "SELECT EXISTS (SELECT FROM \(table))"))
      if try rows.only(Bool.self) {
        throw DeploymentError.timeZoneIsSet(current, asked: zone)
      }
    }
    return (zone, "UPDATE rollup.deployment SET time_zone = \(zone)")
  }
}
