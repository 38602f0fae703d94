import Foundation
import Hypertension

/// A drawing of a column, as SVG within HTML.
struct SVGChart {
  private let chart: ReportTable.Chart
  private let points: [Point]
  private let most: Double
  private let isRate: Bool
  private let width: Double

  /// A number that is drawn.
  private struct Point {
    let label: String
    let period: String
    /// nil where there is nothing, or nothing that is shown.
    let value: Double?
    let text: String
  }

  /// More than these are no picture any more.
  private static let mostBars = 40
  private static let mostLines = 6
  /// What fills a page; on half of that there is less around the picture.
  static let usualWidth = 720.0

  /// - Parameter width: in pixels of CSS.
  /// - Returns: nil where there is nothing to draw.
  init?(_ chart: ReportTable.Chart, _ table: ReportTable, width: Double = Self.usualWidth) {
    guard let place = table.place(of: chart.column) else { return nil }
    let period = table.place(of: "period")
    var rows = Array(table.rows.prefix(10_000))
    if chart.kind == .bars, rows.count > Self.mostBars {
      // The outermost regions are the ones to compare.
      let inner = (rows.map(\.depth).min() ?? 0) + 1
      rows = rows.filter { $0.depth <= inner }
    }
    let all = rows.map { row in
      let name = period.flatMap { row.cells[$0].text } ?? ""
      return Point(
        label: row.label.hasSuffix(", \(name)")
          ? String(row.label.dropLast(name.count + 2)) : row.label,
        period: name, value: row.cells[place].number, text: row.cells[place].shown(dash: "–"))
    }
    points = chart.kind == .bars ? Array(all.prefix(Self.mostBars)) : all
    let values = points.compactMap(\.value)
    guard let greatest = values.max(), values.count > 1 else { return nil }
    isRate = table.columns[place].figure?.isRate ?? false
    most = isRate ? 100 : max(greatest, 1)
    self.chart = chart
    self.width = width
  }

  private var isNarrow: Bool { width < 600 }

  /// The drawing with its caption.
  var figure: String {
    let (height, body) = chart.kind == .bars ? bars : lines
    let unit = isRate ? ", per cent" : ""
    return """
      <figure>
      <figcaption>\(chart.title.html)\(unit)</figcaption>
      <svg viewBox="0 0 \(Int(width)) \(height)" width="\(Int(width))" height="\(height)" role="img" aria-label="\(description.html)">
      \(body.joined(separator: "\n"))
      </svg>
      </figure>
      """
  }

  /// What one who does not see it should know; the numbers are in the tables.
  private var description: String {
    let numbers = points.compactMap { point in point.value.map { (point, $0) } }
    guard let least = numbers.min(by: { $0.1 < $1.1 }), let most = numbers.max(by: { $0.1 < $1.1 })
    else { return chart.title }
    func name(_ point: Point) -> String {
      chart.kind == .bars ? point.label : "\(point.label) in \(point.period)"
    }
    return
      "\(chart.title): from \(least.0.text) (\(name(least.0))) to \(most.0.text) (\(name(most.0)))"
  }

  // MARK: Bars

  private var bars: (height: Int, body: [String]) {
    let (left, right, step) = (isNarrow ? 130.0 : 230.0, 70.0, 24.0)
    let room = width - left - right
    let body = points.enumerated().flatMap { number, point -> [String] in
      let top = Double(number) * step
      let length = (point.value ?? 0) / most * room
      return [
        text(
          point.label.fitted(to: isNarrow ? 16 : 30, ellipsis: "…").trimmed, x: left - 8,
          y: top + 16, anchor: "end"),
        "<rect x=\"\(left.short)\" y=\"\((top + 4).short)\" width=\"\(max(length, 0).short)\" height=\"\((step - 8).short)\" fill=\"var(--bar)\"/>",
        text(point.text, x: left + max(length, 0) + 6, y: top + 16, anchor: "start"),
      ]
    }
    return (Int(Double(points.count) * step + 4), body)
  }

  // MARK: Lines

