import Hypertension
import PeriodRollups
import Postgres

/// `report facilities`: which facilities lead and which fall behind, among those of their size.
public enum FacilitiesReport: ReportDefinition {
  public static let report = Report(
    "facilities", "Facilities",
    summary: "Facilities of each district ranked among those of their size.",
    discussion:
      "By the rate of controlled patients, or by another rate named with --figures. Equal rates share a rank; facilities without "
      + "the rate have none and come last. The district's rate is that of all its patients together, which is the mean of its "
      + "facilities weighted by patients. Changes are in percentage points since the period before.",
    example: "report facilities --quarter 2024Q2 --district Bathinda",
    parameters: Set<ReportParameter>.period.union(Set<ReportParameter>.region).union([
      .figures, .edition, .asKnownNow, .controlledBelow, .suppressBelow,
    ]),
    sections: [
      .init(
        "Ranking", FigureSet.outcomes.filter { $0.name == "controlled_rate" })
    ], maker: RankingTable(source: CareCounts()))
}

/// Facilities in the order of a rate.
struct RankingTable: ReportMaker {
  let source: any CountSource

  var choice: FigureSet? { FigureSet(source.figures.figures.filter(\.isRate)) }

  /// A facility, before it is ranked.
  private struct Candidate {
    let line: FigureLine
    let size: String
    /// Whole per cent and tenths, of now, of the period before, of the district.
    let rate: ReportTable.Cell
    let before: ReportTable.Cell
    let district: ReportTable.Cell

    var group: [ExactText] {
      [line.row.state ?? "", line.row.district ?? "", size].map { ExactText($0) }
    }

    /// Less for a better place: those without a rate last.
    var order: (Int, String) {
      let key = line.row.key.map(\.text).joined(separator: "\u{1}")
      if case .rate(let tenths) = rate { return (-tenths, (line.row.facility ?? "") + key) }
      return (Int.max, (line.row.facility ?? "") + key)
    }
  }

  func make(_ report: Report, _ question: ReportQuestion, _ tx: borrowing Transaction) async throws
    -> ReportTable
  {
    let figure = try figure(question, report)
    let setting = try await ReportSetting.read(today: question.today, tx)
    let frame = try ReportFrame(question.period, question.view, setting)
    let previous = try ReportFrame(
      question.period.advanced(by: -1), question.view == .knownNow ? .knownNow : .published, setting
    )
    // The district's rate is of the whole district, however few of its facilities are asked for.
    let region = RegionChoice(state: question.region.state, district: question.region.district)
    let now = try await lines(frame, region, question, tx)
    let before = try await lines(previous, region, question, tx)
    let chosen = try await source.count(frame, question.region, question.limits, tx)
    let ids = Set(chosen.places.map(\.idText))
    let candidates = candidates(now, before, figure).filter {
      ids.contains($0.line.row.facilityID.map { $0.uuidString.lowercased() } ?? "")
    }
    return table(ranked(candidates), figure, frame, report, question)
  }

  private func figure(_ question: ReportQuestion, _ report: Report) throws -> Figure {
    let asked = try (choice ?? source.figures).named(question.figures)
    guard asked.count < 2 else {
      throw ReportQuestion.Refusal(
        "facilities are ranked by one rate, for example --figures missed_visit_rate")
    }
    return asked.first ?? report.figures[0]
  }

  private func lines(
    _ frame: ReportFrame, _ region: RegionChoice, _ question: ReportQuestion,
    _ tx: borrowing Transaction
  ) async throws -> [FigureLine] {
    let lines: [FigureLine]
    do {
      let placed = try await source.count(frame, region, question.limits, tx)
      lines = FigureLine.lines(placed.hierarchy().rows(from: region.top), frame, 0)
    } catch let unknown as UnknownRegion {
      // A region that there was not in the period before has no change.
      guard frame.period != question.period else { throw unknown }
      return []
    }
    return question.suppressed(lines, source.figures)
  }

