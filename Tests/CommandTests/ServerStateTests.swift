import Foundation
import Postgres
import TestSupport
import Testing

@testable import Commands

/// Whatever state a server is in, a user is told what to do, with exit code 69 (it is the server) or 77 (it is the rights).
@Suite struct ServerStateTests {
  @Test(arguments: [
    ("25006", 69, "--database-url"), ("42P01", 69, "search_path"), ("3F000", 69, "search_path"),
    ("42703", 69, "rollup migrate"), ("42883", 69, "rollup migrate"),
    ("42501", 77, "rollup_writer"),
    ("57014", 69, "statement_timeout"), ("55P03", 69, "lock_timeout"), ("25P03", 69, "ALTER ROLE"),
    ("25P04", 69, "transaction_timeout"), ("57P05", 69, "ALTER ROLE"), ("53100", 69, "disk"),
    ("53200", 69, "max_locks_per_transaction"), ("53300", 69, "max_connections"),
    ("53400", 69, "again"),
    ("57P01", 69, "again"), ("57P03", 69, "again"), ("58030", 69, "log"), ("XX001", 69, "backup"),
    ("28000", 77, "log in"), ("40001", 69, "again"), ("08006", 69, "again"), ("55000", 69, "again"),
    ("RC077", 77, ""), ("XX000", 70, "report it"), ("42601", 70, "report it"),
  ])
  func aStateOfAStatementHasItsNextStep(state: String, code: Int32, step: String) {
    let error = PostgresError(
      .server, "the server's own words", sqlState: SQLState(rawValue: state))
    let failure = Failure(error, database: "host=db dbname=programme")
    #expect(failure.code == code)
    #expect(failure.message.contains(step) || step.isEmpty, "\(failure.message)")
    // The server's words come behind ours, never alone.
    if code != 77 { #expect(!failure.message.hasPrefix("the server's own words")) }
  }

  @Test(arguments: [
    ("28P01", 77, "~/.pgpass"), ("28000", 77, "pg_hba.conf"), ("42501", 77, "GRANT CONNECT"),
    ("3D000", 69, "createdb"), ("57P03", 69, "in a moment"), ("53300", 69, "max_connections"),
    ("55000", 69, "ALLOW_CONNECTIONS"), ("42704", 69, "--database-url"),
    (nil, 69, "--database-url"),
  ])
  func aRefusedConnectionHasItsNextStep(state: String?, code: Int32, step: String) {
    let error = PostgresError(.connectionFailed, "…", sqlState: state.map(SQLState.init))
    let failure = Failure(error, database: "host=db dbname=programme")
    #expect(failure.code == code)
    #expect(failure.message.contains("host=db") && failure.message.contains(step))
  }

  /// A server that only reads, tables that are not where the role looks, a role without rights: of every command.
  @Test func everyCommandSaysWhatTheServerLacks() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        echo id,patient_id,facility_id,systolic,diastolic,recorded_at > r.csv
        echo 00000000-0000-4000-8000-000000000009,00000000-0000-4000-8000-000000000008,,119,70,2024-06-30T12:00:00Z >> r.csv
        psql "$DATABASE_URL" -Xqc "INSERT INTO facilities (id, name, state, district) VALUES (gen_random_uuid(), 'a', 'S', 'D')"
        try() { shift; while read -r c; do $c >out 2>err </dev/null; code=$?; grep -q "$1" err && [ $code = $2 ] || { echo "$c: $code"; cat err; }; done; }
        export PGOPTIONS='-c default_transaction_read_only=on'
        try ro 'server only reads' 69 <<END
        rollup verify
        rollup close --quarter 2024Q1 --first-period 2024-01 --yes
        rollup token create --name x --all
        rollup-backfill --from 2024-01
        rollup import csv --readings r.csv
        rollup migrate --grace 3
        END
        export PGOPTIONS='-c search_path=pg_catalog'
        try path 'search_path' 69 <<END
        rollup verify
        rollup-backfill --from 2024-01
        rollup import csv --readings r.csv
        rollup sample-data
        report trend --month 2024-06
        report recall --state S
        END
        psql "$DATABASE_URL" -Xqc "DROP ROLE IF EXISTS without_rights; CREATE ROLE without_rights"
        export PGOPTIONS='-c role=without_rights'
        try rights 'role may not' 77 <<END
        rollup verify
        rollup status
        rollup migrate
        rollup jobs list
        rollup close --list
        rollup token list
        rollup late
        rollup-backfill --from 2024-01
        report trend --month 2024-06
        END
        export PGOPTIONS='-c statement_timeout=1'
        try time 'statement_timeout' 69 <<END
        rollup verify
        END
        """, database.url)
      #expect(outcome.output.isEmpty, "\(outcome)")
    }
  }

  /// Refused connections are told apart by the server's state, whatever its language.
  @Test func everyRefusedConnectionSaysWhatItNeeds() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        psql "$DATABASE_URL" -Xq <<END
          DROP ROLE IF EXISTS who_may_not; CREATE ROLE who_may_not;
          DROP ROLE IF EXISTS who_is_full; CREATE ROLE who_is_full LOGIN CONNECTION LIMIT 0;
        END
        as() { DATABASE_URL="$DATABASE_URL&user=$1" rollup status >/dev/null 2>err; echo "$? $(tail -1 err | cut -c1-24)"; }
        as who_may_not; as who_is_not_there; as who_is_full
        DATABASE_URL=$(echo "$DATABASE_URL" | sed 's,/test_[0-9]*?,/none?,') rollup status 2>&1 | tail -1 | cut -c1-24
        """, database.url)
      #expect(
        outcome.output == """
          77 Name another role, or ha
          77 Name another role, or ha
          69 All connections of the s
          Create it ('createdb NAM

          """, "\(outcome)")
    }
  }
}
