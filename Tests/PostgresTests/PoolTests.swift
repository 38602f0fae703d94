import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(30))) struct PoolTests {
  private func pool(size: Int, acquireTimeout: Duration = .seconds(20)) -> Pool {
    Pool(
      ConnectionSettings(conninfo: TestDatabase.current.url), size: size,
      acquireTimeout: acquireTimeout)
  }

  private func expectUsable(_ pool: Pool) async throws {
    let one = try await pool.withConnection { try await $0.query("SELECT 1").only(Int.self) }
    #expect(one == 1)
  }

  /// Many tasks, some of them cancelled at any moment, over few connections: each gets its own
  /// answer, the bound holds, and in the end every connection is back.
  @Test func aCrowdOverFewConnectionsGetsItsOwnAnswers() async throws {
    let pool = pool(size: 4)
    let answered = try await withThrowingTaskGroup(of: Bool.self) { group in
      for n in 0..<300 {
        group.addTask {
          let task = Task {
            for round in 0..<5 {
              let answer = try await pool.withConnection { connection in
                try await connection.prepared("SELECT \(n * round), pg_sleep(0.0005)")[0].decode(
                  0, as: Int.self)
              }
              #expect(answer == n * round)
            }
          }
          if n % 3 == 0 {
            try await Task.sleep(for: .microseconds(n * 100))
            task.cancel()
          }
          do {
            try await task.value
            return true
          } catch let error as PostgresError where error.kind == .cancelled {
            return false
          }
        }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(answered >= 200)
    let sessions = try await TestDatabase.current.pool.withConnection {
      try await $0.query(
        """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        """
      ).only(Int.self)
    }
    #expect(sessions <= 4)
    await pool.close()
  }

  @Test func aPoolInUseTimesOutItsWaitersAndServesLaterOnes() async throws {
    let pool = pool(size: 1, acquireTimeout: .seconds(3))
    try await pool.withConnection { connection in
      let error = await #expect(throws: PostgresError.self) {
        try await pool.withConnection { _ in }
      }
      #expect(error?.kind == .poolTimeout)
      try await connection.execute("SELECT 1")
    }
    try await expectUsable(pool)
    await pool.close()
    let closed = await #expect(throws: PostgresError.self) {
      try await pool.withConnection { _ in }
    }
    #expect(closed?.kind == .poolClosed)
  }

  @Test func whatAUserLeavesOpenIsRolledBack() async throws {
    let pool = pool(size: 1)
    try await pool.withConnection { try await $0.script("CREATE TABLE t (n int)") }
    try await pool.withConnection { try await $0.script("BEGIN; INSERT INTO t VALUES (1)") }
    try await pool.withConnection { connection in
      #expect(connection.transactionStatus == .idle)
      let count = try await connection.query("SELECT count(*) FROM t").only(Int.self)
      #expect(count == 0)
    }
    // A COPY that was given up half read.
    try await pool.withConnection { connection in
      for try await _ in connection.copyOut("COPY (SELECT generate_series(1, 1000000)) TO STDOUT") {
        break
      }
    }
    try await expectUsable(pool)
    await pool.close()
  }

  /// The server ends sessions (a restart, an administrator): those who are not in the middle of
  /// something do not notice.
  @Test func connectionsThatTheServerEndedAreReplacedBeforeTheyAreLent() async throws {
    let pool = pool(size: 3)
    let pid: @Sendable (Connection) async throws -> Int = {
      try await $0.query("SELECT pg_backend_pid(), pg_sleep(0.05)")[0].decode(0)
    }
    for _ in 0..<3 {
      async let a = pool.withConnection(pid)
      async let b = pool.withConnection(pid)
      async let c = pool.withConnection(pid)
      #expect(Set([try await a, try await b, try await c]).count == 3)
      try await TestDatabase.current.pool.withConnection {
        try await $0.execute(
          """
          SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()
          """)
      }
    }
    await pool.close()
  }

  @Test func aLostConnectionIsNotUsedAgainAndSaysWhatTheServerSaid() async throws {
    let pool = pool(size: 1)
    let error = await #expect(throws: PostgresError.self) {
      try await pool.withConnection { connection in
        let pid = try await connection.query("SELECT pg_backend_pid()").only(Int32.self)
        try await TestDatabase.current.pool.withConnection {
          try await $0.execute("SELECT pg_terminate_backend(\(pid), 5000)")
        }
        try await connection.execute("SELECT 1")
      }
    }
    #expect(error?.kind == .connectionLost)
    #expect(error?.sqlState == .adminShutdown)
    try await expectUsable(pool)
    await pool.close()
  }
}
