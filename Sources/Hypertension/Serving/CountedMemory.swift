import Foundation
import Synchronization

/// What a service has read, kept for whoever sees the same.
public struct ReadingMemory: Sendable {
  public let published: PublishedMemory
  public let counted: CountedMemory

  public init(published: PublishedMemory = .init(), counted: CountedMemory = .init()) {
    self.published = published
    self.counted = counted
  }
}

/// Counts by facility, with the moment that each question's are of: only the facilities that have changed since are counted
/// again.
public final class CountedMemory: Sendable {
  struct Key: Hashable {
    let scope: AccessToken.Scope
    let query: CareFiguresQuery
  }

  struct Kept {
    let figures: [UUID?: CareFigures]
    let moment: Moment
  }

  private struct State {
    var kept: [Key: Kept] = [:]
    var count = 0
    var used = 0
  }

  private let state = Mutex(State())
  private let most: Int

  /// - Parameter most: facilities of all questions together, each about 250 bytes.
  public init(most: Int = 100_000) { self.most = most }

  /// How many facilities' counts are kept.
  public var count: Int { state.withLock { $0.count } }
  /// How often what was kept was all that was shown, or most of it.
  public var used: Int { state.withLock { $0.used } }

  func kept(_ key: Key) -> Kept? { state.withLock { $0.kept[key] } }
  func noteUse() { state.withLock { $0.used += 1 } }

  func keep(_ figures: [UUID?: CareFigures], _ key: Key, at moment: Moment) {
    guard figures.count < most else { return }
    state.withLock { state in
      let former = state.kept[key]?.figures.count ?? 0
      if state.count - former + figures.count > most { (state.kept, state.count) = ([:], 0) }
      state.count -= state.kept[key]?.figures.count ?? 0
      state.kept[key] = Kept(figures: figures, moment: moment)
      state.count += figures.count
    }
  }
}
