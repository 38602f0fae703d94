/// Counts of one place and period, by the names of their columns. They add: a district's are the sum of its facilities'.
public struct Tally: Hashable, Sendable {
  private var counts: [String: Int]

  /// - Parameter counts: what is not among them is 0.
  public init(_ counts: [String: Int] = [:]) { self.counts = counts }

  /// The count of that name.
  public subscript(name: String) -> Int {
    get { counts[name] ?? 0 }
    set { counts[name] = newValue }
  }

  /// Whether nothing is counted.
  public var isZero: Bool { counts.values.allSatisfy { $0 == 0 } }

  public static func + (a: Self, b: Self) -> Self {
    Tally(a.counts.merging(b.counts, uniquingKeysWith: +))
  }
}

extension CareFigures {
  /// The same counts by name, the denominator among them.
  public var tally: Tally {
    Tally(
      Dictionary(uniqueKeysWithValues: Indicator.allCases.map { ($0.rawValue, self[$0]) }))
  }

  /// The count of an indicator.
  public subscript(indicator: Indicator) -> Int {
    indicator.count.map { self[keyPath: $0] } ?? denominator
  }
}
