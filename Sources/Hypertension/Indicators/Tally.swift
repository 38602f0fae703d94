/// Counts of one place and period, by the names of their columns. They add: a district's are the sum of its facilities'.
public struct Tally: Hashable, Sendable {
  /// The names of counts that are added often, so that adding them looks no name up.
  public final class Columns: Sendable {
    fileprivate let names: [String]
    fileprivate let places: [String: Int]

    /// - Parameter names: each once.
    public init(_ names: [String]) {
      self.names = names
      places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    }
  }

  private var columns: Columns
  private var counts: [Int]

  private static let none = Columns([])

  /// - Parameter counts: what is not among them is 0.
  public init(_ counts: [String: Int] = [:]) {
    guard !counts.isEmpty else {
      (columns, self.counts) = (Self.none, [])
      return
    }
    columns = Columns(counts.keys.sorted())
    self.counts = columns.names.map { counts[$0] ?? 0 }
  }

  /// - Parameter counts: one for each of the columns.
  public init(_ columns: Columns, _ counts: [Int]) {
    precondition(columns.names.count == counts.count, "a count for each column")
    self.columns = columns
    self.counts = counts
  }

  /// The count of that name.
  public subscript(name: String) -> Int {
    get { columns.places[name].map { counts[$0] } ?? 0 }
    set {
      if let place = columns.places[name] {
        counts[place] = newValue
      } else {
        columns = Columns(columns.names + [name])
        counts.append(newValue)
      }
    }
  }

  /// Whether nothing is counted.
  public var isZero: Bool { counts.allSatisfy { $0 == 0 } }

  public static func + (a: Self, b: Self) -> Self {
    var sum = a
    sum += b
    return sum
  }

  /// In place: a country's facilities are added up at every level.
  public static func += (a: inout Self, b: Self) {
    if a.columns === b.columns {
      for place in a.counts.indices { a.counts[place] += b.counts[place] }
    } else if a.counts.isEmpty {
      a = b
    } else {
      for (name, count) in zip(b.columns.names, b.counts) where count != 0 { a[name] += count }
    }
  }

  // MARK: Equality

  public static func == (a: Self, b: Self) -> Bool {
    a.columns === b.columns ? a.counts == b.counts : a.counted == b.counted
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(counted) }

  /// What is not 0, by name.
  private var counted: [String: Int] {
    Dictionary(uniqueKeysWithValues: zip(columns.names, counts).filter { $0.1 != 0 })
  }
}

extension CareFigures {
  private static let columns = Tally.Columns(Indicator.allCases.map(\.rawValue))

  /// The same counts by name, the denominator among them.
  public var tally: Tally { Tally(Self.columns, Indicator.allCases.map { self[$0] }) }

  /// The count of an indicator.
  public subscript(indicator: Indicator) -> Int {
    indicator.count.map { self[keyPath: $0] } ?? denominator
  }
}
