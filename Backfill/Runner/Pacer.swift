import Foundation
import Synchronization

/// Keeps a backfill below a rate, and out of the way of writers: it rests between chunks, the longer the more they are
/// strained (``Strain``).
public final class Pacer: Sendable {
  /// Patients a second, of all workers of this process; nil for as fast as it goes.
  private let rate: Double?
  private let state = Mutex(State())

  private struct State {
    var next = ContinuousClock.now
    /// How many times as long as a chunk took its worker rests.
    var rest = 0.0
    var reason: String?
  }

  public init(rate: Double? = nil) { self.rate = rate }

  /// Why it rests, such as "a commit takes 12 ms, usually 3 ms"; nil when it does not.
  public var reason: String? { state.withLock { $0.rest > 0 ? $0.reason : nil } }

  /// What was seen of writers. Rests grow fast and shrink slowly.
  func note(_ strain: String?) {
    state.withLock { state in
      if let strain {
        state.reason = strain
        state.rest = min(max(state.rest * 2, 0.5), 8)
      } else {
        state.rest = state.rest < 0.1 ? 0 : state.rest * 0.8
      }
    }
  }

  /// Waits until a chunk may begin.
  func wait(for subjects: Int) async throws {
    guard let rate, rate > 0 else { return }
    let begin = state.withLock { state in
      let begin = max(state.next, .now)
      state.next = begin + .seconds(Double(subjects) / rate)
      return begin
    }
    try await Task.sleep(until: begin)
  }

  /// Rests after a chunk that took so long.
  func rest(after time: Duration) async throws {
    let rest = state.withLock { $0.rest }
    guard rest > 0 else { return }
    try await Task.sleep(for: min(time * rest, .seconds(30)))
  }
}
