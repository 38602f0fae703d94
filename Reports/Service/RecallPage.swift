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
    // An id is no name.
    var name = region.name
    if let facility = region.facility?.lowercased() {
      if let site = table.rows.first.flatMap({ Site($0, of: table) }) {
        name = site.name
      } else {
        let sites = try await reader.read(visitor.secret) { tx in try await Site.all(tx) }
        name = sites.first { $0.id == facility || $0.name.lowercased() == facility }?.name
      }
    }
    let listing = PageTable(
      caption: "Most urgent first", heading: "Facility", table: table, columns: Self.columns,
      rows: rows)
    return Page(
      title: table.title,
      body: [
        Pages.path([(name ?? "Overview", Link.region(region, nil, .published))]),
        """
        <h1>\(table.title)</h1>
        <p>\(shown) <a href="\(file)" download>As a file (CSV)</a>, which is another reading of the list.</p>
        """,
        rows.isEmpty ? "<p class=\"standing\">Nobody is to be called today.</p>" : listing.html,
      ])
  }
}
