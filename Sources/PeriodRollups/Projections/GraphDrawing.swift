/// A graph as text and as a picture.
public struct GraphDrawing: Sendable {
  private let nodes: [Node]

  private struct Node {
    let name: String
    /// What it is, in the second line of its box.
    let kind: String
    let inputs: [String]
    /// How many steps it is from the tables.
    let depth: Int
  }

  /// - Parameter notes: more to say of a projection, by its name: how long it took, how many rows.
  public init(_ graph: Graph, notes: [String: String] = [:]) {
    var nodes: [Node] = []
    var depths: [String: Int] = [:]
    for projection in graph.projections {
      for table in graph.tables(readBy: projection) where depths[table.name] == nil {
        depths[table.name] = 0
        nodes.append(Node(name: table.name, kind: "table \(table.table)", inputs: [], depth: 0))
      }
      let inputs =
        graph.tables(readBy: projection).map(\.name)
        + graph.projections(readBy: projection).map(\.name)
      let depth = (inputs.compactMap { depths[$0] }.max() ?? 0) + 1
      depths[projection.name] = depth
      let kind = [projection.kindName, notes[projection.name]].compactMap { $0 }
      nodes.append(
        Node(
          name: projection.name, kind: kind.joined(separator: "; "), inputs: inputs, depth: depth))
    }
    self.nodes = nodes
  }

  /// A line for each projection, inputs before what needs them.
  public var text: String {
    nodes.filter { $0.depth > 0 }.map { node in
      "\(node.name) (\(node.kind))\n" + node.inputs.map { "  <- \($0)\n" }.joined()
    }.joined()
  }

  /// For Graphviz.
  public var dot: String {
    var lines = ["digraph projections {", "  rankdir=LR;", "  node [shape=box];"]
    for node in nodes {
      let style = node.depth == 0 ? ", style=dashed" : ""
      lines.append(
        "  \(quoted(node.name)) [label=\(quoted(node.name + "\n" + node.kind))\(style)];")
      lines += node.inputs.map { "  \(quoted($0)) -> \(quoted(node.name));" }
    }
    return lines.joined(separator: "\n") + "\n}\n"
  }

  private func quoted(_ text: String) -> String {
    "\""
      + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing(
        "\n", with: "\\n")
      + "\""
  }

  /// A picture by itself: tables at the left, each projection right of all its inputs.
  public var svg: String {
    let (width, height, gapX, gapY) = (230, 44, 70, 18)
    var rows: [Int: Int] = [:]
    var places: [String: (x: Int, y: Int)] = [:]
    for node in nodes {
      let row = rows[node.depth, default: 0]
      rows[node.depth] = row + 1
      places[node.name] = (10 + node.depth * (width + gapX), 10 + row * (height + gapY))
    }
    let size = (
      x: 20 + ((rows.keys.max() ?? 0) + 1) * (width + gapX) - gapX,
      y: 20 + (rows.values.max() ?? 0) * (height + gapY) - gapY
    )
    var parts = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(size.x)" height="\(size.y)" font-family="sans-serif" font-size="12">
      <defs><marker id="end" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>
      """
    ]
    for node in nodes {
      guard let to = places[node.name] else { continue }
      for input in node.inputs {
        guard let from = places[input] else { continue }
        let (x1, y1, x2, y2) = (from.x + width, from.y + height / 2, to.x, to.y + height / 2)
        parts.append(
          "<path d=\"M\(x1),\(y1) C\(x1 + gapX / 2),\(y1) \(x2 - gapX / 2),\(y2) \(x2),\(y2)\" fill=\"none\" stroke=\"#555\" marker-end=\"url(#end)\"/>"
        )
      }
    }
    for node in nodes {
      guard let at = places[node.name] else { continue }
      let fill = node.depth == 0 ? "#f4f4f4" : "#e3efff"
      parts.append(
        """
        <rect x="\(at.x)" y="\(at.y)" width="\(width)" height="\(height)" rx="4" fill="\(fill)" stroke="#333"/>
        <text x="\(at.x + 8)" y="\(at.y + 18)" font-weight="bold">\(escaped(node.name))</text>
        <text x="\(at.x + 8)" y="\(at.y + 34)" fill="#444">\(escaped(node.kind))</text>
        """)
    }
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  private func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}

extension Projection {
  fileprivate var kindName: String {
    switch kind {
    case .virtual: "virtual"
    case .derived: options.emits.map { "sets off \($0.name)" } ?? "kept"
    case .streamed: "kept, by Swift"
    case .rollup, .register, .periodCount: "kept at commit"
    }
  }
}
