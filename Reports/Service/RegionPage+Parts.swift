import Hypertension
import PeriodRollups
import Reports

/// What the page consists of.
extension RegionPage {
  func path(_ content: Content) -> [(name: String, link: Link)] {
    var regions = [("Overview", RegionChoice())]
    let state = content.facility?.state ?? region.state
    let district = content.facility?.district ?? region.district
    if let state { regions.append((state, RegionChoice(state: state))) }
    if let district { regions.append((district, RegionChoice(state: state, district: district))) }
    if let block = content.facility?.block ?? region.block {
      regions.append((block, RegionChoice(state: state, district: district, block: block)))
    }
    return regions.filter { $0.1 != region && visitor.opens($0.1) }
      .map { ($0.0, Link.region($0.1, content.period, view)) }
  }

  func figures(_ content: Content) -> HTML {
    guard let row = content.table.rows.first else {
      return "<p class=\"wrong\">There was no facility here in \(content.period).</p>"
    }
    let tiles = Self.figures.compactMap { tile($0, row, content) }
    return """
      <h2>Figures</h2>
      <dl class="figures">
      \(tiles)
      </dl>
      \(comparison(content))
      """
  }

  private func tile(_ name: String, _ row: ReportTable.Row, _ content: Content) -> HTML? {
    guard let place = content.table.place(of: name) else { return nil }
    let column = content.table.columns[place]
    let unit = column.figure?.isRate == true && row.cells[place].number != nil ? " %" : ""
    return """
      <div><dt>\(column.figure?.title ?? column.heading)</dt><dd>\(row.cells[place].html)\(unit)</dd>\(now(name, unit, content))</div>
      """
  }

  /// What a published figure would be today.
  private func now(_ name: String, _ unit: String, _ content: Content) -> HTML? {
    guard let table = content.compared, let row = table.rows.first,
      let place = table.place(of: name)
    else { return nil }
    let (today, difference) = (row.cells[place + 1], row.cells[place + 2])
    guard difference != .empty else {
      return today == .empty ? nil : "<dd class=\"now\">Known now: \(today.html)</dd>"
    }
    guard difference.number != 0 else { return "<dd class=\"now\">Known now: the same</dd>" }
    let sign = (difference.number ?? 0) > 0 ? "+" : ""
    return
      "<dd class=\"now\">Known now: \(today.html)\(unit), \(sign)\(difference.html)</dd>"
  }

  /// Where to ask for it, when it is not shown at once.
  private func comparison(_ content: Content) -> HTML? {
    guard content.compared == nil, content.calendar.last(of: content.period) != nil else {
      return nil
    }
    let link = Link.region(region, content.period, .compared, sort)
    return "<p><a href=\"\(link)\">Published beside what is known now</a></p>"
  }

  func trend(_ content: Content) -> HTML {
    let table = content.trend
    guard !table.rows.isEmpty else { return "" }
    let charts = Self.course.compactMap { name -> ReportTable.Chart? in
      guard let place = table.place(of: name) else { return nil }
      return .init(.lines, table.columns[place].figure?.title ?? name, of: name)
    }
    let drawings = ReportTable(
      name: table.name, title: table.title, facts: [], columns: table.columns, sections: [],
      rows: table.rows, charts: charts
    ).drawings(width: 400).map { HTML(made: $0) }
    return """
      <h2>Trend</h2>
      <div class="drawings">
      \(drawings)
      </div>
      \(numbers(content))
      """
  }

  /// The figures of each period with their standing.
  private func numbers(_ content: Content) -> HTML {
    let table = content.trend
    let places = Self.course.compactMap { table.place(of: $0) }
    let heads = places.map { place -> HTML in
      "<th scope=\"col\" class=\"n\">\(table.columns[place].heading)</th>"
    }
    let lines = table.rows.reversed().map { row -> HTML in
      let name = table.place(of: "period").flatMap { row.cells[$0].text } ?? row.label
      let edition = (try? Period(parsing: name)).flatMap { content.calendar.last(of: $0) }
      let cells = places.map { place -> HTML in "<td class=\"n\">\(row.cells[place].html)</td>" }
      let standing: HTML =
        if let edition {
          "closed, edition \(edition.edition.number) <code>\(String(edition.digest.prefix(12)))…</code>"
        } else {
          "\((try? Period(parsing: name)).map { content.calendar.standing(of: $0) } ?? "open")"
        }
      return "<tr><th scope=\"row\">\(name)</th>\(cells)<td>\(standing)</td></tr>"
    }
    return """
      <div class="wide" tabindex="0" role="region" aria-label="Trend in numbers">
      <table>
      <caption>The same in numbers, the latest first\(view == .knownNow ? ", as known now" : "")</caption>
      <thead><tr><th scope="col">Period</th>\(heads)<th scope="col">Standing</th></tr></thead>
      <tbody>
      \(lines)
      </tbody>
      </table>
      </div>
      """
  }