  /// A line's dashes tell it from the others where its colour does not.
  private static let dashes = ["none", "8 4", "2 3", "10 3 2 3", "4 4", "1 5"]

  private var lines: (height: Int, body: [String]) {
    var periods: [String] = []
    var labels: [ExactText] = []
    for point in points {
      if !periods.contains(point.period) { periods.append(point.period) }
      let label = ExactText(point.label)
      if !labels.contains(label) { labels.append(label) }
    }
    // What the only line is called stands above the drawing.
    let isNamed = !isNarrow || labels.count > 1
    let (left, right, top, bottom) = (60.0, isNamed ? 170.0 : 62.0, 12.0, 34.0)
    let height = isNarrow ? 210.0 : 300.0
    let across = (width - left - right) / Double(max(periods.count - 1, 1))
    func x(_ period: String) -> Double {
      left + Double(periods.firstIndex(of: period) ?? 0) * across
    }
    let step = Self.step(to: most)
    func y(_ value: Double) -> Double {
      height - bottom - value / (4 * step) * (height - top - bottom)
    }
    var body: [String] = []
    for part in 0...4 {
      let value = step * Double(part)
      body.append(
        "<line x1=\"\(left.short)\" x2=\"\((width - right).short)\" y1=\"\(y(value).short)\" y2=\"\(y(value).short)\" stroke=\"var(--rule)\" stroke-width=\"0.5\"/>"
      )
      body.append(
        text(
          ReportTable.Cell.integer(Int(value)).shown(dash: ""), x: left - 6, y: y(value) + 4,
          anchor: "end"))
    }
    // As many names as there is room for.
    let room = isNarrow ? 4 : 8
    let every = max(1, (periods.count + room - 1) / room)
    for (number, period) in periods.enumerated() where number % every == 0 {
      body.append(text(period, x: x(period), y: height - 12, anchor: "middle"))
    }
    for (number, label) in labels.prefix(Self.mostLines).enumerated() {
      let own = points.filter { ExactText($0.label) == label }
      for run in runs(own) {
        let path = run.map { "\(x($0.period).short),\(y($0.value ?? 0).short)" }
        body.append(
          "<polyline points=\"\(path.joined(separator: " "))\" fill=\"none\" stroke=\"var(--bar)\" stroke-width=\"2.5\" stroke-dasharray=\"\(Self.dashes[number])\"/>"
        )
        for point in run {
          body.append(
            "<circle cx=\"\(x(point.period).short)\" cy=\"\(y(point.value ?? 0).short)\" r=\"3\" fill=\"var(--bar)\"/>"
          )
        }
      }
      guard let last = own.last(where: { $0.value != nil }), let value = last.value else {
        continue
      }
      let name = isNamed ? label.text.fitted(to: 18, ellipsis: "…").trimmed + " " : ""
      body.append(text(name + last.text, x: x(last.period) + 8, y: y(value) + 4, anchor: "start"))
    }
    return (Int(height), body)
  }

  /// A quarter of the axis: the least of 1, 2, 5, 10, 20, 25, 50 and so on of which four reach as far.
  static func step(to most: Double) -> Double {
    var unit = 1.0
    while true {
      for part in unit < 10 ? [1, 2, 5] : [1, 2, 2.5, 5] where 4 * part * unit >= most {
        return part * unit
      }
      unit *= 10
    }
  }

  /// Points without a gap between them.
  private func runs(_ points: [Point]) -> [[Point]] {
    points.split { $0.value == nil }.map(Array.init)
  }

  private func text(_ text: String, x: Double, y: Double, anchor: String) -> String {
    "<text x=\"\(x.short)\" y=\"\(y.short)\" text-anchor=\"\(anchor)\">\(text.html)</text>"
  }
}

extension Double {
  /// With one decimal at most.
  fileprivate var short: String {
    let tenths = Int((self * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : ReportTable.Cell.decimal(tenths: tenths)
  }
}

extension String {
  fileprivate var trimmed: String { trimmingCharacters(in: .whitespaces) }
}
