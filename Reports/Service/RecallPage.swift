import Hypertension
import PeriodRollups
import Reports

/// Whom a region should call today. That it was read goes on record (docs/access.md).
struct RecallPage: Sendable {
  let visitor: Gate.Visitor
  let region: RegionChoice

  /// As many as one prints; the rest is in the file.
  private static let most = 500
  private static let columns = [
    "patient_id", "reason", "last_visit", "last_reading", "systolic", "diastolic", "very_high",
    "days_overdue",
  ]

  func make(_ reader: Reader) async throws -> Page {
    try visitor.checkList(of: region)
    let asked = region
    let regions = try await visitor.within(region, reader) {
      try await reader.read(visitor.secret) { tx in try await asked.regions(tx) }
    }
    guard let (region, name, _) = regions.first, regions.count == 1 else {
      throw Refusal.severalRegions(regions.map(\.path))
    }
    // The report is as of today, whatever the period.
    var question = ReportQuestion(Period(.month, containing: CalendarDate(daysSince1970: 0)))
    question.region = region
    let table = try await reader.list(RecallReport.report, question, visitor.secret)
    let rows = Array(table.rows.prefix(Self.most))
    let file = Link("/api/v1/lists/recall", region.query + [("format", "csv")])
    let shown: HTML =
      table.rows.count > rows.count
      ? "The most urgent \(rows.count) of \(table.rows.count) patients; the file has all."
      : "\(table.rows.count) patients."
    let listing = PageTable(
      caption: "Most urgent first", heading: "Facility", table: table, columns: Self.columns,
      rows: rows)
    return Page(
      title: "\(table.title): \(name)",
      body: [
        Pages.path([(name, Link.region(region, nil, .published))]),
        """
        <h1>\(table.title): \(name)</h1>
        <p>\(shown) <a href="\(file)" download>As a file (CSV)</a>, which is another reading of the list.</p>
        """,
        rows.isEmpty ? "<p class=\"standing\">Nobody is to be called today.</p>" : listing.html,
      ])
  }
}

/// Whose patients are to be called, where nobody has said.
struct RecallChoice: Sendable {
  let visitor: Gate.Visitor

  func make(_ reader: Reader) async throws -> Page {
    guard visitor.admission.readsLists else {
      throw Refusal.forbidden("The token is for figures only.")
    }
    let sites = try await reader.read(visitor.secret) { tx in try await Site.all(tx) }
    let states = Dictionary(grouping: sites) { ExactText($0.state) }
    let parts = states.sorted { $0.key < $1.key }.map { state, sites -> HTML in
      let links = Set(sites.map { ExactText($0.district) }).sorted().map { district -> HTML in
        let region = RegionChoice(state: state.text, district: district.text)
        return "<li><a href=\"\(Link("/recall", region.query))\">\(district.text)</a></li>"
      }
      return "<h2>\(state.text)</h2>\n<ul class=\"files\">\n\(links)\n</ul>"
    }
    return Page(
      title: "Whom to call",
      body: [
        """
        <h1>Whom to call today</h1>
        <p>Patients are listed of a facility or a region. That a list was read goes on record.</p>
        <form method="get" action="/recall" class="asks">
        <label>Facility, by name or id <input name="facility" required></label>
        <button>Show</button>
        </form>
        """
      ] + parts)
  }
}