  private func candidates(_ now: [FigureLine], _ before: [FigureLine], _ figure: Figure)
    -> [Candidate]
  {
    func cell(_ line: FigureLine) -> ReportTable.Cell {
      ReportTable.Cell(figure, line.row.tally, hiding: line.hidden)
    }
    // Where a facility has moved, it is compared with itself elsewhere.
    let facilities = before.filter { $0.row.level == .facility }
    let rates = Dictionary(facilities.map { ($0.row.facilityID, cell($0)) }) { first, _ in first }
    var district: ReportTable.Cell = .empty
    return now.compactMap { line in
      if line.row.level == .district { district = cell(line) }
      guard line.row.level == .facility else { return nil }
      return Candidate(
        line: line, size: line.row.size ?? FacilitySize.unknown, rate: cell(line),
        before: rates[line.row.facilityID] ?? .empty, district: district)
    }
  }

  /// By state, district and size, and in each by rate; a rank is one more than how many are better.
  private func ranked(_ candidates: [Candidate]) -> [(rank: Int?, of: Int, candidate: Candidate)] {
    let groups = Dictionary(grouping: candidates, by: \.group)
    let order = groups.keys.sorted { a, b in
      if a[0] != b[0] { return a[0] < b[0] }
      if a[1] != b[1] { return a[1] < b[1] }
      return FacilitySize.precedes(a[2].text, b[2].text)
    }
    return order.flatMap { group -> [(rank: Int?, of: Int, candidate: Candidate)] in
      let members = (groups[group] ?? []).sorted { $0.order < $1.order }
      let rates = members.compactMap { member -> Int? in
        if case .rate(let tenths) = member.rate { tenths } else { nil }
      }
      return members.map { member in
        guard case .rate(let own) = member.rate else { return (nil, rates.count, member) }
        return (rates.count { $0 > own } + 1, rates.count, member)
      }
    }
  }

  private func table(
    _ ranked: [(rank: Int?, of: Int, candidate: Candidate)], _ figure: Figure,
    _ frame: ReportFrame, _ report: Report, _ question: ReportQuestion
  ) -> ReportTable {
    guard case .rate(let part, let whole) = figure.kind else {
      preconditionFailure("only rates are to choose from")
    }
    let counts = [part, whole].compactMap { name in
      source.figures.figures.first { $0.name == name }
    }
    typealias Column = ReportTable.Column
    let columns =
      ["period", "state", "district", "block", "size", "facility_id", "facility"].map {
        Column($0, $0.replacing("_", with: " ").capitalized, isNumber: false)
      } + [Column("rank", "Rank"), Column("ranked", "Of")] + counts.map { Column($0) } + [
        Column(figure), Column("district_rate", "District %"),
        Column("from_district", "From district"), Column("previous_rate", "Before %"),
        Column("change", "Change"), Column("status", "Status", isNumber: false),
        Column("edition", "Edition"),
      ]
    let rows = ranked.map { rank, of, candidate in
      let row = candidate.line.row
      return ReportTable.Row(
        label: row.label, depth: 0,
        cells: [
          .text("\(question.period)"), .text(orEmpty: row.state), .text(orEmpty: row.district),
          .text(orEmpty: row.block), .text(candidate.size),
          .text(orEmpty: row.facilityID.map { $0.uuidString.lowercased() }),
          .text(orEmpty: row.facility), rank.map { .integer($0) } ?? .empty, .integer(of),
        ] + counts.map { ReportTable.Cell($0, row.tally, hiding: candidate.line.hidden) } + [
          candidate.rate, candidate.district, .difference(candidate.district, candidate.rate),
          candidate.before, .difference(candidate.before, candidate.rate),
        ] + frame.statusCells)
    }
    return ReportTable(
      name: report.name, title: "\(report.title) by size: \(figure.title), \(question.period)",
      facts: question.facts(report) + [("ranked_by", figure.name)] + frame.facts,
      columns: columns,
      sections: [
        .init(
          figure.title,
          ["district", "size", "rank", "ranked"] + counts.map(\.name)
            + [figure.name, "from_district", "change"])
      ], rows: rows, charts: [.init(.bars, figure.title, of: figure.name)])
  }
}
