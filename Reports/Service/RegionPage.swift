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
  let view: Asking.View
  let form: String

  /// What the figures at the top are, in the order in which people read them.
  private static let figures = [
    "controlled_rate", "uncontrolled_rate", "missed_visit_rate", "visited_no_bp_rate",
    "cumulative_registrations", "new_registrations", "under_care", "lost_to_follow_up",
    "cohort_controlled_rate",
  ]
  private static let columns = [
    "controlled_rate", "missed_visit_rate", "under_care", "new_registrations",
    "cumulative_registrations",
  ]

  /// Everything that the page shows, read in one snapshot.
  private struct Content {
    let calendar: Calendar
    let period: Period
    let table: ReportTable
    /// Of a closed period.
    let compared: ReportTable?
    let trend: ReportTable
    let facility: Site?
  }

  func make(_ reader: Reader) async throws -> HTML {
    let content = try await reader.read(visitor.secret) { tx in try await read(tx) }
    let (period, calendar) = (content.period, content.calendar)
    let name = content.facility?.name ?? region.block ?? region.district ?? region.state ?? "All"
    let link = Link.region(region, period, view)
    return Pages.page(
      "\(name), \(period)", for: visitor, form: form,
      [
        Pages.path(path(content)), "<h1>\(name)</h1>", Pages.picker(link, period, calendar, view),
        Pages.standing(period, calendar, view), figures(content), trend(content), inside(content),
        lists(period), files(content),
      ])
  }

  private func read(_ tx: borrowing Transaction) async throws -> Content {
    let calendar = try await Calendar(tx)
    let period = asked ?? calendar.usual
    var question = ReportQuestion(period)
    question.region = region
    question.view = view == .knownNow ? .knownNow : .published
    let table = try await DistrictBPReport.report.make(question, in: tx)
    var compared: ReportTable?
    if calendar.editions[period] != nil {
      var comparison = question
      (comparison.view, comparison.isComparison) = (.published, true)
      comparison.figures = Self.figures
      comparison.grouping = level
      compared = try await DistrictBPReport.report.make(comparison, in: tx)
    }
    var facility: Site?
    if let id = region.facility {
      facility = try await Site.all(tx).first { $0.id == id.lowercased() }
    }
    return Content(
      calendar: calendar, period: period, table: table, compared: compared,
      trend: try await course(to: period, tx), facility: facility)
  }

  /// Two years of quarters or one of months; fewer where the region, or what is filed, does not go back so far.
  private func course(to period: Period, _ tx: borrowing Transaction) async throws -> ReportTable {
    var periods = period.type == .quarter ? 8 : 12
    while true {
      var question = ReportQuestion(period.advanced(by: 1 - periods)...period, region: region)
      question.grouping = level
      question.figures = ["controlled_rate", "missed_visit_rate"]
      do {
        return try await tx.savepoint { tx in try await TrendReport.report.make(question, in: tx) }
      } catch {
        guard periods > 1, Refusal(error)?.status == .notFound else { throw error }
        periods -= 1
      }
    }
  }

  private var level: RegionLevel {
    region.facility != nil
      ? .facility
      : region.block != nil
        ? .block : region.district != nil ? .district : region.state != nil ? .state : .all
  }

  // MARK: Parts

  private func path(_ content: Content) -> [(name: String, link: Link)] {
    var regions: [(String, RegionChoice)] = [("All", RegionChoice())]
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
    if view == .published, let compared = content.compared, let row = compared.rows.first {
      return """
        <h2>Figures</h2>
        \(comparison(compared, row))
        """
    }
    guard let row = content.table.rows.first else {
      return "<p class=\"wrong\">There is no facility here in \(content.period).</p>"
    }
    let items = Self.figures.compactMap { name -> HTML? in
      guard let place = content.table.place(of: name) else { return nil }
      let column = content.table.columns[place]
      let unit = column.figure?.isRate == true ? " %" : ""
      return
        "<li><strong>\(row.cells[place].html)\(unit)</strong>\(column.figure?.title ?? column.heading)</li>"
    }
    return "<h2>Figures</h2>\n<ul class=\"figures\">\(items)</ul>"
  }

  /// Published beside known now, a line a figure.
  private func comparison(_ table: ReportTable, _ row: ReportTable.Row) -> HTML {
    let lines = Self.figures.compactMap { name -> HTML? in
      guard let place = table.place(of: name) else { return nil }
      let title = table.columns[place].figure?.title ?? table.columns[place].heading
      let cells = (0..<3).map { step -> HTML in
        "<td class=\"n\">\(row.cells[place + step].html)</td>"
      }
      return "<tr><th scope=\"row\">\(title)</th>\(cells)</tr>"
    }
    return """
      <div class="wide" tabindex="0" role="region" aria-label="Published and known now">
      <table>
      <caption>As published at closing, and as they would be today with what came late</caption>
      <thead><tr><th scope="col">Figure</th><th scope="col" class="n">Published</th><th scope="col" class="n">Known now</th>\
      <th scope="col" class="n">Difference</th></tr></thead>
      <tbody>
      \(lines)
      </tbody>
      </table>
      </div>
      """
  }

  private func trend(_ content: Content) -> HTML {
    let drawings = content.trend.drawings.map { HTML(made: $0) }
    let rows = content.trend.rows.map { row in
      ReportTable.Row(
        label: row.cells[content.trend.place(of: "period") ?? 0].text ?? row.label, depth: 0,
        cells: row.cells)
    }
    return """
      <h2>Trend</h2>
      \(drawings)
      \(Pages.table("Trend", "Period", content.trend, ["controlled_rate", "missed_visit_rate", "status", "edition"], rows: rows))
      """
  }

  /// The regions of the next level that there are rows of.
  private func inside(_ content: Content) -> HTML {
    let table = content.table
    guard level != .facility, let place = table.place(of: "level") else { return "" }
    let levels: [(RegionLevel, String)] =
      switch level {
      case .all: [(.state, "States")]
      case .state: [(.district, "Districts")]
      case .district: [(.block, "Blocks"), (.facility, "Facilities")]
      default: [(.facility, "Facilities")]
      }
    let parts = levels.compactMap { level, title -> HTML? in
      let rows = table.rows.filter { $0.cells[place].text == level.rawValue }
      guard !rows.isEmpty else { return nil }
      let listing = Pages.table(title, "Name", table, Self.columns, rows: rows) { row in
        Link.region(row, of: table, content.period, view)
      }
      return "<h2>\(title)</h2>\n\(listing)"
    }
    return "\(parts)"
  }

  private func lists(_ period: Period) -> HTML {
    guard visitor.admission.readsLists, level != .all else { return "" }
    let link = Link("/recall", region.query)
    return """
      <h2>Patients</h2>
      <p><a href="\(link)" rel="nofollow">Whom to call today</a>. That the list was read goes on record.</p>
      """
  }

  private func files(_ content: Content) -> HTML {
    let asked: [(name: String, value: String?)] =
      region.query + [
        ("period", content.period.description),
        ("view", view == .published ? nil : view.rawValue),
      ]
    let links = ServedFormat.downloads.map { format -> HTML in
      let link = Link("/api/v1/reports/district-bp", asked + [("format", format.rawValue)])
      return "<li><a href=\"\(link)\" download>\(format.rawValue)</a></li>"
    }
    return """
      <h2>Files</h2>
      <p>The figures of this page's region, every level of it.</p>
      <ul class="files">\(links)</ul>
      """
  }
}

extension RegionChoice {
  /// As a query string has it.
  var query: [(name: String, value: String?)] {
    [("state", state), ("district", district), ("block", block), ("facility", facility)]
  }
}

extension Link {
  /// The page of a region.
  static func region(_ region: RegionChoice, _ period: Period?, _ view: Asking.View) -> Link {
    Link(
      "/",
      region.query + [
        ("period", period?.description), ("view", view == .published ? nil : view.rawValue),
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
    ]
    .allSatisfy { own, asked in own == nil || own?.lowercased() == asked?.lowercased() }
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
