import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(30))) struct CancellationTests {
  @Test func cancellingATaskEndsItsStatementAndLeavesTheConnectionUsable() async throws {
    let connection = try await TestDatabase.current.connect()
    let start = ContinuousClock.now
    let task = Task { try await connection.query("SELECT pg_sleep(30)") }
    try await Task.sleep(for: .milliseconds(50))
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.kind == .cancelled)
    #expect(ContinuousClock.now - start < .seconds(10))
    #expect(try await connection.query("SELECT 1").only(Int.self) == 1)
    await connection.close()
  }

  /// The cancellation of one statement comes while it ends; the next must never be hit by it.
  @Test func cancellingNeverHitsAnothersStatement() async throws {
    let connection = try await TestDatabase.current.connect()
    for round in 0..<150 {
      let mine = Task { try await connection.query("SELECT pg_sleep(0.001)") }
      let others = Task { try await connection.query("SELECT pg_sleep(0.002), 1") }
      if round % 2 == 0 { try await Task.sleep(for: .microseconds(round * 10)) }
      mine.cancel()
      _ = try? await mine.value
      #expect(try await others.value.count == 1)
    }
    await connection.close()
  }

  @Test func aTaskCancelledBeforehandSendsNothing() async throws {
    let connection = try await TestDatabase.current.connect()
    try await connection.script("CREATE TABLE t (n int)")
    let task = Task {
      while !Task.isCancelled { await Task.yield() }
      return try await connection.execute("INSERT INTO t VALUES (1)")
    }
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.kind == .cancelled)
    #expect(try await connection.query("SELECT count(*) FROM t").only(Int.self) == 0)
    await connection.close()
  }
}
