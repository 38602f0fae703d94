import Hypertension
import PeriodRollups
import Reports

/// Whom a region should call today. That it was read goes on record (docs/access.md).
struct RecallPage: Sendable {
  let visitor: Gate.Visitor
  let region: RegionChoice
  let form: String

  /// As many as one prints; the rest is in the file.
  private static let most = 500
  private static let columns = [
    "patient_id", "reason", "last_visit", "last_reading", "systolic", "diastolic", "very_high",
    "days_overdue",
  ]

  func make(_ reader: Reader) async throws -> HTML {
    guard visitor.admission.readsLists else {
      throw Refusal.forbidden("The token is for figures only.")
    }
    // The report is as of today, whatever the period.
    let today = try await reader.read(visitor.secret) { tx in try await Calendar(tx).today }
    var question = ReportQuestion(Period(.month, containing: today))
    question.region = region
    let table = try await reader.list(RecallReport.report, question, visitor.secret)
    let name = region.block ?? region.district ?? region.state ?? "your region"
    let rows = Array(table.rows.prefix(Self.most))
    let file = Link("/api/v1/reports/recall", region.query + [("format", "csv")])
    let shown: HTML =
      table.rows.count > rows.count
      ? "<p>The most urgent \(rows.count) of \(table.rows.count); the file has all.</p>"
      : "<p>\(table.rows.count) patients.</p>"
    return Pages.page(
      table.title, for: visitor, form: form,
      [
        Pages.path([(name, Link.region(region, nil, .published))]), "<h1>\(table.title)</h1>",
        shown,
        "<p><a href=\"\(file)\" download>As a file (CSV)</a>, which is another reading of the list.</p>",
        Pages.table("Most urgent first", "Facility", table, Self.columns, rows: rows),
      ])
  }
}
