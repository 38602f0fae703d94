import PeriodRollups
import Postgres

/// Makes the roles of a deployment and gives them their rights. Roles belong to the whole server: another database's
/// migration may be making them too.
struct Roles: Sendable {
  let catalog: Catalog
  let places: TableName?
  let published: [TableName]

  /// What ``ensure(on:)`` would run.
  func plan(on connection: Connection) async throws -> [MigrationStep] {
    let known = try await connection.query("SELECT rolname::text FROM pg_roles").map {
      try $0.decode(String.self)
    }
    let missing = RollupRole.allCases.filter { !known.contains($0.rawValue) }
    let made = missing.map { role in
      MigrationStep(
        "make the role \(role.rawValue)",
        [.init("nobody logs in as it", Query(text: Self.create(role)))], in: .alone,
        isDoneWhenThere: true)
    }
    let rights = catalog.grants(places: places, published: published)
    return made + [
      MigrationStep(
        "give the roles their rights, as every time",
        [.init("what is in the schema belongs to the owner", Query(text: Self.owning))]
          + rights.map(MigrationStep.Piece.init)
          + ServiceRights.statements.map { .init($0.name, Query(text: $0.text)) })
    ]
  }

  private static func create(_ role: RollupRole) -> String {
    "CREATE ROLE \(role.rawValue) NOLOGIN"
  }

  /// Where only the service's role cannot be made, all others have their rights; nothing is served then. Where the one that
  /// derives late rows cannot, the owner does it.
  /// - Returns: what a superuser has to run, when this role may not; empty when all is done.
  func ensure(on connection: Connection) async throws -> [String] {
    var missing: [RollupRole] = []
    for role in RollupRole.allCases {
      let known = try await connection.query(
        "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = \(role.rawValue))"
      ).only(Bool.self)
      if known { continue }
      do {
        try await connection.script(Self.create(role))
      } catch let error as PostgresError
        where error.saysThatItIsThere || error.isClashOfNames
      {
        // Another migration made it just now.
      } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
        missing.append(role)
      }
    }
    let wanted = missing.map { Self.create($0) + ";" }
    guard missing.allSatisfy({ [.server, .deriver].contains($0) }) else { return wanted }
    do {
      try await connection.transaction(.readCommitted, retrying: .roles) { tx in
        try await tx.script(SchemaStep.opening.text)
        try await tx.script(Self.owning)
        for statement in catalog.grants(
          places: places, published: published, without: missing)
        {
          try await tx.script(statement.text)
        }
        if !missing.contains(.server) {
          for statement in ServiceRights.statements { try await tx.script(statement.text) }
        }
      }
      return wanted
    } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
      return [
        "GRANT rollup_owner, rollup_deriver TO <the role that migrates> WITH ADMIN OPTION;"
      ]
    }
  }

  /// ``owning``, where the roles are there and this one may: guards act as the owner, and must see what a step has made as
  /// soon as it is.
  static let ownMade = Query(
    text: """
      DO $own$
      BEGIN
        IF to_regrole('rollup_owner') IS NULL OR NOT pg_has_role(current_user, 'rollup_owner', 'USAGE') THEN
          RETURN;
        END IF;
        \(transferSchema.replacing("\n", with: "\n  "))
        \(transfer.replacing("\n", with: "\n  "))
      END
      $own$
      """)

  /// What is in the schema belongs to the owner; only what does not yet is touched.
  private static let owning = """
    DO $owning$
    BEGIN
      IF NOT pg_has_role(current_user, 'rollup_owner', 'USAGE') THEN
        EXECUTE format('GRANT rollup_owner TO %I', current_user);
      END IF;
      IF NOT coalesce(pg_has_role(current_user, to_regrole('rollup_deriver'), 'USAGE'), true) THEN
        EXECUTE format('GRANT rollup_deriver TO %I', current_user);
      END IF;
      EXECUTE format('GRANT CREATE ON DATABASE %I TO rollup_owner', current_database());
      \(transferSchema.replacing("\n", with: "\n  "))
      \(transfer.replacing("\n", with: "\n  "))
    END
    $owning$
    """

  /// Before what is in it: whoever is given a table must be allowed to make one there.
  private static let transferSchema = """
    IF (SELECT nspowner <> 'rollup_owner'::regrole FROM pg_namespace WHERE nspname = 'rollup') THEN
      EXECUTE format('GRANT CREATE ON DATABASE %I TO rollup_owner', current_database());
      ALTER SCHEMA rollup OWNER TO rollup_owner;
    END IF;
    """

  /// What reads the sources in anybody's write is not the owner's, but of a role that may do nothing else.
  private static let transfer = """
    DECLARE
      it record;
      derivers bool := coalesce(pg_has_role(current_user, to_regrole('rollup_deriver'), 'USAGE'), false);
    BEGIN
      FOR it IN
        SELECT c.oid::regclass::text AS name
        FROM pg_class AS c
        WHERE c.relnamespace = 'rollup'::regnamespace AND c.relkind IN ('r', 'p') AND c.relowner <> 'rollup_owner'::regrole
      LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO rollup_owner', it.name);
      END LOOP;
      FOR it IN
        SELECT f.name, f.wanted
        FROM (
          SELECT p.oid::regprocedure::text AS name, p.proowner,
            CASE WHEN derivers AND p.proname ~ '\(RollupRole.functionsOfDeriver)' THEN 'rollup_deriver' ELSE 'rollup_owner' END AS wanted
          FROM pg_proc AS p
          WHERE p.pronamespace = 'rollup'::regnamespace
        ) AS f
        WHERE f.proowner <> f.wanted::regrole
      LOOP
        -- Whoever is given a function must be one who may make one there; for the moment.
        IF it.wanted = 'rollup_deriver' THEN
          GRANT CREATE ON SCHEMA rollup TO rollup_deriver;
        END IF;
        EXECUTE format('ALTER FUNCTION %s OWNER TO %I', it.name, it.wanted);
        IF it.wanted = 'rollup_deriver' THEN
          REVOKE CREATE ON SCHEMA rollup FROM rollup_deriver;
        END IF;
      END LOOP;
    END;
    """

  /// Gives a new partition to the owner, where there is one and this role may; ``ensure(on:)`` gives it the rest.
  static func own(_ table: TableName) -> Query {
    Query(
      text: """
        DO $own$
        BEGIN
          IF to_regrole('rollup_owner') IS NOT NULL AND pg_has_role(current_user, 'rollup_owner', 'USAGE') THEN
            ALTER TABLE \(table) OWNER TO rollup_owner;
          END IF;
        END
        $own$
        """)
  }
}

extension RetryPolicy {
  /// Two migrations in one cluster also meet in the catalogue: "tuple concurrently updated" (XX000).
  fileprivate static let roles = RetryPolicy(
    attempts: 20,
    sqlStates: [
      .lockNotAvailable, .deadlockDetected, .serializationFailure, .uniqueViolation,
      SQLState(rawValue: "XX000"),
    ])
}
