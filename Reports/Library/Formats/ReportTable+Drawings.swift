extension ReportTable {
  /// The report's drawings, each a `figure` of HTML with a caption; for pages that set `--ink`, `--rule` and `--bar`.
  public var drawings: [String] {
    charts.compactMap { chart in SVGChart(chart, self)?.figure }
  }
}
