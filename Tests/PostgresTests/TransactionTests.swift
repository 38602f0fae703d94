import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.database) struct TransactionTests {
  private let pool = TestDatabase.current.pool

  private func prepareTable() async throws {
    try await pool.withConnection {
      try await $0.script("CREATE TABLE readings (n int8 PRIMARY KEY)")
    }
  }

  private func stored() async throws -> [Int] {
    try await pool.withConnection {
      try await $0.query("SELECT n FROM readings ORDER BY n").decode(Int.self)
    }
  }

  private struct Refusal: Error {}

  @Test func whatABodyDidIsCommittedTogetherOrNotAtAll() async throws {
    try await prepareTable()
    try await pool.transaction { transaction in
      try await transaction.prepared("INSERT INTO readings VALUES (\(1))")
      try await transaction.execute("INSERT INTO readings VALUES (\(2))")
      #expect(try await stored() == [], "nobody else sees it yet")
    }
    #expect(try await stored() == [1, 2])
    await #expect(throws: Refusal.self) {
      try await pool.transaction { transaction in
        try await transaction.prepared("INSERT INTO readings VALUES (\(3))")
        throw Refusal()
      }
    }
    #expect(try await stored() == [1, 2])
  }

  @Test func isolationIsWhatWasAskedForAlsoWithAPreparedFirstStatement() async throws {
    for (isolation, name) in [
      (Isolation.readCommitted, "read committed"), (.repeatableRead, "repeatable read"),
      (.serializable, "serializable"),
    ] {
      let found = try await pool.transaction(isolation, readOnly: true) { transaction in
        try await transaction.pipeline([
          "SELECT current_setting('transaction_isolation')",
          "SELECT current_setting('transaction_read_only')",
        ]).map { try $0.only(String.self) }
      }
      #expect(found == [name, "on"])
    }
  }

  /// An error that a body keeps to itself has still aborted the transaction.
  @Test func aCommitThatBecameARollbackIsAnError() async throws {
    try await prepareTable()
    let error = await #expect(throws: PostgresError.self) {
      try await pool.transaction { transaction in
        try await transaction.prepared("INSERT INTO readings VALUES (\(1))")
        _ = try? await transaction.prepared("INSERT INTO readings VALUES (\(1))")
      }
    }
    #expect(error?.kind == .transactionAborted)
    #expect(try await stored() == [])
  }

  @Test func aSavepointUndoesItsPartAndNoMore() async throws {
    try await prepareTable()
    try await pool.transaction { transaction in
      try await transaction.execute("INSERT INTO readings VALUES (1)")
      await #expect(throws: PostgresError.self) {
        try await transaction.savepoint { inner in
          try await inner.execute("INSERT INTO readings VALUES (2)")
          try await inner.savepoint { try await $0.execute("INSERT INTO readings VALUES (3)") }
          try await inner.execute("INSERT INTO readings VALUES (1)")
        }
      }
      try await transaction.savepoint { _ in }
      try await transaction.savepoint { try await $0.execute("INSERT INTO readings VALUES (4)") }
      await #expect(throws: Refusal.self) {
        try await transaction.savepoint { _ in throw Refusal() }
      }
      try await transaction.execute("INSERT INTO readings VALUES (5)")
    }
    #expect(try await stored() == [1, 4, 5])
  }

  @Test func lastStatementsTravelWithTheCommit() async throws {
    try await prepareTable()
    try await pool.transaction { transaction in
      try await transaction.commit(after: ["INSERT INTO readings VALUES (\(1))"])
      let late = await #expect(throws: PostgresError.self) {
        try await transaction.execute("INSERT INTO readings VALUES (2)")
      }
      #expect(late?.kind == .misuse)
    }
    await #expect(throws: PostgresError.self) {
      try await pool.transaction { transaction in
        try await transaction.commit(after: [
          "INSERT INTO readings VALUES (\(3))", "INSERT INTO readings VALUES (\(1))",
        ])
      }
    }
    #expect(try await stored() == [1])
  }

  @Test func statementsThatCannotBeSentDoNotLoseTheBegin() async throws {
    try await prepareTable()
    await #expect(throws: Refusal.self) {
      try await pool.transaction { transaction in
        _ = try? await transaction.query("SELECT 1\0")
        try await transaction.execute("INSERT INTO readings VALUES (1)")
        throw Refusal()
      }
    }
    #expect(try await stored() == [])
  }

  @Test func transactionsDoNotNestAndOneWithoutStatementsCostsNothing() async throws {
    try await pool.withConnection { connection in
      try await connection.transaction { _ in
        let error = await #expect(throws: PostgresError.self) {
          try await connection.transaction { _ in }
        }
        #expect(error?.kind == .misuse)
        #expect(connection.transactionStatus == .idle)
      }
    }
  }

  @Test func cancellingRollsBack() async throws {
    try await prepareTable()
    let task = Task { [pool] in
      try await pool.transaction { transaction in
        try await transaction.execute("INSERT INTO readings VALUES (1)")
        while !Task.isCancelled { await Task.yield() }
      }
    }
    try await Task.sleep(for: .milliseconds(50))
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.kind == .cancelled)
    #expect(try await stored() == [])
    let open = try await pool.withConnection {
      try await $0.query(
        """
        SELECT count(*) FROM pg_stat_activity
        WHERE state LIKE 'idle in%' AND datname = current_database()
        """)
    }
    #expect(try open.only(Int.self) == 0)
  }

  /// Two transactions that read what the other writes: one of them must be begun again.
  @Test func serializationFailuresAreRetried() async throws {
    try await pool.withConnection {
      try await $0.script("CREATE TABLE counter (n int8); INSERT INTO counter VALUES (0)")
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<20 {
        group.addTask { [pool] in
          let patient = RetryPolicy(attempts: 100, maximumDelay: .milliseconds(50))
          try await pool.transaction(.serializable, retrying: patient) { transaction in
            let n = try await transaction.prepared("SELECT n FROM counter").only(Int.self)
            try await transaction.prepared("UPDATE counter SET n = \(n + 1)")
          }
        }
      }
      try await group.waitForAll()
    }
    let count = try await pool.withConnection {
      try await $0.query("SELECT n FROM counter").only(Int.self)
    }
    #expect(count == 20)
  }
}
