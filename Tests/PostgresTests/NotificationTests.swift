import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(30))) struct ServerNotificationTests {
  @Test func whatIsCommittedIsHeardInOrderAndWhatIsRolledBackIsNot() async throws {
    let (listener, speaker) = try await pair()
    try await listener.listen(to: "A channel")
    try await speaker.transaction { tx in
      for n in 1...3 { _ = try await tx.query("SELECT pg_notify('A channel', \("\(n)"))") }
    }
    struct Regret: Error {}
    try? await speaker.transaction { tx in
      _ = try await tx.query("SELECT pg_notify('A channel', '4')")
      throw Regret()
    }
    _ = try await speaker.query("SELECT pg_notify('another', '5')")
    _ = try await speaker.query("SELECT pg_notify('A channel', '6')")
    var heard: [ServerNotification] = []
    while heard.count < 4 { heard += try await listener.notifications(within: .seconds(10)) }
    #expect(heard.map(\.payload) == ["1", "2", "3", "6"])
    #expect(heard.allSatisfy { $0.channel == "A channel" })
    #expect(try await listener.notifications(within: .milliseconds(20)).isEmpty)
  }

  @Test func aListenerIsWokenAtOnce() async throws {
    let (listener, speaker) = try await pair()
    try await listener.listen(to: "jobs")
    let start = ContinuousClock.now
    async let heard = listener.notifications(within: .seconds(30))
    try await Task.sleep(for: .milliseconds(50))
    _ = try await speaker.query("SELECT pg_notify('jobs', '')")
    #expect(try await heard.count == 1)
    #expect(ContinuousClock.now - start < .seconds(10))
  }

  @Test func cancellingWakesTheListenerAndLeavesTheConnectionUsable() async throws {
    let (listener, _) = try await pair()
    try await listener.listen(to: "jobs")
    let start = ContinuousClock.now
    let task = Task { try await listener.notifications(within: .seconds(30)) }
    try await Task.sleep(for: .milliseconds(50))
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.kind == .cancelled)
    #expect(ContinuousClock.now - start < .seconds(10))
    #expect(try await listener.query("SELECT 1").only(Int.self) == 1)
  }

  @Test func aServerThatHangsUpIsNoticed() async throws {
    let (listener, speaker) = try await pair()
    try await listener.listen(to: "jobs")
    let pid = try await listener.query("SELECT pg_backend_pid()").only(Int32.self)
    let heard = Task { try await listener.notifications(within: .seconds(30)) }
    try await Task.sleep(for: .milliseconds(50))
    _ = try await speaker.query("SELECT pg_terminate_backend(\(pid))")
    let error = await #expect(throws: PostgresError.self) { try await heard.value }
    #expect(error?.kind == .connectionLost)
    #expect(!listener.isHealthy)
  }

  @Test func withinATransactionItIsRefused() async throws {
    let (listener, _) = try await pair()
    try await listener.transaction { tx in
      _ = try await tx.query("SELECT 1")
      let error = await #expect(throws: PostgresError.self) {
        try await listener.notifications(within: .seconds(1))
      }
      #expect(error?.kind == .misuse)
    }
  }

  private func pair() async throws -> (Connection, Connection) {
    (try await TestDatabase.current.connect(), try await TestDatabase.current.connect())
  }
}
