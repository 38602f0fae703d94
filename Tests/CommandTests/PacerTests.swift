import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Backfill

/// What keeps a backfill out of the way of writers.
@Suite struct PacerTests {
  @Test func heldChunksBeginWhenTheyAreReleased() async throws {
    let pacer = Pacer()
    pacer.hold("somebody writes")
    #expect(pacer.reason == "somebody writes")
    let seen = Seen()
    async let wasReleased = pacer.pace(1) { seen.reason.withLock { $0 } }
    try await Task.sleep(for: .milliseconds(50))
    seen.reason.withLock { $0 = "released" }
    pacer.release()
    #expect(try await wasReleased == "released")
    try await pacer.untilIdle()
    #expect(pacer.reason == nil)
  }

  /// Who is asked to stop finishes the chunk in hand and waits for nothing.
  @Test func whoStopsDoesNotWait() async throws {
    let pacer = Pacer()
    pacer.hold()
    for _ in 0..<10 { pacer.note("strained") }
    let isOver = { true }
    #expect(try await pacer.pace(1, unless: isOver) { 1 } == 1)
  }

  /// Writers that are slow while a chunk is in hand are left alone for a while, and it is said why.
  @Test func writersAreLeftTheirShare() async throws {
    try await withDatabase { url in
      let pool = Pool(ConnectionSettings(conninfo: url), size: 6)
      let pacer = Pacer()
      let seen = Seen()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            while seen.reason.withLock({ $0 == nil }) {
              try await pool.withConnection {
                _ = try await $0.execute("SELECT pg_logical_emit_message(true, 'test', 'a write')")
              }
              try await Task.sleep(for: .milliseconds(seen.inHand.withLock { $0 } ? 20 : 1))
            }
          }
        }
        let watching = Task { await Strain().leaveWritersTheirShare(pool, pacer) }
        group.addTask {
          while seen.reason.withLock({ $0 == nil }) {
            seen.reason.withLock { $0 = pacer.reason }
            try await Task.sleep(for: .milliseconds(5))
          }
        }
        group.addTask {
          while seen.reason.withLock({ $0 == nil }) {
            let isOver = { seen.reason.withLock { $0 != nil } }
            try await pacer.pace(1, unless: isOver) {
              seen.inHand.withLock { $0 = true }
              try await Task.sleep(for: .milliseconds(200))
              seen.inHand.withLock { $0 = false }
            }
          }
        }
        try await group.waitForAll()
        watching.cancel()
        await watching.value
      }
      #expect(seen.reason.withLock { $0 }?.contains("write a second beside it") == true)
      await pool.close()
    }
  }

  private final class Seen: Sendable {
    let inHand = Mutex(false)
    let reason = Mutex<String?>(nil)
  }
}
