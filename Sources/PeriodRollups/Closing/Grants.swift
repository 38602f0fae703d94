/// The roles of a deployment, and what each may do (docs/closing.md).
public enum RollupRole: String, CaseIterable, Sendable {
  /// Owns the rollups; nobody logs in as it.
  case owner = "rollup_owner"
  /// Applications: the sources, and the rollups through their parents.
  case writer = "rollup_writer"
  /// Reads reports; of patients ids only.
  case reporter = "rollup_reporter"
  /// Closes, restates, verifies, backfills. It has to put guards on partitions, which takes their owner's rights.
  case closer = "rollup_closer"
  /// What reads the application's tables by other rights than the caller's runs as it: for closed periods in anybody's write, and
  /// for a service. It may read them, and write late rows. Nobody logs in as it. Whoever owns those tables could run code
  /// by its rights, so it has no others.
  case deriver = "rollup_deriver"
  /// A service that shows reports: what the token in force may see, and patients only by announced lists (docs/access.md).
  case server = "rollup_server"

  var name: Identifier { Identifier(rawValue) }

  /// The functions of the schema `rollup` that are the deriver's, as a regular expression of their names: those that read the
  /// application's tables by other rights than the caller's.
  public static let functionsOfDeriver = "^(settle_|was_there_|places_in_reach$|circumstances$)"
}

/// A right of a role on tables, whole or on some of their columns.
public struct Grant: Sendable, Hashable {
  public enum Right: String, Sendable, CaseIterable {
    case select = "SELECT"
    case insert = "INSERT"
    case update = "UPDATE"
    case delete = "DELETE"
  }

  public let rights: [Right]
  /// nil for the table as a whole.
  public let columns: [Identifier]?
  public let tables: [TableName]
  public let role: RollupRole

  init(
    _ rights: Right..., columns: [Identifier]? = nil, on tables: [TableName], to role: RollupRole
  ) {
    self.rights = rights
    self.columns = columns
    self.tables = tables
    self.role = role
  }

  var statement: Statement {
    let listed: SQL = columns.map { " (\(.joined($0.map { "\($0)" })))" } ?? ""
    return Statement(
      "what \(role.rawValue) may do",
      """
      GRANT \(.joined(rights.map { "\(Self.word($0))\(listed)" })) ON \(.joined(tables.map { "\($0)" })) TO \(role.name)
      """)
  }

  private static func word(_ right: Right) -> SQL {
    switch right {
    case .select: "SELECT"
    case .insert: "INSERT"
    case .update: "UPDATE"
    case .delete: "DELETE"
    }
  }
}

extension Catalog {
  /// What the roles may do on tables.
  /// - Parameters:
  ///   - places: the application's table of places that reports read.
  ///   - published: the tables of published rows.
  public func rights(places: TableName?, published: [TableName]) -> [Grant] {
    let sources = [subject.table] + sources.map(\.table) + (places.map { [$0] } ?? [])
    let rollups = periodTables.map(\.table) + registers.map(\.table)
    let late = periodTables.map(\.late)
    let kept: [TableName] = [
      Editions.table, Editions.parts, "rollup.edition_leaves", "rollup.edition_regions",
      "rollup.deployment", Readiness.table,
    ]
    return Changes(self).grants(to: .writer) + [
      Grant(.select, .insert, .update, .delete, on: sources + rollups, to: .writer),
      // Guards write late rows, and a function that brings them to what the sources say.
      Grant(.select, on: late, to: .writer),
      Grant(.select, on: [Ledger.table], to: .writer),
      Grant(.insert, columns: Ledger.said, on: [Ledger.table], to: .writer),
      Grant(.select, on: kept, to: .writer),
      Grant(
        .select, on: (places.map { [$0] } ?? []) + rollups + late + kept + published, to: .reporter),
      // A backfill holds its subjects FOR SHARE, which takes the right to update.
      Grant(.select, on: sources, to: .closer),
      Grant(.select, on: sources, to: .owner),
      Grant(.update, on: [subject.table], to: .closer),
      Grant(.select, on: sources, to: .deriver),
      Grant(
        .select, on: rollups + [Editions.table, Editions.parts, "rollup.deployment"], to: .deriver),
      Grant(.select, .insert, .update, .delete, on: mostRecent.map(\.late), to: .deriver),
      // Progress is for everybody to see.
      Grant(.select, on: ["rollup.runs"], to: .writer),
      Grant(.select, on: ["rollup.runs"], to: .reporter),
      // What is counted of jobs; their arguments are the applications'.
      Grant(
        .select,
        columns: [
          "run", "kind", "step", "state", "weight", "attempts", "taken_at", "alive_at", "lease",
          "done_at", "written", "removed", "found",
        ], on: ["rollup.jobs"], to: .reporter),
      // An application asks for work in its own transactions; what becomes of it is said by functions (Migrations/0015_jobs.sql).
      Grant(.select, on: ["rollup.jobs", "rollup.job_needs", "rollup.emitted"], to: .writer),
      Grant(
        .insert,
        columns: [
          "queue", "kind", "arguments", "priority", "weight", "not_before", "max_failures",
          "time_limit",
        ], on: ["rollup.jobs"], to: .writer),
      Grant(.insert, columns: ["action", "key"], on: ["rollup.emitted"], to: .writer),
      Grant(
        .select, on: ["rollup.deployment", "rollup.editions", "rollup.published_figures"],
        to: .server),
    ]
  }

