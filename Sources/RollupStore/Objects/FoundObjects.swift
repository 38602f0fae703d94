import PeriodRollups
import Postgres

/// What the catalogue of the database has in the schema `rollup`.
struct FoundObjects: Sendable {
  var functions: [FoundFunction] = []
  var triggers: [TriggerFacts] = []
  /// As ``ExpectedPolicy/fact`` has them.
  var policies: Set<String> = []
  /// The tables with row-level security.
  var narrowed: Set<String> = []
  /// Of each table its owner.
  var owners: [String: String] = [:]
  var rights: Set<Right> = []
  var roles: Set<String> = []
  var rules: [String] = []
  /// The closed periods' partitions, and what guards them.
  var closedParts: [(partition: TableName, guardFunction: String)] = []
  /// The tables of rows that are kept of restated editions.
  var keptTables: [TableName] = []
  /// The application's table of places, with its schema.
  var placesTable = ""
  /// The role that should own it all; nil where it does not own the schema.
  var owner: String?
  var schemaOwner = ""
  /// The tables without a key.
  var keyless: [String] = []
  /// Rights that none of ours should have, a sentence each: of other roles to write here, and of ours besides these.
  var strangeRights: [String] = []

  /// The role that should own a function; nil where the roles were not made.
  func owner(of function: FoundFunction) -> String? {
    let deriver = RollupRole.deriver.rawValue
    return owner.map { function.isOfDeriver && roles.contains(deriver) ? deriver : $0 }
  }

  var tables: Set<String> { Set(owners.keys) }
  var hasService: Bool { roles.contains(RollupRole.server.rawValue) }

  /// Whether a guard is of a rollup that is declared no more and kept, because editions rest on it.
  func isOfUndeclaredRollup(_ function: FoundFunction) -> Bool {
    for prefix in ["rollup.guard_", "rollup.settle_", "rollup.was_there_"]
    where function.name.hasPrefix(prefix) {
      return owners["rollup." + function.name.dropFirst(prefix.count)] != nil
    }
    return false
  }

  /// Whether a right is on the rows, or the late rows, of a rollup that is declared no more.
  func isOfUndeclaredRollup(_ right: Right, _ catalog: Catalog) -> Bool {
    let name = right.table.hasSuffix("_late") ? String(right.table.dropLast(5)) : right.table
    let declared = catalog.periodTables.map(\.table.qualified)
    return owners[name + "_late"] != nil && !declared.contains(name)
  }

  static func read(_ tx: borrowing Transaction) async throws -> FoundObjects {
    var found = FoundObjects()
    // How the server prints names and expressions must not depend on the session.
    try await tx.execute("SET LOCAL quote_all_identifiers = off")
    found.placesTable = try await places(tx)
    let path = try await tx.query("SELECT current_setting('search_path')").only(String.self)
    try await tx.execute("SET LOCAL search_path = pg_catalog")
    try await found.readFunctions(tx)
    try await found.readTriggers(tx)
    try await found.readPolicies(tx)
    try await found.readRights(tx)
    try await found.readEditions(tx)
    try await tx.execute("SELECT set_config('search_path', \(path), true)")
    return found
  }

  /// The application's table of places, by which two functions were made; wherever the session looks for tables.
  private static func places(_ tx: borrowing Transaction) async throws -> String {
    try await tx.query(
      """
      SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relname = 'facilities' AND c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname <> 'rollup_reach'
      ORDER BY c.oid = to_regclass('facilities') DESC NULLS LAST, n.nspname <> 'public', n.nspname
      LIMIT 1
      """
    ).first?.decode(String.self) ?? "facilities"
  }

