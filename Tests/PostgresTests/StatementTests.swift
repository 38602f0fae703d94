import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.database) struct StatementTests {
  private func count(_ connection: Connection) async throws -> Int {
    try await connection.query(
      "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%readings%'"
    ).only(Int.self)
  }

  @Test func aStatementIsPreparedOnceAndExecutedOften() async throws {
    let connection = try await TestDatabase.current.connect()
    try await connection.script("CREATE TABLE readings (n int8, label text)")
    for n in 0..<10 {
      try await connection.prepared("INSERT INTO readings VALUES (\(n), \("x"))")
      try await connection.pipeline([
        "INSERT INTO readings VALUES (\(n), \("x"))", "SELECT n FROM readings WHERE n = \(n)",
      ])
    }
    #expect(try await count(connection) == 2)
    await connection.close()
  }

  @Test func theCacheIsBoundedAndTheServerForgetsToo() async throws {
    let connection = try await Connection.connect(
      ConnectionSettings(conninfo: TestDatabase.current.url), statementCapacity: 3)
    try await connection.script("CREATE TABLE readings (n int8)")
    for n in 0..<10 {
      let query = Query(text: "SELECT \(n) FROM readings")
      _ = try await connection.prepared(query)
      _ = try await connection.pipeline([query, query])
    }
    #expect(try await count(connection) <= 4)
    await connection.close()
  }

  /// A migration under a running service, or a session that someone has reset.
  @Test func aStatementThatTheServerHasForgottenOrMustPlanAnewIsPreparedAgain() async throws {
    let connection = try await TestDatabase.current.connect()
    try await connection.script("CREATE TABLE readings (n int8); INSERT INTO readings VALUES (1)")
    let all: Query = "SELECT * FROM readings"
    #expect(try await connection.prepared(all).columns == ["n"])
    try await connection.script("ALTER TABLE readings ADD extra text")
    #expect(try await connection.prepared(all).columns == ["n", "extra"])
    try await connection.script("ALTER TABLE readings ADD more text")
    #expect(try await connection.pipeline([all, all])[1].columns.count == 3)
    try await connection.script("DEALLOCATE ALL")
    #expect(try await connection.prepared(all).columns.count == 3)
    try await connection.script("ALTER TABLE readings ADD yetMore text")
    let columns = try await connection.transaction { try await $0.prepared(all).columns }
    #expect(columns.count == 4, "BEGIN was on its way with it, so nothing was lost")
    await connection.close()
  }

  @Test func aFailedPipelineChangesNothingAndNamesTheStatement() async throws {
    let connection = try await TestDatabase.current.connect()
    try await connection.script("CREATE TABLE readings (n int8 PRIMARY KEY)")
    let insert = { (n: Int) in "INSERT INTO readings VALUES (\(n))" as Query }
    let error = await #expect(throws: PostgresError.self) {
      try await connection.pipeline([insert(1), insert(2), insert(1), insert(3)])
    }
    #expect(error?.statementIndex == 2)
    #expect(error?.sqlState == .uniqueViolation)
    #expect(error?.constraint == "readings_pkey")
    let syntax = await #expect(throws: PostgresError.self) {
      try await connection.pipeline([insert(4), "SELEC 1"])
    }
    #expect(syntax?.statementIndex == nil || syntax?.statementIndex == 1)
    #expect(syntax?.sqlState == .syntaxError)
    #expect(try await connection.query("SELECT count(*) FROM readings").only(Int.self) == 0)
    let rows = try await connection.pipeline([insert(1), "SELECT n FROM readings"])
    #expect(rows[0].affected == 1)
    #expect(try rows[1].only(Int.self) == 1)
    await connection.close()
  }

  /// Both directions are full long before either side is done: a client that only sent would wait
  /// for ever.
  @Test(.timeLimit(.minutes(30)))
  func megabytesBothWaysDoNotDeadlock() async throws {
    let connection = try await TestDatabase.current.connect()
    let text = String(repeating: "x", count: 20_000)
    let queries = (0..<1000).map { n in "SELECT \(n), \(text)" as Query }
    let rows = try await connection.pipeline(queries)
    for (n, result) in rows.enumerated() {
      let (number, back) = try result.only((Int, String).self)
      #expect(number == n)
      #expect(back.utf8.count == text.utf8.count)
    }
    await connection.close()
  }

  @Test func misuseIsRefusedAndTheConnectionStaysUsable() async throws {
    let connection = try await TestDatabase.current.connect()
    let tooMany = Query(text: "SELECT 1", binds: Array(repeating: Bind(1), count: 70_000))
    await #expect(throws: PostgresError.self) { try await connection.query(tooMany) }
    await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1\0") }
    let copy = await #expect(throws: PostgresError.self) {
      try await connection.query("COPY (SELECT 1) TO STDOUT")
    }
    #expect(copy?.kind == .misuse)
    #expect(try await connection.query("SELECT 1").only(Int.self) == 1)
    await connection.close()
    let closed = await #expect(throws: PostgresError.self) {
      try await connection.query("SELECT 1")
    }
    #expect(closed?.kind == .connectionLost)
  }

  @Test func aServerThatDoesNotAnswerInTimeIsAskedToCancel() async throws {
    let connection = try await Connection.connect(
      ConnectionSettings(
        conninfo: TestDatabase.current.url, statementTimeout: .milliseconds(50)))
    let error = await #expect(throws: PostgresError.self) {
      try await connection.query("SELECT pg_sleep(10)")
    }
    #expect(error?.sqlState == .queryCanceled)
    #expect(error?.kind == .server)
    #expect(try await connection.query("SELECT 1").only(Int.self) == 1)
    await connection.close()
  }

  @Test func aFailedConnectionSaysTheAddressAndNotThePassword() async throws {
    let error = await #expect(throws: PostgresError.self) {
      try await Connection.connect(
        ConnectionSettings(conninfo: "postgresql://clerk:hunter2@127.0.0.1:1/clinic"))
    }
    #expect(error?.kind == .connectionFailed)
    #expect(error?.description.contains("127.0.0.1") == true)
    #expect(error?.description.contains("hunter2") == false)
  }
}
