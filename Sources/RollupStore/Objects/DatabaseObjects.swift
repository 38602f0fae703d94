import Migrations
import PeriodRollups
import Postgres

/// Everything in the schema `rollup` that keeps closed periods, published figures and the record as they are: functions,
/// triggers, policies, owners and rights. As this version makes them, compared with what the database has.
///
/// `rollup verify --closed` names what differs, and `rollup migrate` mends it.
struct DatabaseObjects: Sendable {
  let catalog: Catalog
  /// The tables of published rows, besides those of the core.
  let published: [TableName]

  /// Something that is not as it should be.
  struct Finding: Sendable, Hashable {
    let what: String
    /// What mends it; empty where a person has to decide.
    let mending: [String]
    /// Whether it is a guard of one edition's that is not as it should be.
    var isOfEdition = false
    /// Whether it is about roles, of which a migration says itself what is missing.
    var isOfRoles = false
  }

  /// What differs, in one snapshot of the catalogue.
  func findings(in tx: borrowing Transaction) async throws -> [Finding] {
    let found = try await FoundObjects.read(tx)
    return roles(found) + keys(found) + functions(found) + triggers(found) + policies(found)
      + owners(found) + rights(found)
      + found.rules.map { Finding(what: "the rule \($0) is not ours", mending: []) }
  }

  // MARK: Roles and keys

  /// What a restore without the roles looks like, and a migration by a role that may not make them.
  private func roles(_ found: FoundObjects) -> [Finding] {
    let missing = RollupRole.allCases.map(\.rawValue).filter { !found.roles.contains($0) }
    let others = found.strangeRights.map {
      Finding(what: "\($0); if that is not meant, revoke it", mending: [])
    }
    let advice = "'rollup migrate' makes it, or says who can"
    var findings = missing.map {
      Finding(what: "the role \($0) is missing; \(advice)", mending: [], isOfRoles: true)
    }
    if found.owner == nil, found.roles.contains(RollupRole.owner.rawValue) {
      findings.append(
        Finding(
          what: "the schema rollup belongs to \(found.schemaOwner), not to rollup_owner; "
            + "'rollup migrate' gives it, or says what it lacks", mending: [], isOfRoles: true))
    }
    return findings + others
  }

  /// A restore without its last part has tables without keys: nothing is told twice, and nothing can be written.
  private func keys(_ found: FoundObjects) -> [Finding] {
    let rollups = catalog.mostRecent.map(\.table)
    var tables: [TableName] = Self.tablesWithKeys + rollups + catalog.mostRecent.map(\.late)
    tables += catalog.registers.map(\.table) + found.closedParts.map(\.partition)
    let counts = catalog.counts.map(\.table.qualified)
    return tables.map(\.qualified).filter { table in
      found.keyless.contains(table) && !counts.contains { table.hasPrefix($0) }
    }.map {
      Finding(
        what:
          "\($0) has no key: it was restored in part. Restore the rest: pg_restore --section=post-data",
        mending: [])
    }
  }

  private static let tablesWithKeys: [TableName] = [
    "rollup.deployment", "rollup.migrations", "rollup.editions", "rollup.edition_leaves",
    "rollup.edition_regions", "rollup.edition_parts", "rollup.published_figures",
    "rollup.published_patients", "rollup.late_arrivals", "rollup.runs", "rollup.jobs",
    "rollup.readiness", "rollup.tokens", "rollup.list_reads",
  ]

  // MARK: Functions

  private func functions(_ found: FoundObjects) -> [Finding] {
    let declared =
      catalog.periodTables.flatMap { [$0.createGuard] + $0.createSettling }
      + [Diversions(catalog).createFunction]
    let expected = ExpectedFunction.all(
      in: migrations.map(\.sql) + declared.map(\.text), table: found.placesTable)
    let byName = Dictionary(found.functions.map { ($0.signature, $0) }) { first, _ in first }
    var findings: [Finding] = []
    for function in expected {
      findings += finding(function, byName[function.signature], found)
    }
    let known = Set(expected.map(\.signature))
    for function in found.functions where !known.contains(function.signature) {
      guard !found.isOfUndeclaredRollup(function) else { continue }
      findings.append(
        Finding(what: "the function \(function.signature) is none of this version's", mending: []))
    }
    return findings
  }

