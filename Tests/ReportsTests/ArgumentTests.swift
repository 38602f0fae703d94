import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// What is given to a function that may do more than its caller is looked at before it does anything.
@Suite struct ArgumentTests {
  private static let mine = ExampleProgramme.id(1).uuidString.lowercased()
  private static let columns = (1...18).map { "c\($0) bigint" }.joined(separator: ", ")

  /// The statement's SQLSTATE; nil where it is executed.
  private func state(_ sql: String, _ secret: String, _ pool: Pool) async throws -> SQLState? {
    do {
      try await pool.transaction { tx in
        try await ServedDatabase.enter(secret, tx)
        _ = try await tx.query(Query(text: sql))
      }
      return nil
    } catch let error as PostgresError {
      return error.sqlState
    }
  }

  @Test func argumentsOfAnotherShapeAreRefused() async throws {
    try await ServedExample.database { served in
      let secret = try await served.token(.all)
      func announce(_ region: String, _ list: String = "'recall'", start: String = "'2024-06-01'")
        -> String
      {
        "SELECT rollup.announce_list(\(list), 'M', \(start), '2024-06-01', NULL, \(region))"
      }
      func figures(_ facilities: String, _ limits: String = "140, 90") -> String {
        """
        SELECT * FROM rollup.filed_figures('figures', 'M', '2024-06-01', '2024-06-01', \(facilities), \(limits))
          AS f (facility uuid, \(Self.columns))
        """
      }
      let names = "{Punjab,Bathinda,NULL,NULL}"
      for sql in [
        announce("'[0:3]=\(names)'"), announce("'[2:5]=\(names)'"),
        announce("'{\(names),\(names)}'"), announce("'{{Punjab},{Bathinda},{NULL},{NULL}}'"),
        announce("'{Punjab}'"), announce("'{}'"), announce("NULL"),
        announce("'{Punjab,Bathinda,NULL,NULL,NULL}'"), announce("'{\"\",Bathinda,NULL,NULL}'"),
        announce("ARRAY[repeat('x', 100000), NULL, NULL, NULL]"),
        announce("'\(names)'", "NULL"), announce("'\(names)'", "'figures'"),
        announce("'\(names)'", "'published patients'"), announce("'\(names)'", "repeat('x', 9999)"),
        announce("'\(names)'", start: "NULL"), announce("'\(names)'", start: "'infinity'"),
        figures("'[0:0]={\(Self.mine)}'"), figures("'{{\(Self.mine)}}'"), figures("'{NULL}'"),
        figures("'{\(Self.mine)}'", "NULL, 90"), figures("'{\(Self.mine)}'", "140, -1"),
        "SELECT rollup.log_in('\(secret)', NULL)", "SELECT rollup.log_in('\(secret)', '\\x00')",
      ] {
        #expect(try await state(sql, secret, served.pool) == .invalidParameterValue, "\(sql)")
      }
      for sql in [
        "SELECT rollup.enter(NULL)", "SELECT rollup.enter('')",
        "SELECT rollup.enter('\(secret) 1')", "SELECT rollup.enter(repeat('x', 1000000))",
        "SELECT rollup.log_in(NULL, sha256('x'))",
        "SELECT rollup.log_in(repeat('x', 1000000), sha256('x'))",
      ] {
        #expect(try await state(sql, secret, served.pool) == .invalidAuthorization, "\(sql)")
      }
      for sql in [announce("'\(names)'"), figures("'{\(Self.mine)}'"), figures("NULL")] {
        #expect(try await state(sql, secret, served.pool) == nil, "\(sql)")
      }
    }
  }

  /// One that stood in the record before is not read either.
  @Test func whatIsOnRecordIsWhatIsRead() async throws {
    try await ServedExample.database { served in
      let (secret, id) = try await served.tokenAndID(.all)
      let number = try await served.owner.pool.withConnection {
        try await $0.query(
          """
          INSERT INTO rollup.list_reads (token, list, period_type, period_start, evaluated, region)
          VALUES (\(id), 'recall', 'M', '2024-06-01', '2024-06-01', '[0:3]={Punjab,Bathinda,NULL,NULL}')
          RETURNING number
          """
        ).only(Int64.self)
      }
      let read = """
        SELECT * FROM rollup.read_list(\(number), '{\(ExampleProgramme.id(3))}', 140, 90)
          AS p (p uuid, f uuid, r date, v date, b date, s integer, d integer, m boolean)
        """
      #expect(try await state(read, secret, served.pool) == .invalidParameterValue)
    }
  }

  /// The server compiles no plan for asking what has changed.
  @Test func askingWhatHasChangedCompilesNothing() async throws {
    try await ServedExample.database { served in
      let compiling = try await served.owner.pool.withConnection {
        try await $0.query(
          """
          SELECT proname::text FROM pg_proc
          WHERE proname IN ('changes_since', 'filed_figures', 'read_list') AND pronamespace = 'rollup'::regnamespace
            AND array_to_string(proconfig, ' ') NOT LIKE '%jit=off%'
          """
        ).map { try $0.decode(String.self) }
      }
      #expect(compiling.isEmpty)
      // Every function that leaves the server no choice of plans.
      let others = try await served.owner.pool.withConnection {
        try await $0.query(
          """
          SELECT count(*) FROM pg_proc AS p
          WHERE p.pronamespace = 'rollup'::regnamespace AND array_to_string(p.proconfig, ' ') LIKE '%enable_%'
            AND array_to_string(p.proconfig, ' ') NOT LIKE '%jit=off%'
          """
        ).only(Int.self)
      }
      #expect(others == 0)
    }
  }
}
