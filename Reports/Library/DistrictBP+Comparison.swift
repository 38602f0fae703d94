import Hypertension

extension DistrictBP {
  /// Every figure as published, as known now, and what was added: `controlled`, `controlled_now`,
  /// `controlled_difference`.
  func comparison(
    _ published: [Hierarchy.Row], _ now: [Hierarchy.Row], _ frame: ReportFrame
  ) -> ReportTable {
    let leadingColumns = Self.columns.prefix(7)
    let columns =
      leadingColumns
      + Self.figures.flatMap { figure in
        [
          figure.column, Column("\(figure.column.name)_now", "now"),
          Column("\(figure.column.name)_difference", "+/-"),
        ]
      } + Self.columns.suffix(2)
    let rows = zip(published, now).map { before, after in
      ReportTable.Row(
        label: before.label, depth: before.depth,
        cells: leading(before)
          + Self.figures.flatMap { figure in
            let (a, b) = (figure.cell(before.figures), figure.cell(after.figures))
            return [a, b, .difference(a, b)]
          } + frame.statusCells)
    }
    let changed = Self.figures.map(\.column.name).filter { name in
      guard let place = columns.firstIndex(where: { $0.name == "\(name)_difference" }) else {
        return false
      }
      return rows.contains { ![.integer(0), .rate(tenths: 0), .empty].contains($0.cells[place]) }
    }
    return ReportTable(
      name: "district-bp", title: "Hypertension control, \(period), published and known now",
      facts: facts(frame)
        + [("changed", changed.isEmpty ? "nothing" : changed.joined(separator: " "))],
      columns: Array(columns),
      sections: changed.map { name in
        .init(
          name.replacing("_", with: " "), [name, "\(name)_now", "\(name)_difference"])
      }, rows: rows)
  }
}

extension ReportTable.Cell {
  /// What has to be added to the one to give the other; empty where one of them is.
  fileprivate static func difference(_ a: Self, _ b: Self) -> Self {
    switch (a, b) {
    case (.integer(let a), .integer(let b)): .integer(b - a)
    case (.rate(let a), .rate(let b)): .rate(tenths: b - a)
    default: .empty
    }
  }
}