  private func finding(
    _ expected: ExpectedFunction, _ found: FoundFunction?, _ objects: FoundObjects
  ) -> [Finding] {
    let name = "the function \(expected.signature)"
    let isForAll = expected.isTrigger || !expected.isSecurityDefiner
    let closing =
      isForAll ? [] : ["REVOKE EXECUTE ON FUNCTION \(expected.signature) FROM PUBLIC"]
    // As a guard is made.
    let path =
      expected.keepsSearchPath ? catalog.periodTables.prefix(1).map(\.makeGuard[0].text) : []
    let making = path + [expected.text] + closing
    guard let found else { return [Finding(what: "\(name) is missing", mending: making)] }
    var findings: [Finding] = []
    if let difference = found.difference(from: expected) {
      findings.append(
        Finding(
          what: "\(name) is not as this version makes it: \(difference)", mending: making))
    }
    if let owner = objects.owner(of: found), found.owner != owner {
      findings.append(
        Finding(
          what: "\(name) belongs to \(found.owner), not to \(owner)",
          mending: ["ALTER FUNCTION \(expected.signature) OWNER TO \(owner)"]))
    }
    if found.isPublic, !isForAll {
      findings.append(Finding(what: "everybody may call \(name)", mending: closing))
    }
    return isForAll || objects.owner == nil
      ? findings : findings + callers(expected, found, objects)
  }

  /// Which of the deployment's roles may call a function that runs by its owner's rights. An application may let roles of its own
  /// call some (docs/queue.md).
  private func callers(
    _ expected: ExpectedFunction, _ found: FoundFunction, _ objects: FoundObjects
  ) -> [Finding] {
    let name = String(expected.name.dropFirst("rollup.".count))
    var wanted: Set<RollupRole> = ServiceRights.functions.contains(name) ? [.server] : []
    if name.hasPrefix("settle_") { wanted = [.writer, .owner] }
    if ["enqueue_job", "enqueue_jobs", "cancel_jobs", "retry_jobs"].contains(name) {
      wanted = [.writer]
    }
    if name == "reach" { wanted.insert(.deriver) }
    if name == "places_in_reach" || name.hasPrefix("was_there_") { wanted.insert(.owner) }
    let roles = Set(wanted.map(\.rawValue)).intersection(objects.roles).subtracting([found.owner])
    func change(_ role: String, _ verb: String, _ words: String) -> Finding {
      Finding(
        what: "\(role) may \(words)call the function \(expected.signature)",
        mending: [
          "\(verb) EXECUTE ON FUNCTION \(expected.signature) \(verb == "GRANT" ? "TO" : "FROM") \(role)"
        ])
    }
    return roles.subtracting(found.callers).sorted().map { change($0, "GRANT", "not ") }
      + found.callers.subtracting(roles).sorted().map { change($0, "REVOKE", "") }
  }

  // MARK: Triggers

  private func triggers(_ found: FoundObjects) -> [Finding] {
    let core: [TableName] = [
      "rollup.editions", "rollup.edition_leaves", "rollup.edition_regions",
      // Made by the migrations of every deployment.
      "rollup.published_figures", "rollup.published_patients",
    ]
    let others = Set(published).subtracting(core).sorted { $0.qualified < $1.qualified }
    let tables = core + others
    var expected = ExpectedTrigger.ofAll + ExpectedTrigger.published(tables)
    for part in found.closedParts {
      expected += ExpectedTrigger.closed(part.partition, guardedBy: part.guardFunction)
    }
    expected += found.keptTables.map(ExpectedTrigger.kept)
    let facts = Dictionary(
      found.triggers.map { ("\($0.table) \($0.name)", $0) }
    ) { first, _ in first }
    var findings: [Finding] = []
    for trigger in expected where found.tables.contains(trigger.table.qualified) {
      let there = facts["\(trigger.facts.table) \(trigger.name)"]
      guard there != trigger.facts else { continue }
      findings.append(
        Finding(
          what: there == nil
            ? "the trigger \(trigger.name) of \(trigger.table.qualified) is missing"
            : "the trigger \(trigger.name) of \(trigger.table.qualified) is not as this version makes it, or switched off",
          mending: trigger.making,
          isOfEdition: ["closed", "closed_whole", "kept"].contains(trigger.name)))
    }
    let known = Set(expected.map { "\($0.table.qualified) \($0.name)" })
    for trigger in found.triggers where !known.contains("\(trigger.table) \(trigger.name)") {
      findings.append(
        Finding(what: "the trigger \(trigger.name) of \(trigger.table) is not ours", mending: []))
    }
    return findings
  }

