import Output

/// For issues, wikis and mails: a heading, the facts, and each section as a table (GitHub Flavored Markdown).
public struct MarkdownFormat: Format {
  public init() {}

  /// Writes the report line by line.
  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    func line(_ text: String) throws { try output(Array((text + "\n").utf8)) }
    try line("# \(table.title.escaped)")
    try line("")
    for fact in table.facts where !["report", "period"].contains(fact.name) {
      try line("- \(fact.name.replacing("_", with: " ").escaped): \(fact.value.escaped)")
    }
    for section in table.sections {
      let places = section.columns.compactMap(table.place)
      let columns = places.map { table.columns[$0] }
      try line("")
      try line("## \(section.title.escaped)")
      try line("")
      try line("| | " + columns.map { $0.heading.escaped + " |" }.joined(separator: " "))
      try line("| --- | " + columns.map { $0.isNumber ? "---: |" : "--- |" }.joined(separator: " "))
      for row in table.rows {
        // Blanks that a renderer keeps.
        let indent = String(repeating: "\u{A0}\u{A0}", count: max(row.depth, 0))
        let cells = places.map { row.cells[$0].shown(dash: "-").escaped + " |" }
        try line("| \(indent)\(row.label.escaped) | " + cells.joined(separator: " "))
      }
    }
  }
}

extension String {
  /// Without what Markdown or HTML would take for its own.
  fileprivate var escaped: String {
    var text = ""
    for character in printable {
      if "\\`*_{}[]<>#|~&".contains(character) { text.append("\\") }
      text.append(character)
    }
    return text
  }
}
