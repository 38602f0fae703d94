import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import TestSupport
import Testing

/// The service's own check is taken out here: this is what the database refuses by itself.
@Suite struct AccessTests {
  /// A closed and an open quarter of two districts.
  private func example(_ body: (ServedDatabase, Programme) async throws -> Void) async throws {
    let programme = try ExampleProgramme.make()
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 4) { database, store in
      try await programme.record(in: store)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(Period(parsing: "2024Q1"))
      try await ServedDatabase.with(database) { try await body($0, programme) }
    }
  }

  private let bathinda = AccessToken.Scope.district(state: "Punjab", "Bathinda")
  private let mansa = AccessToken.Scope.district(state: "Punjab", "Mansa")
  private let inMansa = ExampleProgramme.id(3)

  /// All that a statement returns, as text; nil where it is refused.
  private func seen(_ sql: String, _ secret: String?, _ served: ServedDatabase) async throws
    -> [String]?
  {
    let connection = try await Connection.connect(
      ConnectionSettings(conninfo: ServedDatabase.address(of: served.owner)))
    let rows: [String]?
    do {
      rows = try await connection.transaction { tx in
        if let secret { _ = try? await ServedDatabase.enter(secret, tx) }
        return try await tx.query(Query(text: sql)).map { try $0.decode(String.self) }
      }
    } catch is PostgresError {
      rows = nil
    }
    await connection.close()
    return rows
  }

  /// Every table, partition and view there is.
  private func relations(_ served: ServedDatabase) async throws -> [String] {
    try await served.owner.pool.withConnection { connection in
      try await connection.query(
        """
        SELECT format('%I.%I', n.nspname, c.relname)
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
        """
      ).map { try $0.decode(String.self) }
    }
  }

  @Test func withoutATokenThatHoldsNothingIsSeen() async throws {
    try await example { served, _ in
      let expired = try await served.tokenAndID(.all)
      let revoked = try await served.tokenAndID(.all)
      try await served.owner.pool.withConnection {
        try await $0.execute(
          "UPDATE rollup.tokens SET expires_at = now() - interval '1 second' WHERE id = \(expired.id)"
        )
      }
      #expect(try await AccessTokens(served.owner.pool).revoke(revoked.id))
      let relations = try await relations(served)
      #expect(relations.count > 60)
      for secret in [nil, "", "nonsense", expired.secret, revoked.secret] {
        if let secret { #expect(try await Admission.admit(secret, served.pool) == nil) }
        for relation in relations {
          let rows = try await seen("SELECT t::text FROM \(relation) AS t", secret, served)
          #expect(rows?.isEmpty ?? true, "\(relation)")
        }
        for call in Self.calls {
          #expect(try await seen(call, secret, served) == nil, "\(call)")
        }
      }
    }
  }

  private static let calls = [
    """
    SELECT f::text FROM rollup.filed_figures('figures', 'M', '2024-06-01', '2024-06-01', NULL, 140, 90)
      AS f (facility uuid, \((1...18).map { "c\($0) bigint" }.joined(separator: ", ")))
    """,
    "SELECT rollup.announce_list('recall', 'M', '2024-06-01', '2024-06-01', NULL, '{Punjab,Mansa,NULL,NULL}')::text",
    "SELECT t::text FROM rollup.read_list(1, '{}', 140, 90) AS t (id uuid)",
  ]

  /// A token opens its district: of every relation no row names another one's facility or a patient.
  @Test func ofEveryRelationOnlyTheRegionIsSeen() async throws {
    try await example { served, programme in
      let secret = try await served.token(bathinda)
      let foreign =
        programme.patients.map(\.id.uuidString) + programme.readings.map(\.id.uuidString)
        + [inMansa.uuidString, "Mansa", "SDH"]
      var found = 0
      for relation in try await relations(served) {
        let rows = try await seen("SELECT t::text FROM \(relation) AS t", secret, served) ?? []
        found += rows.count
        for row in rows {
          #expect(
            !foreign.contains { row.lowercased().contains($0.lowercased()) }, "\(relation): \(row)")
        }
      }
      // Editions, the deployment, two facilities and their published figures.
      #expect(found >= 6)
    }
  }

  /// Ways to see what is another district's, or who the patients are.
  @Test func nothingThatTheRoleCanWriteGetsOut() async throws {
    try await example { served, programme in
      let secret = try await served.token(bathinda)
      let other = try await served.token(mansa)
      let hash = try await served.owner.pool.withConnection {
        try await $0.query(
          "SELECT encode(secret_hash, 'hex') FROM rollup.tokens WHERE district = 'Mansa'"
        ).only(String.self)
      }
      try await served.owner.pool.withConnection { try await $0.script("ANALYZE") }
      let foreign =
        programme.patients.map(\.id.uuidString) + [inMansa.uuidString, "Mansa", "SDH", other, hash]
      for attempt in Self.attempts(hash: hash, facility: inMansa) {
        let outcome = try await output(of: attempt, secret, served)
        #expect(
          !foreign.contains { outcome.lowercased().contains($0.lowercased()) },
          "\(attempt)\n\(outcome)")
      }
      // And nothing was changed.
      let tokens = try await AccessTokens(served.owner.pool).list()
      #expect(tokens.count == 2 && tokens.allSatisfy { $0.scope == bathinda || $0.scope == mansa })
      #expect(try await Admission.admit(other, served.pool)?.scope == mansa)
    }
  }

  /// What psql prints, errors and notices too.
  private func output(of sql: String, _ secret: String, _ served: ServedDatabase) async throws
    -> String
  {
    let script = """
      BEGIN; SELECT id FROM rollup.enter('\(secret)');
      \(sql)
      """
    let outcome = await run(
      [
        "/usr/bin/env", "psql", "-X", "-A", "-t", ServedDatabase.address(of: served.owner), "-c",
        script,
      ],
      environment: [:])
    let statements = await run(
      ["/usr/bin/env", "psql", "-X", "-A", "-t", ServedDatabase.address(of: served.owner)]
        + ["-c", "BEGIN", "-c", "SELECT id FROM rollup.enter('\(secret)')"]
        + sql.split(separator: ";\n").flatMap { ["-c", String($0)] })
    // The server's message quotes the statement; what it quotes is no secret.
    return [outcome.output, outcome.error, statements.output, statements.error].joined()
      .replacing(sql, with: "").replacing(secret, with: "")
  }

  private static func attempts(hash: String, facility: UUID) -> [String] {
    let id = facility.uuidString.lowercased()
    let columns = (1...18).map { "c\($0) bigint" }.joined(separator: ", ")
    let figures = "rollup.filed_figures('figures', 'M', '2024-06-01', '2024-06-01'"
    return [
      // Another role.
      "SET ROLE rollup_owner;\nSELECT t::text FROM rollup.patient_register AS t",
      "SET ROLE rollup_reporter;\nSELECT t::text FROM rollup.patient_register AS t",
      "SET SESSION AUTHORIZATION postgres;\nSELECT t::text FROM patients AS t",
      "RESET ROLE;\nSELECT t::text FROM patients AS t",
      // Policies.
      "SET row_security = off;\nSELECT facility FROM rollup.published_figures",
      "ALTER TABLE rollup.published_figures DISABLE ROW LEVEL SECURITY;\nSELECT facility FROM rollup.published_figures",
      "DROP POLICY served ON rollup.published_figures;\nSELECT facility FROM rollup.published_figures",
      """
      CREATE FUNCTION pg_temp.leak(text) RETURNS boolean COST 0.000001 LANGUAGE plpgsql AS
        'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END';
      SELECT count(*) FROM rollup.published_figures WHERE pg_temp.leak(facility)
      """,
      """
      CREATE FUNCTION pg_temp.leak(text) RETURNS boolean COST 0.000001 LANGUAGE plpgsql AS
        'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END';
      SELECT count(*) FROM facilities WHERE pg_temp.leak(name)
      """,
      "SELECT most_common_vals::text || histogram_bounds::text FROM pg_stats WHERE tablename IN ('published_figures', 'facilities')",
      "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM rollup.published_figures",
      "COPY rollup.published_figures TO STDOUT",
      "COPY rollup.patient_register TO STDOUT",
      "SELECT query_to_xml('SELECT * FROM rollup.patient_register', true, false, '')::text",
      // Partitions, kept editions, the arrays of patients.
      "SELECT t::text FROM rollup.blood_pressure_rollups_months_2024_05 AS t",
      "SELECT t::text FROM rollup.visit_rollups AS t",
      "SELECT t::text FROM ONLY rollup.published_patients AS t",
      // The token.
      "SELECT t::text FROM rollup.tokens AS t",
      "SELECT t::text FROM rollup.sessions AS t",
      "INSERT INTO rollup.sessions (secret_hash, token, expires_at) SELECT '\\x\(hash)', id, 'infinity' FROM rollup.tokens",
      "SELECT rollup.log_in('\(hash)', sha256('x'))::text",
      "UPDATE rollup.tokens SET district = NULL;\nSELECT facility FROM rollup.published_figures",
      "INSERT INTO rollup.tokens (id, name, secret_hash, reads_lists, expires_at) VALUES ('x', 'x', '', true, 'infinity')",
      "SET LOCAL rollup.token = '\(hash)';\nSELECT facility FROM rollup.published_figures",
      "SELECT length(set_config('rollup.token', '\(hash) ' || extract(epoch FROM now()), true));\nSELECT facility FROM rollup.published_figures",
      "SELECT length(set_config('rollup.token', '\\x\(hash) ' || extract(epoch FROM now()), true));\nSELECT facility FROM rollup.published_figures",
      "SELECT t::text FROM rollup.in_force() AS t",
      // Other names first on the path.
      "SET search_path = public, rollup;\nSELECT t::text FROM facilities AS t",
      """
      CREATE TEMP TABLE facilities (id uuid, name text, state text, district text, block text, size text, deleted_at timestamptz);
      INSERT INTO facilities VALUES ('\(id)', 'mine', 'Punjab', 'Bathinda', NULL, NULL, NULL);
      SET search_path = pg_temp, public;
      SELECT f::text FROM \(figures), '{\(id)}', 140, 90) AS f (facility uuid, \(columns))
      """,
      """
      CREATE TEMP TABLE tokens AS SELECT 'x'::text AS id, NULL::text AS state;
      SET search_path = pg_temp;
      SELECT facility FROM rollup.published_figures
      """,
      """
      CREATE FUNCTION pg_temp.reach() RETURNS text[] LANGUAGE sql AS 'SELECT ARRAY[NULL, NULL, NULL, NULL]::text[]';
      SET search_path = pg_temp, rollup;
      SELECT facility FROM rollup.published_figures
      """,
      "CREATE FUNCTION rollup.reach() RETURNS text[] LANGUAGE sql AS 'SELECT ARRAY[NULL, NULL, NULL, NULL]::text[]'",
      "CREATE OR REPLACE VIEW rollup_reach.facilities AS SELECT * FROM public.facilities",
      // Figures of others, and of everybody.
      "SELECT f::text FROM \(figures), '{\(id)}', 140, 90) AS f (facility uuid, \(columns))",
      "SELECT f::text FROM \(figures), NULL, 140, 90) AS f (facility uuid, \(columns))",
      "SELECT f::text FROM \(figures), '{NULL}', 140, 90) AS f (facility uuid, \(columns))",
      "SELECT f::text FROM rollup.filed_figures('patients', 'M', '2024-06-01', '2024-06-01', '{\(ExampleProgramme.id(1))}', 140, 90) AS f (facility uuid)",
      "SELECT f::text FROM rollup.filed_figures('figures'' OR true --', 'M', '2024-06-01', '2024-06-01', '{}', 140, 90) AS f (facility uuid)",
      "SELECT t::text FROM rollup.filed_statements AS t",
      "UPDATE rollup.filed_statements SET text = 'SELECT id FROM patients'",
      // Lists without the record of them.
      "SELECT t::text FROM rollup.read_list(1, '{\(ExampleProgramme.id(1))}', 140, 90) AS t (id uuid)",
      """
      SELECT rollup.announce_list('recall', 'M', '2024-06-01', '2024-06-01', NULL, '{Punjab,Bathinda,NULL,NULL}');
      SELECT t::text FROM rollup.read_list(currval('rollup.list_reads_number_seq'), '{\(ExampleProgramme.id(1)),\(ExampleProgramme.id(2))}', 140, 90)
        AS t (p uuid, f uuid, r date, v date, b date, s integer, d integer, m boolean)
      """,
      "SELECT rollup.refuse_beyond_reach('{}', 'M', '2024-06-01')",
      "INSERT INTO rollup.list_reads (token, list, period_type, period_start, evaluated, region) VALUES ('x', 'recall', 'M', '2024-06-01', '2024-06-01', '{}')",
      "DELETE FROM rollup.list_reads",
      "SELECT lo_import('/etc/passwd')::text",
      "SELECT pg_read_file('/etc/passwd')",
    ]
  }

  /// A setting that was left behind on a pooled connection opens nothing to the next.
  @Test func aTokenEndsWithItsTransaction() async throws {
    try await example { served, _ in
      let secret = try await served.token(bathinda)
      let connection = try await Connection.connect(
        ConnectionSettings(conninfo: ServedDatabase.address(of: served.owner)))
      let figures: Query = "SELECT count(*) FROM rollup.published_figures"
      let own = try await connection.transaction { tx in
        try await ServedDatabase.enter(secret, tx)
        _ = try await tx.query(
          "SELECT set_config('rollup.token', current_setting('rollup.token'), false)")
        return try await tx.query(figures).only(Int.self)
      }
      #expect(own == 2)
      #expect(
        try await connection.query("SELECT current_setting('rollup.token')").only(String.self)
          .hasPrefix(secret))
      #expect(try await connection.query(figures).only(Int.self) == 0)
      await connection.close()
    }
  }

  @Test func aTokenThatIsRevokedMidwayOpensNothingFurther() async throws {
    try await example { served, _ in
      let (secret, id) = try await served.tokenAndID(bathinda)
      let counts = try await served.pool.transaction { tx in
        try await ServedDatabase.enter(secret, tx)
        let before = try await tx.query("SELECT count(*) FROM facilities").only(Int.self)
        _ = try await AccessTokens(served.owner.pool).revoke(id)
        return (before, try await tx.query("SELECT count(*) FROM facilities").only(Int.self))
      }
      #expect(counts.0 == 2 && counts.1 == 0)
    }
  }

  // MARK: Logins

  /// A login opens what its token opens, for twelve hours at most and no longer than the token, and begins no other.
  @Test func aLoginEndsWithItsTokenWithItsHoursOrWhenItsHolderSaysSo() async throws {
    try await example { served, _ in
      func logIn(_ secret: String) async throws -> (secret: String, hours: Double)? {
        let login = AccessTokens.Secret().text
        let digest = try await served.owner.pool.withConnection {
          try await $0.query("SELECT sha256(convert_to(\(login), 'UTF8'))").only([UInt8].self)
        }
        return try await Login.begin(with: secret, digest: digest, served.pool).map {
          (login, $0.date.timeIntervalSinceNow / 3600)
        }
      }
      func change(_ statement: Query) async throws {
        try await served.owner.pool.withConnection { try await $0.execute(statement) }
      }
      func opens(_ secret: String) async throws -> Bool {
        let admission = try await Admission.admit(secret, served.pool)
        #expect(admission == nil || admission?.scope == bathinda)
        return admission != nil
      }

      let (secret, id) = try await served.tokenAndID(bathinda)
      let login = try #require(try await logIn(secret))
      #expect(login.hours > 11.9 && login.hours <= 12)
      #expect(try await opens(login.secret))
      for other in [login.secret, "nonsense"] { #expect(try await logIn(other) == nil) }
      let names = try await seen(
        "SELECT name FROM rollup_reach.facilities", login.secret, served)
      #expect(names?.count == 2)

      let second = try #require(try await logIn(secret))
      try await Login.end(login.secret, served.pool)
      try await Login.end(secret, served.pool)
      #expect(try await !opens(login.secret))
      for other in [second.secret, secret] { #expect(try await opens(other)) }

      try await change("UPDATE rollup.sessions SET expires_at = now() - interval '1 second'")
      #expect(try await !opens(second.secret))
      try await change(
        "UPDATE rollup.tokens SET expires_at = now() + interval '1 hour' WHERE id = \(id)")
      let third = try #require(try await logIn(secret))
      #expect(third.hours <= 1)
      let kept = try await served.owner.pool.withConnection {
        try await $0.query("SELECT count(*) FROM rollup.sessions").only(Int.self)
      }
      #expect(kept == 1, "those that have ended are cleared up")
      #expect(try await AccessTokens(served.owner.pool).revoke(id))
      #expect(try await !opens(third.secret))
      #expect(try await logIn(secret) == nil)
    }
  }

  // MARK: Lists

  private func recall(_ district: String) throws -> ReportQuestion {
    var question = ReportQuestion(try Period(parsing: "2024-06"))
    question.region = RegionChoice(state: "Punjab", district: district)
    question.today = CalendarDate(year: 2024, month: 6, day: 30)
    return question
  }

  @Test func aTokenForFiguresListsNobody() async throws {
    try await example { served, _ in
      let secret = try await served.token(bathinda, lists: false)
      await #expect(throws: PostgresError.self) {
        _ = try await served.list(RecallReport.report, recall("Bathinda"), secret)
      }
      await #expect(throws: PostgresError.self) {
        _ = try await served.make(RecallReport.report, recall("Bathinda"), secret, list: 1)
      }
      await #expect(throws: ServedReading.Refusal.self) {
        _ = try await served.make(RecallReport.report, recall("Bathinda"), secret)
      }
      #expect(try await AccessTokens(served.owner.pool).reads(limit: 10).isEmpty)
    }
  }

  /// Whatever becomes of the reading, that it was asked for is on record.
  @Test func noRollbackTakesTheRecordAway() async throws {
    try await example { served, _ in
      let secret = try await served.token(bathinda)
      let number = try await served.announce(RecallReport.report, recall("Bathinda"), secret)
      struct Undone: Error {}
      await #expect(throws: Undone.self) {
        try await ServedReading.$current.withValue(ServedReading(list: number)) {
          try await served.pool.transaction { tx in
            try await ServedDatabase.enter(secret, tx)
            let list = try await RecallReport.report.make(recall("Bathinda"), in: tx)
            #expect(!list.rows.isEmpty)
            throw Undone()
          }
        }
      }
      let reads = try await AccessTokens(served.owner.pool).reads(limit: 10)
      #expect(reads.map(\.number) == [number])
      #expect(reads.first?.readAt == nil)
    }
  }

  @Test func aListIsReadOnceByItsTokenInItsRegion() async throws {
    try await example { served, _ in
      let secret = try await served.token(.state("Punjab"))
      let other = try await served.token(bathinda)
      let number = try await served.announce(RecallReport.report, recall("Mansa"), secret)
      // Another region than was announced, another token, a transaction that writes nothing.
      await #expect(throws: PostgresError.self) {
        _ = try await served.make(
          RecallReport.report, recall("Bathinda"), secret, list: number)
      }
      await #expect(throws: PostgresError.self) {
        _ = try await served.make(RecallReport.report, recall("Bathinda"), other, list: number)
      }
      await #expect(throws: PostgresError.self) {
        try await ServedReading.$current.withValue(ServedReading(list: number)) {
          try await served.pool.transaction(readOnly: true) { tx in
            try await ServedDatabase.enter(secret, tx)
            _ = try await RecallReport.report.make(recall("Mansa"), in: tx)
          }
        }
      }
      _ = try await served.make(RecallReport.report, recall("Mansa"), secret, list: number)
      await #expect(throws: PostgresError.self) {
        _ = try await served.make(RecallReport.report, recall("Mansa"), secret, list: number)
      }
      #expect(try await AccessTokens(served.owner.pool).reads(limit: 10).first?.readAt != nil)
    }
  }

  /// Not even by those who own it.
  @Test func theRecordIsNotChanged() async throws {
    try await example { served, _ in
      let secret = try await served.token(bathinda)
      _ = try await served.list(RecallReport.report, recall("Bathinda"), secret)
      for sql in [
        "DELETE FROM rollup.list_reads", "TRUNCATE rollup.list_reads",
        "UPDATE rollup.list_reads SET token = token", "UPDATE rollup.list_reads SET rows = 0",
        "SET session_replication_role = replica; DELETE FROM rollup.list_reads",
      ] {
        await #expect(throws: PostgresError.self, "\(sql)") {
          try await served.owner.pool.withConnection { try await $0.script(sql) }
        }
      }
      #expect(try await AccessTokens(served.owner.pool).reads(limit: 10).count == 1)
    }
  }

  /// The other roles see what they saw before there were policies.
  @Test func whoIsNoServiceSeesEverything() async throws {
    try await example { served, _ in
      for role in [RollupRole.reporter, .writer, .closer, .owner] {
        let pool = Pool(
          ConnectionSettings(conninfo: served.owner.url, options: ["role": role.rawValue]), size: 1)
        let editions: Query = "SELECT count(*) FROM rollup.editions"
        let count = try await pool.withConnection { try await $0.query(editions).only(Int.self) }
        #expect(count == 1)
        await pool.close()
      }
    }
  }
}