  /// What the roles may do, as statements that can be run again: what is ours is taken back first, so that nobody keeps a
  /// right that an older version gave. The service's role has its rights apart.
  /// - Parameter missing: roles that are not there, and have none.
  public func grants(
    places: TableName?, published: [TableName], without missing: [RollupRole] = []
  ) -> [Statement] {
    let roles = RollupRole.allCases.filter { $0 != .server && !missing.contains($0) }
    let rights = rights(places: places, published: published).filter { roles.contains($0.role) }
    let revocations = roles.filter { $0 != .owner }.map { role -> Statement in
      let tables = rights.filter { $0.role == role }.flatMap(\.tables)
        .filter { $0.schema?.name == "rollup" }
      let unique = tables.enumerated().filter { tables.firstIndex(of: $1) == $0 }.map(\.element)
      return Statement(
        "what \(role.rawValue) may do is said anew",
        unique.isEmpty
          ? "SELECT 1" : "REVOKE ALL ON \(.joined(unique.map { "\($0)" })) FROM \(role.name)")
    }
    let settling = mostRecent.map {
      Statement(
        "writers bring late rows to what the sources say",
        "GRANT EXECUTE ON FUNCTION \($0.settling)(\(subject.id.type)[], date[]) TO \(RollupRole.writer.name), \(RollupRole.owner.name)"
      )
    }
    let asking = mostRecent.map {
      Statement(
        "guards ask what was there",
        "GRANT EXECUTE ON FUNCTION \($0.table.wasThereFunction)(\(subject.id.type), \($0.id.type), \"char\") TO \(RollupRole.owner.name)"
      )
    }
    let working = Statement(
      "writers ask for work and take it back",
      """
      GRANT EXECUTE ON FUNCTION rollup.enqueue_job, rollup.enqueue_jobs, rollup.cancel_jobs, rollup.retry_jobs
      TO \(RollupRole.writer.name)
      """)
    let reaching =
      missing.contains(.deriver)
      ? []
      : [
        Statement(
          "what reads places asks for the token",
          "GRANT EXECUTE ON FUNCTION rollup.reach() TO \(RollupRole.deriver.name)"),
        Statement(
          "and is asked by what keeps a token to its places",
          "GRANT EXECUTE ON FUNCTION rollup.places_in_reach() TO \(RollupRole.owner.name)"),
      ]
    let everybody: SQL = .joined(roles.map { "\($0.name)" })
    // Guards and what brings late rows right read the sources as the owner.
    let schemas = Set(([subject.table] + sources.map(\.table)).compactMap(\.schema)).sorted {
      $0.name < $1.name
    }
    return [
      Statement("who may see the schema", "GRANT USAGE ON SCHEMA rollup TO \(everybody)")
    ]
      + schemas.map {
        Statement("and that of the sources", "GRANT USAGE ON SCHEMA \($0) TO \(everybody)")
      } + revocations + rights.map(\.statement) + settling + asking + reaching + [
        working,
        Statement(
          "the closer acts as the owner",
          "GRANT \(RollupRole.owner.name) TO \(RollupRole.closer.name)"),
      ]
  }
}
