import Hypertension
import PeriodRollups

/// Puts lines of figures into a table.
struct FigureWriting: Sendable {
  let report: Report
  let question: ReportQuestion
  /// Those that were asked for; nil for the report's own.
  let figures: [Figure]?

  typealias Fact = (name: String, value: String)
  private typealias Column = ReportTable.Column

  /// - Parameter standing: what a reader should know of all lines' status.
  func table(_ lines: [FigureLine], _ standing: [Fact]) -> ReportTable {
    let shown = lines.filter(isShown)
    var table = question.isComparison ? comparison(shown, standing) : plain(shown, standing)
    table.emptiness = emptiness(shown)
    return table
  }

  /// Asked of all counts, not of the figures that are shown: these can be zero, or rates of nothing, where people are
  /// registered.
  private func emptiness(_ lines: [FigureLine]) -> String? {
    guard !lines.isEmpty,
      lines.allSatisfy({ $0.row.tally.isZero && $0.now?.isZero != false })
    else { return nil }
    let countsPeople = report.choosable.contains { $0.name == "cumulative_registrations" }
    return countsPeople
      ? "nobody is registered and nothing was recorded up to the end of \(question.periodText)"
      : "nothing that this report counts was recorded in \(question.periodText)"
  }

  private var sections: [Report.Section] {
    figures.map { [Report.Section(report.title, $0)] } ?? report.sections
  }

  private var shownFigures: [Figure] { sections.flatMap(\.figures) }

  // MARK: Rows

  /// Whether the row's level is asked for: those from the outermost to the one of `--by`.
  private func isShown(_ line: FigureLine) -> Bool {
    question.grouping == .size || line.row.level.rank <= question.lastLevel(of: report).rank
  }

  private var isBySize: Bool { question.grouping == .size }

  private var leadingColumns: [Column] {
    [
      Column("period", "Period", isNumber: false), Column("level", "Level", isNumber: false),
      Column("state", "State", isNumber: false), Column("district", "District", isNumber: false),
      Column("block", "Block", isNumber: false),
      Column("facility_id", "Facility id", isNumber: false),
      Column("facility", "Facility", isNumber: false),
    ] + (isBySize ? [Column("size", "Size", isNumber: false)] : [])
  }

  private func leading(_ line: FigureLine) -> [ReportTable.Cell] {
    let row = line.row
    return [
      .text(line.periodName), .text(row.level.rawValue), .text(orEmpty: row.state),
      .text(orEmpty: row.district), .text(orEmpty: row.block),
      .text(orEmpty: row.facilityID.map { $0.uuidString.lowercased() }),
      .text(orEmpty: row.facility),
    ] + (isBySize ? [.text(orEmpty: row.size)] : [])
  }

  private let trailing = [
    ReportTable.Column("status", "Status", isNumber: false),
    ReportTable.Column("edition", "Edition"),
  ]

  private func label(_ line: FigureLine) -> String {
    question.periods.count == 1 ? line.row.label : "\(line.row.label), \(line.periodName)"
  }

  // MARK: Tables

  private func plain(_ lines: [FigureLine], _ standing: [Fact]) -> ReportTable {
    let figures = shownFigures
    let rows = lines.map { line in
      ReportTable.Row(
        label: label(line), depth: line.row.depth,
        cells: leading(line)
          + figures.map { ReportTable.Cell($0, line.row.tally, hiding: line.hidden) }
          + line.status)
    }
    return ReportTable(
      name: report.name, title: "\(report.title), \(question.periodText)", facts: facts(standing),
      columns: leadingColumns + figures.map { Column($0) } + trailing,
      sections: sections.map { section in
        .init(section.title, section.figures.map(\.name).filter { !section.aside.contains($0) })
      }, rows: rows,
      charts: charts(figures))
  }

  /// Every figure as published, as known now, and what was added: `controlled`, `controlled_now`,
  /// `controlled_difference`.
  private func comparison(_ lines: [FigureLine], _ standing: [Fact]) -> ReportTable {
    let figures = shownFigures
    let columns =
      leadingColumns
      + figures.flatMap { figure in
        [
          Column(figure), Column("\(figure.name)_now", "now"),
          Column("\(figure.name)_difference", "+/-"),
        ]
      } + trailing
    let rows = lines.map { line in
      ReportTable.Row(
        label: label(line), depth: line.row.depth,
        cells: leading(line)
          + figures.flatMap { figure in
            let before = ReportTable.Cell(figure, line.row.tally, hiding: line.hidden)
            let after = ReportTable.Cell(figure, line.now ?? Tally(), hiding: line.hiddenNow)
            return [before, after, .difference(before, after)]
          } + line.status)
    }
    let unchanged: [ReportTable.Cell] = [.integer(0), .rate(tenths: 0), .empty]
    let changed = figures.map(\.name).filter { name in
      guard let place = columns.firstIndex(where: { $0.name == "\(name)_difference" }) else {
        return false
      }
      return rows.contains { !unchanged.contains($0.cells[place]) }
    }
    return ReportTable(
      name: report.name,
      title: "\(report.title), \(question.periodText), published and known now",
      facts: facts(standing)
        + [("changed", changed.isEmpty ? "nothing" : changed.joined(separator: " "))],
      columns: columns,
      sections: changed.map { name in
        .init(
          name.replacing("_", with: " "), [name, "\(name)_now", "\(name)_difference"])
      }, rows: rows)
  }

  /// A report of several periods draws lines, one of one period bars; of the first rate there is, else of the first count.
  private func charts(_ figures: [Figure]) -> [ReportTable.Chart] {
    guard let figure = figures.first(where: \.isRate) ?? figures.first else { return [] }
    let kind: ReportTable.Chart.Kind = question.periods.count > 1 ? .lines : .bars
    return [.init(kind, figure.title, of: figure.name)]
  }

  private func facts(_ standing: [Fact]) -> [Fact] { question.facts(report) + standing }
}

extension ReportQuestion {
  /// What a reader should know of what was asked.
  func facts(_ report: Report) -> [(name: String, value: String)] {
    let limits = "\(limits.systolic)/\(limits.diastolic)"
    return [("report", report.name), ("period", periodText)]
      + (report.parameters.contains(.controlledBelow) ? [("controlled_below", limits)] : [])
      + (suppressBelow.map { [("suppressed_below", "\($0)")] } ?? [])
  }
}