  private mutating func readFunctions(_ tx: borrowing Transaction) async throws {
    functions = try await tx.query(
      """
      SELECT n.nspname || '.' || p.proname, pg_get_function_identity_arguments(p.oid), p.prosrc, l.lanname::text, p.prosecdef,
        p.provolatile::text, coalesce(p.proconfig, '{}'), pg_get_userbyid(p.proowner)::text, EXISTS (
          SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0
        ), p.proname ~ \(RollupRole.functionsOfDeriver), ARRAY(
          SELECT r.rolname::text
          FROM aclexplode(p.proacl) AS a
          JOIN pg_roles AS r ON r.oid = a.grantee
          WHERE a.grantee <> p.proowner AND r.rolname = ANY (\(RollupRole.allCases.map(\.rawValue)))
        )
      FROM pg_proc AS p
      JOIN pg_namespace AS n ON n.oid = p.pronamespace
      JOIN pg_language AS l ON l.oid = p.prolang
      WHERE n.nspname = 'rollup'
      ORDER BY 1, 2
      """
    ).map { row in
      FoundFunction(
        name: try row.decode(0, as: String.self), arguments: try row.decode(1, as: String.self),
        body: try row.decode(2, as: String.self), language: try row.decode(3, as: String.self),
        isSecurityDefiner: try row.decode(4, as: Bool.self),
        volatility: try row.decode(5, as: String.self),
        settings: try row.decode(6, as: [String].self), owner: try row.decode(7, as: String.self),
        isPublic: try row.decode(8, as: Bool.self), isOfDeriver: try row.decode(9, as: Bool.self),
        callers: Set(try row.decode(10, as: [String].self)))
    }
  }

  private mutating func readTriggers(_ tx: borrowing Transaction) async throws {
    triggers = try await tx.query(
      """
      SELECT n.nspname || '.' || c.relname, t.tgname::text, t.tgtype::integer, f.nspname || '.' || p.proname, t.tgenabled = 'A',
        t.tgqual IS NOT NULL OR t.tgattr::text <> '' OR t.tgnargs > 0, t.tgdeferrable AND t.tginitdeferred
      FROM pg_trigger AS t
      JOIN pg_class AS c ON c.oid = t.tgrelid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_proc AS p ON p.oid = t.tgfoid
      JOIN pg_namespace AS f ON f.oid = p.pronamespace
      WHERE n.nspname = 'rollup' AND NOT t.tgisinternal AND t.tgparentid = 0
      ORDER BY 1, 2
      """
    ).map { row in
      TriggerFacts(
        table: try row.decode(0, as: String.self), name: try row.decode(1, as: String.self),
        type: try row.decode(2, as: Int.self), function: try row.decode(3, as: String.self),
        isAlways: try row.decode(4, as: Bool.self), isNarrowed: try row.decode(5, as: Bool.self),
        isDeferred: try row.decode(6, as: Bool.self))
    }
    rules = try await tx.query(
      """
      SELECT r.rulename || ' of ' || n.nspname || '.' || c.relname
      FROM pg_rewrite AS r
      JOIN pg_class AS c ON c.oid = r.ev_class
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = 'rollup' AND r.rulename <> '_RETURN'
      ORDER BY 1
      """
    ).map { try $0.decode(String.self) }
  }

  private mutating func readPolicies(_ tx: borrowing Transaction) async throws {
    let rows = try await tx.query(
      """
      SELECT p.polname || ' on ' || n.nspname || '.' || c.relname || ': '
        || CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END || ', ' || p.polcmd::text || ', {'
        || array_to_string(ARRAY(SELECT CASE r WHEN 0 THEN '-' ELSE pg_get_userbyid(r) END FROM unnest(p.polroles) AS r), ',')
        || '}, ' || coalesce(pg_get_expr(p.polqual, p.polrelid), '') || ', '
        || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
      FROM pg_policy AS p
      JOIN pg_class AS c ON c.oid = p.polrelid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = 'rollup'
      """
    ).map { try $0.decode(String.self) }
    policies = Set(rows)
  }

