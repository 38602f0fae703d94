extension ReportTable {
  /// The report's drawings, each a `figure` of HTML with a caption; for pages that set `--ink`, `--rule` and `--bar`.
  /// - Parameter width: in pixels of CSS.
  package func drawings(width: Double) -> [String] {
    charts.compactMap { chart in SVGChart(chart, self, width: width)?.figure }
  }
}
