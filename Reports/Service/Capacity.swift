import Synchronization

/// How many requests are answered at a time, of all addresses and of one. Who waits for one of a few connections waits in memory:
/// beyond so many it is kinder to say at once that there are too many. And no address takes the places of all others.
final class Capacity: Sendable {
  private let most: Int
  private let mostOfOne: Int
  private let taken = Mutex(Taken())

  private struct Taken {
    var all = 0
    var of: [String: Int] = [:]
  }

  /// - Parameter mostOfOne: of them those of one address; nil for half.
  init(_ most: Int, ofOne mostOfOne: Int? = nil) {
    self.most = most
    self.mostOfOne = mostOfOne ?? max(1, most / 2)
  }

  /// - Parameter key: whose the request is; nil where that is not known, and not counted.
  /// - Throws: ``Refusal/busy``; what `body` throws.
  func using<Value>(_ key: String?, _ body: () async throws -> Value) async throws -> Value {
    guard take(key) else { throw Refusal.busy }
    defer { giveBack(key) }
    return try await body()
  }

  /// - Returns: whether a place was free, which has to be given back.
  func take(_ key: String?) -> Bool {
    taken.withLock { taken in
      guard taken.all < most, key.map({ taken.of[$0, default: 0] < mostOfOne }) ?? true else {
        return false
      }
      taken.all += 1
      if let key { taken.of[key, default: 0] += 1 }
      return true
    }
  }

  func giveBack(_ key: String?) {
    taken.withLock { taken in
      taken.all -= 1
      guard let key, let count = taken.of[key] else { return }
      taken.of[key] = count > 1 ? count - 1 : nil
    }
  }
}
