import Hypertension
import PeriodRollups
import Postgres

/// `report range-bp`: the figures of any range of days, which no rollup has.
public enum RangeBPReport: ReportDefinition {
  public static let report = Report(
    "range-bp", "Blood pressure in a range of days",
    summary:
      "Patients with a reading between two days, and whether the most recent one was controlled.",
    discussion:
      "Whole months of the range are read from the rollups, the days at its ends from the readings, through an index by time. A range "
      + "of days is never closed: its figures can always change.",
    example: "report range-bp --from 2024-01-20 --to 2024-03-05 --district Bathinda",
    parameters: Set<ReportParameter>.region.union([
      .from, .to, .by, .figures, .controlledBelow, .suppressBelow,
    ]), takesDays: true,
    sections: [.init("Blood pressure in the range", FigureSet.range.figures)], maker: RangeTable())
}

/// A report of figures of a range of days.
struct RangeTable: ReportMaker {
  var choice: FigureSet? { .range }

  func make(_ report: Report, _ question: ReportQuestion, _ tx: borrowing Transaction) async throws
    -> ReportTable
  {
    guard let days = question.days else {
      throw ReportQuestion.Refusal("name two days, for example \(report.example)")
    }
    let setting = try await ReportSetting.read(today: question.today, tx)
    try await Self.requireIndex(tx)
    let region = question.region
    let places = try await Places.live(region, tx)
    let query = RangeQuery(
      days, limits: question.limits,
      facilities: region.isNarrowed ? places.compactMap(\.knownID) : nil, closed: setting.closed)
    let placed = PlacedTallies(
      places: places, tallies: try await query.run(tx), includesStrangers: !region.isNarrowed)
    let lines = FigureLine.lines(
      question.rows(placed.hierarchy()), "\(days.lowerBound)/\(days.upperBound)", 0,
      [.text("never closed"), .integer(0)])
    let writing = FigureWriting(
      report: report, question: question,
      figures: try question.figures.isEmpty ? nil : FigureSet.range.named(question.figures))
    return writing.table(
      question.suppressed(lines, .range),
      [
        ("status", "never closed"),
        ("figures", "a range of days is never closed and can still change"),
        ("from_rollups", query.whole.map(\.description).joined(separator: " ")),
        ("time_zone", setting.timeZone),
      ])
  }

  /// - Throws: ``ReportQuestion/Refusal`` that says how to make the index.
  static func requireIndex(_ tx: borrowing Transaction) async throws {
    guard try await RangeQuery.hasIndex(tx) else {
      throw ReportQuestion.Refusal(
        "the readings have no index by their time, and reading all of them is not what a report does. "
          + "Make it once, which keeps nobody waiting:\n  \(RangeQuery.indexStatement)")
    }
  }
}
