import Foundation
import Synchronization

/// Keeps a backfill below a rate, and out of the way of writers: it rests between chunks, the longer the more they are
/// strained, and stops altogether when it is told to (``Strain``).
public final class Pacer: Sendable {
  /// Patients a second, of all workers of this process; nil for as fast as it goes.
  private let rate: Double?
  private let state = Mutex(State())

  private struct State {
    var next = ContinuousClock.now
    /// How many times as long as a chunk took its worker rests.
    var rest = 0.0
    /// Why no chunk may begin.
    var held: String?
    var inHand = 0
    var reason: String?

    /// - Returns: whether a chunk may begin, and then it has.
    mutating func begin(despiteHold isOver: Bool) -> Bool {
      guard held == nil || isOver else { return false }
      inHand += 1
      return true
    }
  }

  public init(rate: Double? = nil) { self.rate = rate }

  /// Why it rests, such as "a commit takes 12 ms, usually 3 ms"; nil when it does not.
  public var reason: String? {
    state.withLock { state in
      // Whether there is anything to rest for is still being found out where the reason is empty.
      if let held = state.held, !held.isEmpty { return held }
      return state.rest > 0 ? state.reason : nil
    }
  }

  // MARK: What was seen of writers

  /// That they are strained, or nil. Rests grow fast and shrink slowly.
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

  /// Lets no chunk begin until ``release()``.
  func hold(_ reason: String = "") { state.withLock { $0.held = reason } }

  func release() { state.withLock { $0.held = nil } }

  /// Returns when no chunk is in hand.
  func untilIdle() async throws {
    while state.withLock({ $0.inHand > 0 }) { try await Task.sleep(for: .milliseconds(20)) }
  }

  // MARK: Chunks

  /// Does a chunk as soon as it may begin, and rests after it.
  /// - Parameter isOver: asked meanwhile; then there is no waiting and no rest any more.
  func pace<Value>(
    _ subjects: Int, unless isOver: () -> Bool = { false }, _ chunk: () async throws -> Value
  ) async throws -> Value {
    try await sleep(until: turn(of: subjects), unless: isOver)
    while !state.withLock({ $0.begin(despiteHold: isOver()) }) {
      try await Task.sleep(for: .milliseconds(20))
    }
    let started = ContinuousClock.now
    let value: Value
    do {
      defer { state.withLock { $0.inHand -= 1 } }
      value = try await chunk()
    }
    let rest = state.withLock { min((.now - started) * $0.rest, .seconds(30)) }
    try await sleep(until: .now + rest, unless: isOver)
    return value
  }

  /// When a chunk may begin by the rate.
  private func turn(of subjects: Int) -> ContinuousClock.Instant {
    guard let rate, rate > 0 else { return .now }
    return state.withLock { state in
      let begin = max(state.next, .now)
      state.next = begin + .seconds(Double(subjects) / rate)
      return begin
    }
  }

  private func sleep(until end: ContinuousClock.Instant, unless isOver: () -> Bool) async throws {
    while ContinuousClock.now < end, !isOver() {
      try await Task.sleep(for: min(end - .now, .milliseconds(20)))
    }
  }
}
