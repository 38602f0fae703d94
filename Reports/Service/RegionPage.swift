import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore

/// The page of a region: all, a state, a district, a block or a facility; its figures, its trend, and what lies in it.
struct RegionPage: Sendable {
  let visitor: Gate.Visitor
  let region: RegionChoice
  /// nil for the last quarter that is over.
  let asked: Period?
  var view: Asking.View
  /// The column by which the regions in it are ordered.
  let sort: String?
  let formats: [ServedFormat]

  /// The figures at the top, in the order in which people read them.
  private static let figures = [
    "controlled_rate", "uncontrolled_rate", "missed_visit_rate", "visited_no_bp_rate",
    "under_care", "new_registrations", "cumulative_registrations", "lost_to_follow_up",
    "cohort_controlled_rate",
  ]
  static let columns = [
    "controlled_rate", "missed_visit_rate", "under_care", "new_registrations",
    "cumulative_registrations",
  ]
  private static let course = ["controlled_rate", "missed_visit_rate", "under_care"]

  /// Everything that the page shows, read in one snapshot.
  private struct Content {
    let calendar: Calendar
    let period: Period
    let table: ReportTable
    /// Published and known now; nil where there is but one, or two would take long.
    let compared: ReportTable?
    let trend: ReportTable
    let facility: Site?
  }

  func make(_ reader: Reader) async throws -> (facilities: AffectedFacilities?, value: Page) {
    let (facilities, content) = try await reader.counted(visitor.secret) { tx in
      try await read(tx)
    }
    var shown = self
    // Another period may have been picked, which does not have the edition.
    if case .edition = view, content.calendar.edition(of: content.period, view) == nil {
      shown.view = .published
    }
    return (facilities, shown.page(content))
  }

  private func page(_ content: Content) -> Page {
    let name = content.facility?.name ?? region.name ?? "Overview"
    return Page(
      title: "\(name), \(content.period)",
      body: [
        Pages.path(path(content)), "<h1>\(name)</h1>",
        Pages.picker(link(content), content.period, content.calendar, view),
        Pages.standing(content.period, content.calendar, view), figures(content), trend(content),
        inside(content), lists(content.period), files(content.period),
      ])
  }

  private func link(_ content: Content) -> Link { .region(region, content.period, view, sort) }

  // MARK: Reading

  private func read(_ tx: borrowing Transaction) async throws -> Content {
    let calendar = try await Calendar(tx)
    let (period, shown) = try await table(calendar, tx)
    var compared: ReportTable?
    if calendar.last(of: period) != nil, view == .compared || (view == .published && isSmall) {
      var question = ReportQuestion(period)
      (question.region, question.grouping, question.isComparison) = (region, level, true)
      question.figures = Self.figures
      compared = try await DistrictBPReport.report.make(question, in: tx)
    }
    return Content(
      calendar: calendar, period: period, table: shown, compared: compared,
      trend: try await course(to: period, tx),
      facility: region.facility == nil ? nil : shown.rows.first.flatMap { Site($0, of: shown) })
  }

  /// The figures of the period that is asked for; else of the last quarter that is over, or that was closed where there is
  /// nothing of that.
  private func table(_ calendar: Calendar, _ tx: borrowing Transaction) async throws
    -> (Period, ReportTable)
  {
    if let asked { return (asked, try await table(asked, calendar, tx)) }
    do {
      let usual = calendar.usual
      return (usual, try await tx.savepoint { tx in try await table(usual, calendar, tx) })
    } catch {
      guard let closed = calendar.lastClosed, Refusal(error)?.status == .notFound else {
        throw error
      }
      return (closed, try await table(closed, calendar, tx))
    }
  }

  private func table(_ period: Period, _ calendar: Calendar, _ tx: borrowing Transaction)
    async throws -> ReportTable
  {
    var question = ReportQuestion(period)
    (question.region, question.grouping) = (region, inner)
    if calendar.edition(of: period, view) != nil { question.view = view.reportView }
    return try await DistrictBPReport.report.make(question, in: tx)
  }

