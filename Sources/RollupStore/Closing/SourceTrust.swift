import PeriodRollups
import Postgres

/// Whether reading the sources runs code that the reader has no reason to trust.
///
/// Who closes has the rights of `rollup_owner`. A SELECT runs the functions of a view, of a row-level policy, of a column
/// that is generated when it is read; and already to plan it PostgreSQL may compute what an index, a constraint or
/// extended statistics say of constants. Whoever owns one of these decides what runs. A plain table runs nothing, whoever
/// owns it.
public struct SourceTrust: Sendable {
  let relations: [TableName]

  /// - Parameter besides: what else is read.
  public init(_ catalog: Catalog, besides others: [TableName] = []) {
    relations = [catalog.subject.table] + catalog.sources.map(\.table) + others
  }

  /// In a transaction.
  /// - Parameter held: what is read in the transaction whatever else is, and stays as it is until the transaction ends. Of other
  ///   tables no lock is taken: an ALTER TABLE would wait for it, and every writer for that.
  /// - Throws: ``Closing/Refusal/untrustedSources(_:)``.
  func check(in tx: borrowing Transaction, holding held: [TableName] = []) async throws {
    guard try await tx.query(Self.hasRights).only(Bool.self) else { return }
    let lockable = try await tx.query(
      """
      SELECT c.oid::regclass::text
      FROM unnest(\(held.map(\.description))) AS name
      JOIN pg_class AS c ON c.oid = to_regclass(name)
      WHERE c.relkind IN ('r', 'p', 'v')
      """
    ).map { try $0.decode(String.self) }
    if !lockable.isEmpty {
      // The server's own spelling of names.
      try await tx.script("LOCK TABLE \(lockable.joined(separator: ", ")) IN ACCESS SHARE MODE")
    }
    let names = relations.map(\.description)
    try Self.refuse(try await tx.query(Self.findings(names)))
  }

  /// As it is now, before something that takes many transactions.
  /// - Throws: ``Closing/Refusal/untrustedSources(_:)``.
  public func check(_ pool: Pool) async throws {
    try await pool.transaction(.readCommitted, retrying: .standard) { try await check(in: $0) }
  }

  private static func refuse(_ findings: Rows) throws {
    let sentences = try findings.map { row in
      let (object, relation, owner) = try row.decode((String, String, String).self)
      return object == relation
        ? "the view \(relation) belongs to \(owner)"
        : "\(object), which reading \(relation) may run, belongs to \(owner)"
    }
    if !sentences.isEmpty { throw Closing.Refusal.untrustedSources(sentences) }
  }

  /// Whether there is anything to gain: who has no more rights than an application runs nothing for others.
  private static let hasRights: Query = """
    SELECT r.rolsuper OR coalesce(pg_has_role(r.oid, to_regrole('rollup_owner'), 'MEMBER'), false)
    FROM pg_roles AS r
    WHERE r.rolname = current_user
    """

  /// An object, the relation that it is of, and its owner, of each that is not trusted.
  private static func findings(_ names: [String]) -> Query {
    """
    WITH RECURSIVE trusted AS (
      SELECT r.oid
      FROM pg_roles AS r
      WHERE r.rolsuper OR r.rolname IN (current_user, session_user)
        OR coalesce(pg_has_role(r.oid, to_regrole('rollup_owner'), 'MEMBER'), false)
        OR r.oid = (SELECT datdba FROM pg_database WHERE datname = current_database())
    ), relations AS (
      SELECT to_regclass(name)::oid AS oid FROM unnest(\(names)) AS name WHERE to_regclass(name) IS NOT NULL
      UNION
      -- What a view or a policy reads, and the parts of a table.
      SELECT next.oid
      FROM relations AS r
      CROSS JOIN LATERAL (
        SELECT d.refobjid AS oid
        FROM (
          SELECT 'pg_rewrite'::regclass AS class, w.oid FROM pg_rewrite AS w WHERE w.ev_class = r.oid
          UNION ALL
          SELECT 'pg_policy'::regclass, p.oid FROM pg_policy AS p WHERE p.polrelid = r.oid
        ) AS e
        JOIN pg_depend AS d ON d.classid = e.class AND d.objid = e.oid AND d.refclassid = 'pg_class'::regclass
        UNION ALL
        SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = r.oid
      ) AS next
    ), everywhere AS (
      SELECT w.ev_class AS relation, 'pg_rewrite'::regclass AS class, w.oid FROM pg_rewrite AS w
      UNION ALL
      SELECT p.polrelid, 'pg_policy'::regclass, p.oid FROM pg_policy AS p
      UNION ALL
      SELECT i.indrelid, 'pg_class'::regclass, i.indexrelid FROM pg_index AS i
      UNION ALL
      SELECT c.conrelid, 'pg_constraint'::regclass, c.oid FROM pg_constraint AS c
      UNION ALL
      SELECT s.stxrelid, 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext AS s
      UNION ALL
      -- Generated when it is read (PostgreSQL 18); other defaults are computed by writers.
      SELECT f.adrelid, 'pg_attrdef'::regclass, f.oid
      FROM pg_attrdef AS f
      JOIN pg_attribute AS a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated = 'v'
    ), expressions AS (
      SELECT e.* FROM everywhere AS e WHERE e.relation IN (SELECT oid FROM relations)
    ), functions AS (
      SELECT e.relation, d.refobjid AS oid
      FROM expressions AS e
      JOIN pg_depend AS d ON d.classid = e.class AND d.objid = e.oid AND d.refclassid = 'pg_proc'::regclass
      UNION
      SELECT e.relation, o.oprcode::oid
      FROM expressions AS e
      JOIN pg_depend AS d ON d.classid = e.class AND d.objid = e.oid AND d.refclassid = 'pg_operator'::regclass
      JOIN pg_operator AS o ON o.oid = d.refobjid
      UNION
      -- A column's own type can have a cast or an operator of its own, which a plain comparison then runs.
      SELECT a.attrelid, f.oid
      FROM pg_attribute AS a
      CROSS JOIN LATERAL (
        SELECT c.castfunc::oid AS oid FROM pg_cast AS c WHERE c.castsource = a.atttypid
        UNION ALL
        SELECT o.oprcode::oid FROM pg_operator AS o WHERE a.atttypid IN (o.oprleft, o.oprright)
      ) AS f
      WHERE a.attrelid IN (SELECT oid FROM relations) AND a.attnum > 0 AND NOT a.attisdropped
        AND a.atttypid >= 16384
    )
    SELECT c.oid::regclass::text, c.oid::regclass::text, c.relowner::regrole::text
    FROM relations
    JOIN pg_class AS c USING (oid)
    WHERE c.relkind = 'v' AND c.relowner NOT IN (SELECT oid FROM trusted)
    UNION
    SELECT 'the function ' || p.oid::regprocedure::text, f.relation::regclass::text, p.proowner::regrole::text
    FROM functions AS f
    JOIN pg_proc AS p ON p.oid = f.oid
    WHERE p.proowner NOT IN (SELECT oid FROM trusted)
    ORDER BY 1, 2
    """
  }
}