  /// The regions of the next level that there are rows of.
  func inside(_ content: Content) -> HTML {
    let table = content.table
    guard let place = table.place(of: "level") else { return "" }
    let parts = contained.compactMap { level, title -> HTML? in
      let rows = table.rows.filter { $0.cells[place].text == level.rawValue }
      guard !rows.isEmpty else { return nil }
      let listing = PageTable(
        caption: "\(title), \(content.period)", heading: "Name", table: table,
        columns: Self.columns, rows: rows,
        link: { Link.region($0, of: table, content.period, view) },
        sorting: .init(
          asked: sort, link: { Link.region(region, content.period, view, $0) }))
      return "<h2>\(title)</h2>\n\(listing.html)"
    }
    return "\(parts)"
  }

  func lists(_ content: Content) -> HTML {
    let period = content.period
    guard visitor.admission.readsLists, region.isNarrowed, !content.table.rows.isEmpty,
      content.calendar.last(of: period) != nil || content.isThere
    else { return "" }
    let calling: HTML =
      content.isThere
      ? "<a href=\"\(Link("/recall", region.query))\">Whom to call today</a>, or as files (CSV)"
      : "As files (CSV)"
    let behind = [Indicator.missedVisit, .uncontrolled, .lostToFollowUp].map { figure -> HTML in
      let asked: [(name: String, value: String?)] =
        region.query + [
          ("period", period.description), ("figure", figure.rawValue), ("format", "csv"),
        ]
      let title = figure.rawValue.replacing("_", with: " ")
      return "<li><a href=\"\(Link("/api/v1/lists/patients", asked))\" download>\(title)</a></li>"
    }
    return """
      <h2>Patients</h2>
      <p>\(calling) the patients of \(period) behind these figures. That a list was read goes on record.</p>
      <ul class="files">
      \(behind)
      </ul>
      """
  }

  func files(_ content: Content) -> HTML {
    guard !content.table.rows.isEmpty else { return "" }
    let lines = API.reports.filter(visitor.opens).map { report -> HTML in
      let asked: [(name: String, value: String?)] =
        region.query + [
          ("period", content.period.description), ("view", view(of: report, content)),
          ("trend", periods(of: report, content).map(String.init)),
        ]
      let links = formats.map { format -> HTML in
        let link = Link("/api/v1/reports/\(report.name)", asked + [("format", format.rawValue)])
        return "<a href=\"\(link)\" download>\(format.title)</a>"
      }
      return "<div><dt>\(report.title)</dt><dd>\(links)</dd></div>"
    }
    return """
      <h2>Files</h2>
      <dl class="files">
      \(lines)
      </dl>
      """
  }
}

extension RegionPage {
  /// Which view a file of a report has; nil for as published. An edition is of one period, and an open one has none.
  private func view(of report: Report, _ content: Content) -> String? {
    let isOffered =
      switch view {
      case .published: false
      case .knownNow: true
      case .edition: report.trend == 1
      case .compared:
        report.parameters.contains(.compare) && report.trend == 1
          && content.calendar.last(of: content.period) != nil
      }
    return isOffered ? view.text : nil
  }

  /// How many periods a report goes back; nil for as many as it does by itself. What is filed, or the region, may not go back so far.
  private func periods(of report: Report, _ content: Content) -> Int? {
    let there = content.trend.rows.count
    return report.trend > 1 && there > 0 && there < report.trend ? there : nil
  }
}

extension Link {
  /// The page of a region.
  static func region(
    _ region: RegionChoice, _ period: Period?, _ view: Asking.View, _ sort: String? = nil
  ) -> Link {
    Link(
      "/",
      region.query + [
        ("period", period?.description), ("view", view == .published ? nil : view.text),
        ("sort", sort),
      ])
  }

  /// The page of a row of a report.
  static func region(
    _ row: ReportTable.Row, of table: ReportTable, _ period: Period, _ view: Asking.View
  ) -> Link? {
    RegionChoice(row, of: table).map { .region($0, period, view) }
  }
}

extension RegionChoice {
  /// The region of a row of a report, as it is spelled there; nil of a row that has no page.
  init?(_ row: ReportTable.Row, of table: ReportTable) {
    func text(_ column: String) -> String? {
      table.place(of: column).flatMap { row.cells[$0].text }
    }
    switch text("level") {
    case "state": self.init(state: text("state"))
    case "district": self.init(state: text("state"), district: text("district"))
    case "block":
      self.init(state: text("state"), district: text("district"), block: text("block"))
    case "facility":
      // Patients that have no facility have no page.
      guard let id = text("facility_id") else { return nil }
      self.init(facility: id)
    default: return nil
    }
  }
}