  /// Two years of quarters or one of months; fewer where the region, or what is filed, does not go back so far.
  private func course(to period: Period, _ tx: borrowing Transaction) async throws -> ReportTable {
    let count = period.type == .quarter ? 8 : 12
    do {
      return try await tx.savepoint { tx in
        try await course(period.advanced(by: 1 - count)...period, tx)
      }
    } catch {
      guard Refusal(error)?.status == .notFound else { throw error }
    }
    var tables = [try await course(period...period, tx)]
    while tables.count < count {
      let one = period.advanced(by: -tables.count)
      do {
        tables.append(try await tx.savepoint { tx in try await course(one...one, tx) })
      } catch {
        guard Refusal(error)?.status == .notFound else { throw error }
        break
      }
    }
    return ReportTable(
      name: tables[0].name, title: tables[0].title, facts: [], columns: tables[0].columns,
      sections: [], rows: tables.reversed().flatMap { Array($0.rows) })
  }

  private func course(_ periods: ClosedRange<Period>, _ tx: borrowing Transaction) async throws
    -> ReportTable
  {
    var question = ReportQuestion(periods, region: region, grouping: level)
    question.figures = Self.course
    if view == .knownNow { question.view = .knownNow }
    return try await TrendReport.report.make(question, in: tx)
  }

  // MARK: Levels

  private var level: RegionLevel {
    if region.facility != nil { return .facility }
    if region.block != nil { return .block }
    if region.district != nil { return .district }
    return region.state != nil ? .state : .all
  }

  /// Whether few enough patients are in it to count them again beside what was published.
  private var isSmall: Bool { level != .all && level != .state }

  /// What the page lists.
  private var contained: [(level: RegionLevel, title: String)] {
    switch level {
    case .all: [(.state, "States")]
    case .state: [(.district, "Districts")]
    case .district: [(.block, "Blocks"), (.facility, "Facilities")]
    case .facility: []
    default: [(.facility, "Facilities")]
    }
  }

  private var inner: RegionLevel { contained.last?.level ?? .facility }

  // MARK: Parts

  private func path(_ content: Content) -> [(name: String, link: Link)] {
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

  private func figures(_ content: Content) -> HTML {
    guard let row = content.table.rows.first else {
      return "<p class=\"wrong\">There is no facility here in \(content.period).</p>"
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

  private func trend(_ content: Content) -> HTML {
    let table = content.trend
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
          "open"
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
  private func inside(_ content: Content) -> HTML {
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

  private func lists(_ period: Period) -> HTML {
    guard visitor.admission.readsLists, region.isNarrowed else { return "" }
    let recall = Link("/recall", region.query)
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
      <p><a href="\(recall)">Whom to call today</a>, or as files (CSV) the patients of \(period) behind these figures. That a list was read goes on record.</p>
      <ul class="files">
      \(behind)
      </ul>
      """
  }

  private func files(_ period: Period) -> HTML {
    let lines = API.reports.map { report -> HTML in
      let isCompared = view == .compared && !report.parameters.contains(.compare)
      let asked: [(name: String, value: String?)] =
        region.query + [
          ("period", period.description),
          ("view", view == .published || isCompared ? nil : view.text),
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

extension RegionChoice {
  /// As a query string has it.
  var query: [(name: String, value: String?)] {
    [("state", state), ("district", district), ("block", block), ("facility", facility)]
  }

  /// Of the innermost.
  var name: String? { facility ?? block ?? district ?? state }
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
    func text(_ column: String) -> String? {
      table.place(of: column).flatMap { row.cells[$0].text }
    }
    let region: RegionChoice
    switch text("level") {
    case "state": region = RegionChoice(state: text("state"))
    case "district": region = RegionChoice(state: text("state"), district: text("district"))
    case "block":
      region = RegionChoice(
        state: text("state"), district: text("district"), block: text("block"))
    case "facility":
      // Patients that have no facility have no page.
      guard let id = text("facility_id") else { return nil }
      region = RegionChoice(facility: id)
    default: return nil
    }
    return .region(region, period, view)
  }
}

extension Gate.Visitor {
  /// Whether the token opens all of a region; a facility's own region is for the database to tell.
  func opens(_ region: RegionChoice) -> Bool {
    let scope = admission.scope
    if scope.facility != nil { return region.facility != nil }
    return [
      (scope.state, region.state), (scope.district, region.district), (scope.block, region.block),
    ].allSatisfy { own, asked in own == nil || own?.lowercased() == asked?.lowercased() }
      || region.facility != nil
  }

  /// What the token opens, as a region.
  var region: RegionChoice {
    let scope = admission.scope
    return RegionChoice(
      state: scope.state, district: scope.district, block: scope.block,
      facility: scope.facility.map { $0.uuidString.lowercased() })
  }
}
