import Output

/// For people at a terminal: each section of columns as a table of its own, regions above their
/// facilities.
///
/// A section that is too wide for the terminal goes on below itself. In colour, regions are bold
/// and a section's first rate has a bar; without, everything but the names is ASCII.
public struct TableFormat: Format {
  private let width: Int
  private let colour: Bool

  /// - Parameters:
  ///   - width: columns of the terminal.
  ///   - colour: false when the output is no terminal, or NO_COLOR is set.
  public init(width: Int, colour: Bool) {
    self.width = width
    self.colour = colour
  }

  /// Writes the report line by line.
  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    func line(_ text: String) throws { try output(Array((text + "\n").utf8)) }
    // The title says which report it is, and of which period.
    let facts = table.facts.filter { !["report", "period"].contains($0.name) }
      .map { "\($0.name.replacing("_", with: " ")) \($0.value)".printable }
    try line(bold(table.title.printable))
    if !facts.isEmpty { try line(facts.joined(separator: colour ? " · " : ", ")) }
    for section in table.sections {
      for (number, block) in blocks(table, section).enumerated() {
        try line("")
        try line(bold(section.title + (number == 0 ? "" : " (continued)")))
        for text in lines(block) { try line(text) }
      }
    }
  }

  // MARK: Blocks

  /// Columns side by side, with the rows' labels before them.
  private struct Block {
    var columns: [Column] = []
    var labels: [String]
    /// Which rows are regions, and shown in bold.
    var regions: [Bool]

    /// Two blanks before each column.
    var figuresWidth: Int { columns.reduce(0) { $0 + $1.width + 2 } }
    var longestLabel: Int { labels.map(\.displayWidth).max() ?? 0 }
  }

  private struct Column {
    let heading: String
    let cells: [String]
    /// The rates of the column that has a bar, in tenths of a per cent.
    let rates: [Int?]?

    var width: Int { cells.reduce(heading.displayWidth) { max($0, $1.displayWidth) } }
  }

  /// A name of so many columns can be told from another.
  private static let shortestLabel = 24
  private static let barWidth = 10

  private func blocks(_ table: ReportTable, _ section: ReportTable.Section) -> [Block] {
    let depths = table.rows.map { max($0.depth, 0) }
    let empty = Block(
      labels: zip(depths, table.rows).map {
        String(repeating: "  ", count: $0) + $1.label.printable
      },
      regions: depths.indices.map { $0 + 1 < depths.count && depths[$0 + 1] > depths[$0] })
    let room = width - min(empty.longestLabel, Self.shortestLabel)
    var blocks = [empty]
    for column in columns(table, section) {
      let isFull = blocks[blocks.count - 1].figuresWidth + column.width + 2 > room
      if isFull, !blocks[blocks.count - 1].columns.isEmpty { blocks.append(empty) }
      blocks[blocks.count - 1].columns.append(column)
    }
    return blocks
  }

  private func columns(_ table: ReportTable, _ section: ReportTable.Section) -> [Column] {
    var hasBar = false
    return section.columns.compactMap { name in
      guard let place = table.columns.firstIndex(where: { $0.name == name }) else { return nil }
      let cells = table.rows.map { $0.cells.indices.contains(place) ? $0.cells[place] : .empty }
      let rates = cells.map(\.rate)
      let isBarred = colour && !hasBar && rates.contains { $0 != nil }
      hasBar = hasBar || isBarred
      return Column(
        heading: table.columns[place].heading.printable,
        cells: cells.map { $0.shown(dash: "-").printable },
        rates: isBarred ? rates : nil)
    }
  }

  // MARK: Lines

  private func lines(_ block: Block) -> [String] {
    let figures = block.figuresWidth
    let least = min(block.longestLabel, Self.shortestLabel)
    let rates = block.columns.compactMap(\.rates).first
    let bar = rates != nil && least + figures + Self.barWidth + 2 <= width ? Self.barWidth + 2 : 0
    let room = max(least, min(block.longestLabel, width - figures - bar))
    func joined(_ texts: [String]) -> String {
      zip(texts, block.columns).map { "  " + $0.rightAligned(to: $1.width) }.joined()
    }
    let head = [
      String(repeating: " ", count: room) + joined(block.columns.map(\.heading)),
      String(repeating: "-", count: room + figures),
    ]
    return head
      + block.labels.indices.map { row in
        let label = block.labels[row].fitted(to: room, ellipsis: colour ? "…" : "...")
        let line = label + joined(block.columns.map { $0.cells[row] })
        let end = bar > 0 ? self.bar(rates?[row]) : ""
        return (block.regions[row] ? bold(line) : line) + end
      }
  }

  /// In eighths of a column.
  private func bar(_ tenths: Int?) -> String {
    guard let tenths else { return "" }
    let eighths = min(max(tenths, 0), 1000) * Self.barWidth * 8 / 1000
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
    return "  \u{1B}[32m" + String(repeating: "█", count: eighths / 8) + part + "\u{1B}[0m"
  }

  private func bold(_ text: String) -> String { colour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }
}

extension ReportTable.Cell {
  fileprivate var rate: Int? {
    if case .rate(let tenths) = self { tenths } else { nil }
  }
}
