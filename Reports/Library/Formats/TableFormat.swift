/// For a terminal: each section of columns as a table of its own, regions indented, a bar for the last rate.
public struct TableFormat: Format {
  /// Columns of the terminal.
  private let width: Int
  /// Bold regions and coloured bars; off when piped or when NO_COLOR is set.
  private let colour: Bool

  public init(width: Int, colour: Bool) {
    self.width = width
    self.colour = colour
  }

  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    func line(_ text: String) throws { try output(Array((text + "\n").utf8)) }
    let facts = table.facts.filter { !["report", "period"].contains($0.name) }
    try line(bold(table.title))
    try line(facts.map { "\($0.name.replacing("_", with: " ")) \($0.value)" }.joined(separator: " · "))
    for section in table.sections {
      try line("")
      try line(bold(section.title))
      for text in lines(table, section) { try line(text) }
    }
  }

  private func lines(_ table: ReportTable, _ section: ReportTable.Section) -> [String] {
    let places = section.columns.compactMap { name in table.columns.firstIndex { $0.name == name } }
    let headings = places.map { table.columns[$0].heading }
    let cells = table.rows.map { row in places.map { Self.text(row.cells[$0]) } }
    let widths = headings.indices.map { column in
      max(headings[column].count, cells.map { $0[column].count }.max() ?? 0)
    }
    let figures = widths.reduce(0) { $0 + $1 + 2 }
    let labels = table.rows.map { String(repeating: "  ", count: max($0.depth, 0)) + $0.label }
    let longest = labels.map(Self.columns).max() ?? 0
    let room = max(16, min(longest, width - figures))
    let heading = zip(headings, widths).map { "  " + pad($0, to: $1) }.joined()
    var lines = [String(repeating: " ", count: room) + heading]
    lines.append(String(repeating: "-", count: room + figures))
    for (place, row) in table.rows.enumerated() {
      let label = fit(labels[place], to: room)
      let isRegion = row.cells.indices.contains(1) && row.cells[1] != .text("facility")
      let figures = zip(cells[place], widths).map { "  " + pad($0, to: $1) }.joined()
      lines.append((isRegion ? bold(label) : label) + figures)
    }
    return lines
  }

  private static func text(_ cell: ReportTable.Cell) -> String {
    switch cell {
    case .text(let text): text
    case .integer(let number): grouped(number)
    case .rate(let tenths): "\(tenths / 10).\(tenths % 10)"
    case .empty: "-"
    }
  }

  /// 12,345
  private static func grouped(_ number: Int) -> String {
    var digits = Array(String(number))
    var place = digits.count - 3
    while place > 0 {
      digits.insert(",", at: place)
      place -= 3
    }
    return String(digits)
  }

  private func pad(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(0, width - Self.columns(text))) + text
  }

  /// The label, shortened or filled up to the width.
  private func fit(_ text: String, to width: Int) -> String {
    if Self.columns(text) <= width { return text + String(repeating: " ", count: width - Self.columns(text)) }
    var short = text
    while Self.columns(short) >= width { short.removeLast() }
    return short + "…" + String(repeating: " ", count: width - Self.columns(short) - 1)
  }

  /// How many columns of a terminal a text takes: two for a wide character (Unicode TR 11), one for any other.
  private static func columns(_ text: String) -> Int {
    text.reduce(0) { sum, character in
      guard let scalar = character.unicodeScalars.first else { return sum }
      let wide = (0x1100...0x115F).contains(scalar.value) || (0x2E80...0xA4CF).contains(scalar.value)
        || (0xAC00...0xD7A3).contains(scalar.value) || (0xF900...0xFAFF).contains(scalar.value)
        || (0xFE30...0xFE6F).contains(scalar.value) || (0xFF00...0xFF60).contains(scalar.value)
        || (0x1F300...0x1FAFF).contains(scalar.value) || (0x20000...0x3FFFD).contains(scalar.value)
      return sum + (wide ? 2 : 1)
    }
  }

  private func bold(_ text: String) -> String { colour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }
}
