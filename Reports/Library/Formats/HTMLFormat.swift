import Output

/// One file that needs no other: tables and drawings, for a screen in light or dark, for paper, and for screen readers.
///
/// There is no script. Each section is a table with a caption, heads of columns and rows; each drawing has a title and a
/// description, and shows nothing that a table does not say.
public struct HTMLFormat: Format {
  private let language: String

  /// - Parameter language: of headings and captions, as BCP 47 writes it.
  public init(language: String = "en") { self.language = language }

  /// Writes the report row by row.
  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    func put(_ text: String) throws { try output(Array((text + "\n").utf8)) }
    try put(
      """
      <!DOCTYPE html>
      <html lang="\(language.html)">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(table.title.html)</title>
      <style>
      \(Self.style)
      </style>
      </head>
      <body>
      <main>
      <h1>\(table.title.html)</h1>
      """)
    try put(facts(table))
    for chart in table.charts {
      if let drawing = SVGChart(chart, table) { try put(drawing.figure) }
    }
    for section in table.sections { try write(section, of: table, put) }
    try put("</main>\n</body>\n</html>")
  }

  private func facts(_ table: ReportTable) -> String {
    let shown = table.facts.filter { $0.name != "report" }
    let lines = shown.map {
      "<dt>\($0.name.replacing("_", with: " ").html)</dt><dd>\($0.value.html)</dd>"
    }
    let isSuppressed = table.facts.contains { $0.name == "suppressed_below" }
    let note =
      isSuppressed
      ? "\n<p>An asterisk stands for a number that is not shown, so that nobody can be recognised.</p>"
      : ""
    return "<dl>\n\(lines.joined(separator: "\n"))\n</dl>\(note)"
  }

  private func write(
    _ section: ReportTable.Section, of table: ReportTable, _ put: (String) throws -> Void
  ) throws {
    let places = section.columns.compactMap(table.place)
    let columns = places.map { table.columns[$0] }
    try put(
      """
      <section>
      <h2>\(section.title.html)</h2>
      <div class="wide" tabindex="0" role="region" aria-label="\(section.title.html)">
      <table>
      <caption>\(section.title.html): \(table.title.html)</caption>
      <thead>
      <tr><th scope="col">Name</th>\(columns.map(head).joined())</tr>
      </thead>
      <tbody>
      """)
    for row in table.rows {
      let cells = zip(places, columns).map { place, column in
        "<td\(column.isNumber ? " class=\"n\"" : "")>\(row.cells[place].html)</td>"
      }
      let depth = min(max(row.depth, 0), 4)
      try put(
        "<tr class=\"d\(depth)\"><th scope=\"row\">\(row.label.html)</th>\(cells.joined())</tr>")
    }
    try put("</tbody>\n</table>\n</div>\n</section>")
  }

  private func head(_ column: ReportTable.Column) -> String {
    let title = column.figure.map { " title=\"\($0.title.html)\"" } ?? ""
    return
      "<th scope=\"col\"\(column.isNumber ? " class=\"n\"" : "")\(title)>\(column.heading.html)</th>"
  }

  /// Contrast of text is 7 to 1 or more, of bars and lines 3 to 1 or more (WCAG 2.2), in light and in dark.
  private static let style = """
    :root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --rule: #767676; --band: #f2f2f2; --bar: #0b6a5d; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #f0f0f0; --paper: #121212; --rule: #9a9a9a; --band: #222; --bar: #5cc8b8; }
    }
    body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
    main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
    h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
    h2 { font-size: 1.15rem; margin: 1.5rem 0 .25rem; }
    dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0; font-size: .9rem; }
    dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
    .wide { overflow-x: auto; }
    .wide:focus-visible { outline: 3px solid var(--bar); }
    table { border-collapse: collapse; width: 100%; font-size: .9rem; }
    caption { text-align: start; font-size: .85rem; padding: .25rem 0; }
    th, td { padding: .25rem .5rem; text-align: start; border-bottom: 1px solid var(--rule); vertical-align: top; }
    thead th { position: sticky; top: 0; background: var(--band); }
    tbody th { font-weight: 400; min-width: 9rem; } .d0 th { font-weight: 600; }
    .d1 th { padding-inline-start: 1.25rem; } .d2 th { padding-inline-start: 2rem; }
    .d3 th { padding-inline-start: 2.75rem; } .d4 th { padding-inline-start: 3.5rem; }
    .n { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap; }
    figure { margin: 1rem 0; } figcaption { font-weight: 600; }
    svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
    @page { size: A4; margin: 14mm; }
    @media print {
      :root { --ink: #000; --paper: #fff; --rule: #767676; --band: #eee; --bar: #0b6a5d; }
      body { font-size: 9pt; } main { max-width: none; padding: 0; }
      .wide { overflow: visible; } thead { display: table-header-group; } thead th { position: static; }
      tr, figure { break-inside: avoid; } h2 { break-after: avoid; } table { font-size: 8pt; }
    }
    """
}

extension ReportTable.Cell {
  fileprivate var html: String {
    switch self {
    case .empty: "<span aria-label=\"none\">–</span>"
    case .hidden: "<span aria-label=\"not shown\">\(Self.hiddenMark)</span>"
    default: shown(dash: "").html
    }
  }
}

extension String {
  /// As text or an attribute's value.
  package var html: String {
    var text = ""
    for scalar in printable.unicodeScalars {
      switch scalar {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      case "\"": text += "&quot;"
      case "'": text += "&#39;"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