  // MARK: Policies

  private func policies(_ found: FoundObjects) -> [Finding] {
    let expected = ServiceRights.policies.filter { !$0.isOfService || found.hasService }
    var findings: [Finding] = []
    for policy in expected where !found.policies.contains(policy.fact) {
      findings.append(
        Finding(
          what:
            "the policy \(policy.name) of \(policy.table) is missing, or not as this version makes it",
          mending: policy.making))
    }
    for table in Set(expected.map(\.table)).sorted() where !found.narrowed.contains(table) {
      findings.append(
        Finding(
          what: "row-level security of \(table) is switched off",
          mending: ["ALTER TABLE \(table) ENABLE ROW LEVEL SECURITY"]))
    }
    let known = Set(expected.map { "\($0.name) on \($0.table)" })
    for fact in found.policies {
      guard let name = fact.split(separator: ":").first.map(String.init), !known.contains(name)
      else { continue }
      findings.append(Finding(what: "the policy \(name) is not ours", mending: []))
    }
    return findings
  }

  // MARK: Owners and rights

  private func owners(_ found: FoundObjects) -> [Finding] {
    guard let owner = found.owner else { return [] }
    return found.owners.filter { $0.value != owner }.sorted { $0.key < $1.key }.map {
      table, other in
      Finding(
        what: "\(table) belongs to \(other), not to \(owner)",
        mending: ["ALTER TABLE \(TableName(qualified: table)) OWNER TO \(owner)"])
    }
  }

  private func rights(_ found: FoundObjects) -> [Finding] {
    guard found.owner != nil else { return [] }
    var expected: Set<Right> = []
    for grant in catalog.rights(places: nil, published: published) where grant.role != .owner {
      for table in grant.tables where table.schema?.name == "rollup" {
        for right in grant.rights {
          for column in grant.columns.map({ $0.map(\.name) }) ?? [""] {
            expected.insert(
              Right(
                role: grant.role.rawValue, right: right.rawValue, table: table.qualified,
                column: column))
          }
        }
      }
    }
    let roles = found.roles
    let missing = expected.subtracting(found.rights).filter {
      roles.contains($0.role) && found.tables.contains($0.table)
    }
    // A program of before may still write a rollup that is declared no more.
    let extra = found.rights.subtracting(expected).filter {
      !found.isOfUndeclaredRollup($0, catalog)
    }
    return missing.sorted().map {
      Finding(what: "\($0.role) may not \($0.described)", mending: [$0.granting])
    }
      + extra.sorted().map {
        Finding(what: "\($0.role) may \($0.described)", mending: [$0.revoking])
      }
  }
}

/// A right of one of the deployment's roles, or of everybody, on a table or a column of it.
struct Right: Sendable, Hashable, Comparable {
  /// `PUBLIC` for everybody.
  let role: String
  let right: String
  let table: String
  /// Empty for the table as a whole.
  let column: String

  var described: String {
    column.isEmpty ? "\(right) \(table)" : "\(right) \(column) of \(table)"
  }

  var granting: String { "GRANT \(what) TO \(who)" }
  var revoking: String { "REVOKE \(what) FROM \(who)" }

  private var who: String { role == "PUBLIC" ? role : Identifier(role).quoted }
  private var what: String {
    let columns = column.isEmpty ? "" : " (\(Identifier(column)))"
    return "\(right)\(columns) ON \(TableName(qualified: table))"
  }

  static func < (a: Self, b: Self) -> Bool {
    (a.table, a.role, a.right, a.column) < (b.table, b.role, b.right, b.column)
  }
}
