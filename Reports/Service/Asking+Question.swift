import Hypertension
import PeriodRollups
import Reports

/// What a query string asks of a report or a list.
extension Asking {
  /// The names that a report takes.
  static func names(of report: Report) -> Set<String> {
    var names: Set<String> = ["format"]
    for parameter in report.parameters {
      switch parameter {
      case .quarter, .month: names.insert("period")
      case .state, .district, .block, .facility, .by, .figures, .trend, .suppressBelow:
        names.insert(parameter.rawValue)
      case .edition, .asKnownNow, .compare: names.insert("view")
      case .from, .to, .patients, .controlledBelow: break
      }
    }
    return names
  }

  /// How far back a report goes at a time.
  static let trend = 1...36

  func format(default usual: ServedFormat) throws(Refusal) -> ServedFormat {
    try one("format", ServedFormat.self) ?? usual
  }

  func question(of report: Report, for visitor: Gate.Visitor) throws(Refusal) -> ReportQuestion {
    guard let period = try period() else {
      throw .usage("name a period, for example period=2024Q2 or period=2024-06")
    }
    let count = try number("trend", Self.trend) ?? report.trend
    var question = ReportQuestion(try span(of: count, to: period))
    question.region = try visitor.reach(region)
    guard visitor.opens(report) else {
      throw .forbidden("Facilities are ranked within a district, and the token does not open one.")
    }
    question.grouping = try one("by", RegionLevel.self)
    question.figures = self["figures"].map { $0.split(separator: ",").map(String.init) } ?? []
    question.suppressBelow = try number("suppress-below", 2...1000)
    let view = try view()
    question.view = view.reportView
    question.isComparison = view == .compared
    guard !question.isComparison || report.parameters.contains(.compare) else {
      throw .usage("'\(report.name)' is not compared: view is published, known-now or edition-1")
    }
    return question
  }

  private func span(of count: Int, to last: Period) throws(Refusal) -> ClosedRange<Period> {
    let first = last.advanced(by: 1 - count)
    // A ranking goes one further back.
    guard first.start.year > 1900 else { throw .missing("There are no figures that far back.") }
    return first...last
  }

  /// The question of a list of patients.
  func list(_ name: String, for visitor: Gate.Visitor) throws(Refusal) -> ReportQuestion {
    var question: ReportQuestion
    if name == "recall" {
      // It is as of today, whatever the period.
      question = ReportQuestion(Period(.month, containing: CalendarDate(daysSince1970: 0)))
    } else {
      guard let period = try period(), let figure = try one("figure", Indicator.self) else {
        throw .usage("name a period and a figure, such as period=2024Q2&figure=missed_visit")
      }
      guard API.listed.contains(figure) else {
        throw .usage(
          "figure=\(figure.rawValue): expected one of \(API.listed.map(\.rawValue).joined(separator: ", "))"
        )
      }
      question = ReportQuestion(try span(of: 1, to: period))
      question.patients = figure
      let view = try view()
      guard view != .compared else {
        throw .usage("view=compare is of figures: expected published, known-now or edition-1")
      }
      question.view = view.reportView
    }
    question.region = try visitor.reach(region)
    return question
  }
}
