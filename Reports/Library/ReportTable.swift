import Hypertension

/// A finished report: what every format writes.
public struct ReportTable: Sendable {
  public struct Column: Sendable {
    public let name: String
    /// A short heading for people.
    public let heading: String
    public let isNumber: Bool
    /// What the column shows of a place; nil of what says where and when, and of differences.
    public let figure: Figure?

    public init(_ name: String, _ heading: String, isNumber: Bool = true, figure: Figure? = nil) {
      self.name = name
      self.heading = heading
      self.isNumber = isNumber
      self.figure = figure
    }

    /// Of a figure.
    public init(_ figure: Figure) {
      self.init(figure.name, figure.heading, figure: figure)
    }
  }

  public enum Cell: Sendable, Hashable {
    case text(String)
    case integer(Int)
    /// A number with one decimal: 512 is 51.2.
    case rate(tenths: Int)
    case empty
    /// A number that is not shown, because few people stand behind it or behind what it would give away.
    case hidden

    /// 512 as `51.2`, -5 as `-0.5`.
    static func decimal(tenths: Int) -> String {
      "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }
  }

  /// Columns that are shown together where a page is too narrow for all.
  public struct Section: Sendable {
    public let title: String
    public let columns: [String]

    public init(_ title: String, _ columns: [String]) {
      self.title = title
      self.columns = columns
    }
  }

  public struct Row: Sendable {
    /// What a reader calls the row, and how deep it lies in the hierarchy.
    public let label: String
    public let depth: Int
    public let cells: [Cell]

    public init(label: String, depth: Int, cells: [Cell]) {
      self.label = label
      self.depth = depth
      self.cells = cells
    }
  }

  /// The rows, made one by one as they are asked for, so that a list of half a million patients need not be in memory twice.
  public struct Rows: Sendable, RandomAccessCollection {
    private let make: @Sendable (Int) -> Row
    public let count: Int

    public init(count: Int, _ make: @escaping @Sendable (Int) -> Row) {
      self.count = count
      self.make = make
    }

    public init(_ rows: [Row]) { self.init(count: rows.count) { rows[$0] } }

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }
    public subscript(place: Int) -> Row { make(place) }
  }

  /// A drawing of one column, where a format can draw.
  public struct Chart: Sendable {
    public enum Kind: Sendable {
      /// A line a row's label, over the column `period`.
      case lines
      /// A bar a row.
      case bars
    }

    public let kind: Kind
    public let title: String
    public let column: String

    public init(_ kind: Kind, _ title: String, of column: String) {
      self.kind = kind
      self.title = title
      self.column = column
    }
  }

  public let name: String
  public let title: String
  /// What else a reader should know: the period, the limits, the status.
  public let facts: [(name: String, value: String)]
  public let columns: [Column]
  public let sections: [Section]
  public let rows: Rows
  public let charts: [Chart]
  /// Why all rows count nothing; nil where one counts something, and of lists.
  public var emptiness: String?

  public init(
    name: String, title: String, facts: [(name: String, value: String)], columns: [Column],
    sections: [Section], rows: Rows, charts: [Chart] = []
  ) {
    self.name = name
    self.title = title
    self.facts = facts
    self.columns = columns
    self.sections = sections
    self.rows = rows
    self.charts = charts
  }

  public init(
    name: String, title: String, facts: [(name: String, value: String)], columns: [Column],
    sections: [Section], rows: [Row], charts: [Chart] = []
  ) {
    self.init(
      name: name, title: title, facts: facts, columns: columns, sections: sections,
      rows: Rows(rows), charts: charts)
  }

  /// Whether each row is a patient: who may read such a report is another matter than for figures.
  public var isListOfPatients: Bool { place(of: "patient_id") != nil }

  /// The place of a column among the cells.
  public func place(of column: String) -> Int? { columns.firstIndex { $0.name == column } }
}

extension ReportTable.Cell {
  static func text(orEmpty text: String?) -> Self { text.map { .text($0) } ?? .empty }

  /// A figure of a place; hidden where a count that it is computed from is.
  init(_ figure: Figure, _ tally: Tally, hiding hidden: Set<String> = []) {
    if figure.counts.contains(where: hidden.contains) {
      self = .hidden
    } else if figure.isRate {
      self = figure.rate(tally).map { .rate(tenths: $0.tenths) } ?? .empty
    } else {
      self = .integer(tally[figure.name])
    }
  }

  /// What has to be added to the one to give the other; empty where one of them is, hidden where one of them is.
  static func difference(_ a: Self, _ b: Self) -> Self {
    switch (a, b) {
    case (.hidden, _), (_, .hidden): .hidden
    case (.integer(let a), .integer(let b)): .integer(b - a)
    case (.rate(let a), .rate(let b)): .rate(tenths: b - a)
    default: .empty
    }
  }
}