  private mutating func readRights(_ tx: borrowing Transaction) async throws {
    let tables = try await tx.query(
      """
      SELECT n.nspname || '.' || c.relname, pg_get_userbyid(c.relowner)::text, c.relrowsecurity
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = 'rollup' AND c.relkind IN ('r', 'p')
      """)
    for row in tables {
      let (table, owner, isNarrowed) = try row.decode((String, String, Bool).self)
      owners[table] = owner
      if isNarrowed { narrowed.insert(table) }
    }
    roles = Set(
      try await tx.query("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rollup\\_%'")
        .map { try $0.decode(String.self) })
    let rights = try await tx.query(
      """
      SELECT coalesce(r.rolname::text, 'PUBLIC'), a.privilege_type, a.relation, a.column_name
      FROM (
        SELECT x.grantee, x.privilege_type, n.nspname || '.' || c.relname AS relation, '' AS column_name
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(c.relacl) AS x
        WHERE n.nspname = 'rollup' AND c.relkind IN ('r', 'p')
        UNION ALL
        SELECT x.grantee, x.privilege_type, n.nspname || '.' || c.relname, t.attname::text
        FROM pg_attribute AS t
        JOIN pg_class AS c ON c.oid = t.attrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(t.attacl) AS x
        WHERE n.nspname = 'rollup' AND c.relkind IN ('r', 'p') AND NOT t.attisdropped
      ) AS a
      LEFT JOIN pg_roles AS r ON r.oid = a.grantee
      WHERE a.grantee = 0
        OR r.rolname IN ('rollup_writer', 'rollup_reporter', 'rollup_closer', 'rollup_server', 'rollup_deriver')
      """)
    for row in rights {
      let (role, right, table, column) = try row.decode((String, String, String, String).self)
      self.rights.insert(Right(role: role, right: right, table: table, column: column))
    }
    schemaOwner =
      try await tx.query(
        "SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'rollup'"
      ).first?.decode(String.self) ?? ""
    owner = schemaOwner == RollupRole.owner.rawValue ? schemaOwner : nil
    let owner = schemaOwner
    strangeRights = try await tx.query(
      """
      SELECT DISTINCT r.rolname || ' may ' || a.privilege_type || ' ' || n.nspname || '.' || c.relname
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL aclexplode(c.relacl) AS a
      JOIN pg_roles AS r ON r.oid = a.grantee
      WHERE n.nspname = 'rollup' AND a.privilege_type <> 'SELECT' AND a.grantee <> c.relowner AND NOT r.rolsuper
        -- An application's own roles may note changes and ask for jobs.
        AND c.relname NOT IN ('changes', 'changes_of_everything', 'jobs', 'emitted')
        AND r.rolname <> \(owner) AND NOT r.rolname = ANY (\(RollupRole.allCases.map(\.rawValue)))
      UNION
      SELECT coalesce(r.rolname, 'everybody') || ' may make objects in the schema rollup'
      FROM pg_namespace AS n
      CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
      LEFT JOIN pg_roles AS r ON r.oid = a.grantee
      WHERE n.nspname = 'rollup' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
        AND r.rolsuper IS NOT TRUE
      UNION
      SELECT 'the role ' || r.rolname || ' ' || CASE WHEN r.rolsuper THEN 'is a superuser'
        WHEN r.rolbypassrls THEN 'bypasses row-level security' ELSE 'can log in' END
      FROM pg_roles AS r
      WHERE r.rolname = ANY (\(RollupRole.allCases.map(\.rawValue))) AND (r.rolsuper OR r.rolbypassrls OR r.rolcanlogin)
      ORDER BY 1
      """
    ).map { try $0.decode(String.self) }
    keyless = try await tx.query(
      """
      SELECT n.nspname || '.' || c.relname
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = 'rollup' AND c.relkind IN ('r', 'p') AND NOT EXISTS (
        SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
      )
      ORDER BY 1
      """
    ).map { try $0.decode(String.self) }
  }

  /// What is closed, by what is on record.
  private mutating func readEditions(_ tx: borrowing Transaction) async throws {
    let rows = try await tx.query(
      """
      SELECT p.relation, p.period_type::text, p.period_start, p.edition, max(p.edition) OVER (
          PARTITION BY p.part, p.period_type, p.period_start
        )
      FROM rollup.edition_parts AS p
      JOIN pg_partitioned_table AS t ON t.partrelid = to_regclass(p.relation)
      ORDER BY 1, 3, 2, 4
      """)
    for row in rows {
      let (relation, type, start, edition, last) = try row.decode(
        (String, String, CalendarDay, Int, Int).self)
      guard let period = Period(type, start) else { continue }
      let table = TableName(qualified: relation)
      if edition == last {
        closedParts.append(
          (table.partition(of: period), "rollup.guard_" + table.table.name))
      } else {
        let kept = table.edition(edition, of: period)
        // Counts are changes, and kept of no edition but the last.
        if owners[kept.qualified] != nil { keptTables.append(kept) }
      }
    }
  }
}
