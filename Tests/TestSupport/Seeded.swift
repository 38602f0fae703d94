import Foundation

/// A generator that gives the same numbers for the same seed (SplitMix64), so that a failure can be repeated.
public struct Seeded: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(_ seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// The seeds of random tests: `ROLLUP_SEED=7` repeats one, `ROLLUP_SEEDS=300` runs that many.
/// - Parameter usual: how many without either.
public func seeds(_ usual: UInt64) -> [UInt64] {
  let environment = ProcessInfo.processInfo.environment
  if let seed = environment["ROLLUP_SEED"].flatMap({ UInt64($0) }) { return [seed] }
  return (1...(environment["ROLLUP_SEEDS"].flatMap { UInt64($0) } ?? usual)).map { $0 }
}

extension [UInt64] {
  /// A quarter of them, for tests that take long; at least three if there are so many.
  public var few: ArraySlice<UInt64> { prefix(Swift.max(3, count / 4)) }
}
