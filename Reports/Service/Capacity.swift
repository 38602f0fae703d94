import Synchronization

/// How many requests are answered at a time. Who waits for one of a few connections waits in memory: beyond so many it is
/// kinder to say at once that there are too many.
final class Capacity: Sendable {
  private let most: Int
  private let taken = Mutex(0)

  init(_ most: Int) { self.most = most }

  /// - Throws: ``Refusal/busy``; what `body` throws.
  func using<Value>(_ body: () async throws -> Value) async throws -> Value {
    let isFree = taken.withLock { taken in
      guard taken < most else { return false }
      taken += 1
      return true
    }
    guard isFree else { throw Refusal.busy }
    defer { taken.withLock { $0 -= 1 } }
    return try await body()
  }
}
