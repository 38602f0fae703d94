import RollupStore

/// What reports say of a place in a period: a count, or a rate of two counts. Every figure is defined once; reports choose
/// among them, and all formats write them the same.
public struct Figure: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// The count of the figure's own name.
    case count
    /// 100 times a count divided by another, one decimal; none where the other is 0 (INDICATORS.md).
    case rate(part: String, whole: String)
  }

  /// The name of its column.
  public let name: String
  /// A few letters above a column; the section it stands in says the rest.
  public let heading: String
  /// What it is, where it stands alone: above a chart, in a list of figures.
  public let title: String
  public let kind: Kind

  private init(_ name: String, _ heading: String, _ title: String, _ kind: Kind) {
    self.name = name
    self.heading = heading
    self.title = title
    self.kind = kind
  }

  /// A count.
  public static func count(_ name: String, _ heading: String, _ title: String) -> Figure {
    Figure(name, heading, title, .count)
  }

  /// A rate in per cent.
  public static func rate(
    _ name: String, _ heading: String, _ title: String, _ part: String, of whole: String
  ) -> Figure {
    Figure(name, heading, title, .rate(part: part, whole: whole))
  }

  /// The counts that it is computed from.
  public var counts: [String] {
    switch kind {
    case .count: [name]
    case .rate(let part, let whole): [part, whole]
    }
  }

  /// Whether it is a rate.
  public var isRate: Bool { kind != .count }

  /// The rate's value; nil for a count, and where there is nothing to divide by.
  public func rate(_ tally: Tally) -> Rate? {
    guard case .rate(let part, let whole) = kind else { return nil }
    return Rate(tally[part], of: tally[whole])
  }
}

/// Figures that are counted together, from one place.
public struct FigureSet: Sendable {
  public let figures: [Figure]
  /// Which counts are the sums of others: who knows all but one of them knows that one.
  public let sums: [Sum]
  /// Which counts run on: each period's is the one before and what is new.
  public let runningTotals: [RunningTotal]
  /// Counts of facilities and not of people: no suppression hides them.
  public let ofPlaces: Set<String>

  /// `whole` is the sum of `parts`.
  public struct Sum: Hashable, Sendable {
    public let whole: String
    public let parts: [String]

    public init(_ whole: String, of parts: [String]) {
      self.whole = whole
      self.parts = parts
    }
  }

  /// `total` of a period is `total` of the period before and `new`.
  public struct RunningTotal: Hashable, Sendable {
    public let total: String
    public let new: String

    public init(_ total: String, of new: String) {
      self.total = total
      self.new = new
    }
  }

  public init(
    _ figures: [Figure], sums: [Sum] = [], runningTotals: [RunningTotal] = [],
    ofPlaces: Set<String> = []
  ) {
    self.figures = figures
    self.sums = sums
    self.runningTotals = runningTotals
    self.ofPlaces = ofPlaces
  }

  /// Every count that the figures are or are computed from.
  public var counts: [String] {
    var seen: Set<String> = []
    return figures.flatMap(\.counts).filter { seen.insert($0).inserted }
  }

  /// The figures of those names, in the order of the names.
  /// - Throws: ``UnknownRegion`` that names the nearest.
  public func named(_ names: [String]) throws(UnknownRegion) -> [Figure] {
    var found: [Figure] = []
    for name in names {
      guard let figure = figures.first(where: { $0.name == name }) else {
        throw UnknownRegion(
          kind: "figure", name: name, nearest: nearest(to: name, among: figures.map(\.name)))
      }
      found.append(figure)
    }
    return found
  }
}
