import Reports

/// Some columns of a report, as a table of a page.
struct PageTable {
  let caption: String
  /// Of the first column, which names the row.
  let heading: String
  let table: ReportTable
  let columns: [String]
  var rows: [ReportTable.Row]
  /// Where a row's name leads.
  var link: (ReportTable.Row) -> Link? = { _ in nil }
  /// The page in another order; nil where there is only one.
  var sorting: Sorting?

  /// In which order rows stand, and how to ask for another.
  struct Sorting {
    /// What was asked for: a column's name, with `-up` behind it for the least first.
    let asked: String?
    let link: (String) -> Link

    func isBy(_ column: String) -> Bool { asked == column || isUpwards(column) }
    func isUpwards(_ column: String) -> Bool { asked == column + "-up" }
  }

  var html: HTML {
    let places = columns.compactMap { table.place(of: $0) }
    return """
      <div class="wide" tabindex="0" role="region" aria-label="\(caption)">
      <table>
      <caption>\(caption)</caption>
      <thead><tr><th scope="col">\(heading)</th>\(places.map(head))</tr></thead>
      <tbody>
      \(sorted(places).map { line($0, places) })
      </tbody>
      </table>
      </div>
      """
  }

  private func head(_ place: Int) -> HTML {
    let column = table.columns[place]
    let kind: HTML = column.isNumber ? " class=\"n\"" : ""
    guard let sorting else { return "<th scope=\"col\"\(kind)>\(column.heading)</th>" }
    let order: HTML =
      sorting.isBy(column.name)
      ? " aria-sort=\"\(sorting.isUpwards(column.name) ? "ascending" : "descending")\"" : ""
    let next = sorting.asked == column.name ? column.name + "-up" : column.name
    return
      "<th scope=\"col\"\(kind)\(order)><a href=\"\(sorting.link(next))\">\(column.heading)</a></th>"
  }

  /// As they come, or by the column that was asked for; those without a number last.
  private func sorted(_ places: [Int]) -> [ReportTable.Row] {
    guard let sorting, let place = places.first(where: { sorting.isBy(table.columns[$0].name) })
    else { return rows }
    let sign = sorting.isUpwards(table.columns[place].name) ? -1.0 : 1.0
    func key(_ row: ReportTable.Row) -> Double {
      row.cells[place].number.map { $0 * sign } ?? -.infinity
    }
    return rows.enumerated().sorted { a, b in
      let (first, second) = (key(a.element), key(b.element))
      return first == second ? a.offset < b.offset : first > second
    }.map(\.element)
  }

  private func line(_ row: ReportTable.Row, _ places: [Int]) -> HTML {
    let name: HTML =
      if let link = link(row) {
        "<a href=\"\(link)\">\(row.label)</a>"
      } else {
        "\(row.label)"
      }
    return "<tr><th scope=\"row\">\(name)</th>\(places.map { cell(row.cells[$0], $0) })</tr>"
  }

  /// A rate has a bar beneath it.
  private func cell(_ cell: ReportTable.Cell, _ place: Int) -> HTML {
    let column = table.columns[place]
    guard column.isNumber else { return "<td>\(cell.html)</td>" }
    guard column.figure?.isRate == true, let number = cell.number else {
      return "<td class=\"n\">\(cell.html)</td>"
    }
    let width = "\(min(max(number, 0), 100))"
    return """
      <td class="n">\(cell.html)<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect width="\(width)" height="4"/></svg></td>
      """
  }
}
