/// A finished report: what every format writes.
public struct ReportTable: Sendable {
  public struct Column: Sendable {
    public let name: String
    /// A short heading for people.
    public let heading: String
    public let isNumber: Bool

    public init(_ name: String, _ heading: String, isNumber: Bool = true) {
      self.name = name
      self.heading = heading
      self.isNumber = isNumber
    }
  }

  public enum Cell: Sendable, Hashable {
    case text(String)
    case integer(Int)
    /// A number with one decimal: 512 is 51.2.
    case rate(tenths: Int)
    case empty

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

  public let name: String
  public let title: String
  /// What else a reader should know: the period, the limits, the status.
  public let facts: [(name: String, value: String)]
  public let columns: [Column]
  public let sections: [Section]
  public let rows: [Row]

  public init(
    name: String, title: String, facts: [(name: String, value: String)], columns: [Column],
    sections: [Section], rows: [Row]
  ) {
    self.name = name
    self.title = title
    self.facts = facts
    self.columns = columns
    self.sections = sections
    self.rows = rows
  }
}
