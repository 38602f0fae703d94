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
  /// A service that shows reports: what the token in force may see, and patients only by announced lists (docs/access.md).
  case server = "rollup_server"

  var name: Identifier { Identifier(rawValue) }
}

extension Catalog {
  /// What the roles may do, as statements that can be run again.
  /// - Parameters:
  ///   - places: the application's table of places that reports read.
  ///   - published: the tables of published rows.
  public func grants(places: TableName?, published: [TableName]) -> [Statement] {
    let sources = [subject.table] + sources.map(\.table) + (places.map { [$0] } ?? [])
    let rollups = periodTables.map(\.table) + registers.map(\.table)
    let late = periodTables.map(\.late)
    let kept: [TableName] = [
      Editions.table, Editions.parts, "rollup.edition_leaves", "rollup.edition_regions",
      "rollup.deployment", Readiness.table,
    ]
    func grant(_ rights: SQL, _ tables: [TableName], _ role: RollupRole) -> Statement {
      Statement(
        "what \(role.rawValue) may do",
        "GRANT \(rights) ON \(.joined(tables.map { "\($0)" })) TO \(role.name)")
    }
    return [
      Statement(
        "who may see the schema",
        // The service's role, which may be missing, has its rights apart.
        "GRANT USAGE ON SCHEMA rollup TO \(.joined(RollupRole.allCases.filter { $0 != .server }.map { "\($0.name)" }))"
      ),
      grant("SELECT, INSERT, UPDATE, DELETE", sources + rollups, .writer),
      grant("SELECT, INSERT, UPDATE", late, .writer),
      // A late row that says what the closed row says is removed; a late change of a count never is.
      grant("DELETE", mostRecent.map(\.late), .writer),
      grant("SELECT, INSERT", [Ledger.table], .writer),
      Changes(self).grant(to: .writer),
      grant("SELECT", kept, .writer),
      grant(
        "SELECT", (places.map { [$0] } ?? []) + rollups + late + kept + published, .reporter),
      // A backfill holds its subjects FOR SHARE, which takes the right to update.
      grant("SELECT", sources, .closer),
      grant("SELECT", sources, .owner),
      grant("UPDATE", [subject.table], .closer),
      // Progress is for everybody to see.
      grant("SELECT", ["rollup.runs"], .writer),
      grant("SELECT", ["rollup.runs"], .reporter),
      // What is counted of jobs; their arguments are the applications'.
      grant(
        "SELECT (run, kind, step, state, weight, attempts, taken_at, alive_at, lease, done_at, written, removed, found)",
        ["rollup.jobs"], .reporter),
      // An application asks for work in its own transactions.
      grant(
        "SELECT, INSERT, UPDATE", ["rollup.jobs", "rollup.job_needs", "rollup.emitted"], .writer),
      Statement(
        "the closer acts as the owner",
        "GRANT \(RollupRole.owner.name) TO \(RollupRole.closer.name)"),
    ]
  }
}
