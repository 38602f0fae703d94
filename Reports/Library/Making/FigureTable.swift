import Hypertension
import PeriodRollups
import Postgres

/// A report of figures: a row a place and period.
struct FigureTable: ReportMaker {
  let source: any CountSource

  init(_ source: any CountSource) { self.source = source }

  var choice: FigureSet? { source.figures }

  func make(_ report: Report, _ question: ReportQuestion, _ tx: borrowing Transaction) async throws
    -> ReportTable
  {
    let setting = try await ReportSetting.read(today: question.today, tx)
    if let indicator = question.patients {
      return try await PatientList(indicator, report, question).make(setting, tx)
    }
    // What small counts hide depends on the rows that are not shown, too.
    let last = question.suppressBelow == nil ? question.lastLevel(of: report) : .facility
    var lines: [FigureLine] = []
    var frames: [ReportFrame] = []
    for period in question.periods {
      let frame = try ReportFrame(period, question.view, setting)
      frames.append(frame)
      lines +=
        question.isComparison
        ? try await compared(question, frame, frames.count - 1, last, tx)
        : try await counted(question, frame, frames.count - 1, last, tx)
    }
    let writing = FigureWriting(
      report: report, question: question,
      figures: try question.figures.isEmpty ? nil : source.figures.named(question.figures))
    return writing.table(
      question.suppressed(lines, source.figures),
      frames.count == 1 ? frames[0].facts : frames.map(\.fact))
  }

  private func counted(
    _ question: ReportQuestion, _ frame: ReportFrame, _ period: Int, _ last: RegionLevel,
    _ tx: borrowing Transaction
  ) async throws -> [FigureLine] {
    let placed = try await source.count(frame, question.region, question.limits, tx)
    return FigureLine.lines(question.rows(placed.hierarchy(to: last)), frame, period)
  }

  /// Published, and as known now at the places of then: a facility that has moved since is compared where it was.
  private func compared(
    _ question: ReportQuestion, _ frame: ReportFrame, _ period: Int, _ last: RegionLevel,
    _ tx: borrowing Transaction
  ) async throws -> [FigureLine] {
    guard frame.edition != nil else { throw Closing.Refusal.open(frame.period) }
    let published = try await source.count(frame, question.region, question.limits, tx)
    let now =
      question.region.isNarrowed
      ? try await source.recount(frame, at: published.places, question.limits, tx)
      : try await source.count(frame.asKnownNow, question.region, question.limits, tx)
    let places = published.merging(now)
    let sides = [published, now].map {
      question.rows(
        Hierarchy(places, tallies: $0.tallies, includingStrangers: false, to: last))
    }
    var lines = FigureLine.lines(sides[0], frame, period)
    for (number, row) in sides[1].enumerated() { lines[number].now = row.tally }
    return lines
  }
}

extension ReportQuestion {
  /// The rows of the region, or its sizes.
  func rows(_ hierarchy: Hierarchy) -> [Hierarchy.Row] {
    grouping == .size ? hierarchy.sizes(from: region.top) : hierarchy.rows(from: region.top)
  }

  /// The last level that is shown. A report by itself shows as much as its own; one that is narrowed below it shows what
  /// it is narrowed to.
  func lastLevel(of report: Report) -> RegionLevel {
    let level = grouping ?? report.grouping ?? .facility
    return level.rank < region.top.rank ? region.top : level
  }

  /// The lines, and what is not shown of them.
  func suppressed(_ lines: [FigureLine], _ figures: FigureSet) -> [FigureLine] {
    guard let limit = suppressBelow else { return lines }
    // Parents are counted within their period.
    let starts = Dictionary(lines.enumerated().map { ($1.period, $0) }) { first, _ in first }
    func line(_ number: Int, _ tally: Tally) -> Suppression.Line {
      let line = lines[number]
      let start = starts[line.period] ?? 0
      return Suppression.Line(
        parent: line.parent.map { $0 + start }, key: line.row.key, period: line.period,
        isAll: line.row.level == .all, tally: tally)
    }
    let suppression = Suppression(limit: limit, figures: figures)
    let hidden = suppression.hidden(lines.indices.map { line($0, lines[$0].row.tally) })
    let hiddenNow = suppression.hidden(lines.indices.map { line($0, lines[$0].now ?? Tally()) })
    return lines.indices.map { number in
      var line = lines[number]
      (line.hidden, line.hiddenNow) = (hidden[number], hiddenNow[number])
      return line
    }
  }
}

/// A row of a report of figures, before it is written.
struct FigureLine: Sendable {
  /// What the time is called: `2024Q2`.
  let periodName: String
  /// Which of the report's periods, counted from the first.
  let period: Int
  /// Status and edition.
  let status: [ReportTable.Cell]
  let row: Hierarchy.Row
  /// The number of the line, within its period, that this one is a part of.
  var parent: Int?
  /// As known now, of a comparison.
  var now: Tally?
  /// The names of counts that are not shown.
  var hidden: Set<String> = []
  var hiddenNow: Set<String> = []

  /// The lines of one period; a row's parent is the last before it that is less indented.
  static func lines(_ rows: [Hierarchy.Row], _ frame: ReportFrame, _ period: Int) -> [FigureLine] {
    lines(rows, "\(frame.period)", period, frame.statusCells)
  }

  static func lines(
    _ rows: [Hierarchy.Row], _ name: String, _ period: Int, _ status: [ReportTable.Cell]
  ) -> [FigureLine] {
    var open: [Int] = []
    return rows.enumerated().map { number, row in
      while let last = open.last, rows[last].depth >= row.depth { open.removeLast() }
      let parent = open.last
      open.append(number)
      return FigureLine(
        periodName: name, period: period, status: status, row: row, parent: parent)
    }
  }
}
