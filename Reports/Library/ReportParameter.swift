/// What a report may be asked, by the name of its option.
public enum ReportParameter: String, CaseIterable, Sendable {
  /// One period.
  case quarter, month
  /// Several: of ``ReportParameter/days`` the first and last day.
  case from, to
  case state, district, block, facility
  case by
  case trend
  case figures
  case edition
  case asKnownNow = "as-known-now"
  case compare
  case controlledBelow = "controlled-below"
  case suppressBelow = "suppress-below"
  case patients

  /// What it means, for `--help`.
  public var help: String {
    switch self {
    case .quarter: "A quarter, such as 2024Q2."
    case .month: "A month, such as 2024-06."
    case .from: "The first month or quarter, or of a range of days the first day."
    case .to: "The last one, itself included."
    case .state: "Only this state."
    case .district: "Only this district."
    case .block: "Only this block."
    case .facility: "Only this facility, by name or id."
    case .by: "What there is a row for: state, district, block, facility or size."
    case .trend: "This many periods, the one that is named the last of them."
    case .figures: "These figures, by name, with commas between them."
    case .edition: "An edition of a closed period. Default: the last."
    case .asKnownNow: "Of a closed period the figures as they would be today."
    case .compare: "Of a closed period the published figures, those of today and the difference."
    case .controlledBelow: "Count blood pressure as controlled below these limits, in mmHg."
    case .suppressBelow:
      "Hide counts of fewer people than this, and whatever they could be computed from."
    case .patients: "The patients behind a figure, such as controlled or missed_visit."
    }
  }
}

extension Set<ReportParameter> {
  /// One period.
  public static let period: Self = [.quarter, .month]
  /// One period or several.
  public static let periods: Self = period.union([.from, .to, .trend])
  public static let region: Self = [.state, .district, .block, .facility]
  /// What reports of figures are asked.
  public static let figures: Self = periods.union(region).union([
    .by, .figures, .edition, .asKnownNow, .compare, .controlledBelow, .suppressBelow,
  ])
}
