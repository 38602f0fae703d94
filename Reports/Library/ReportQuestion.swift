import Hypertension
import PeriodRollups

/// What is asked of a report.
public struct ReportQuestion: Sendable {
  /// One period, or several of a type.
  public var periods: ClosedRange<Period>
  public var region: RegionChoice
  /// The level that there are rows of, with those above it; ``RegionLevel/size`` for the sizes of facilities. nil for what
  /// the report shows by itself.
  public var grouping: RegionLevel?
  public var view: ReportView
  /// Published and known now side by side.
  public var isComparison: Bool
  public var limits: ControlLimits
  /// Only these figures, by name; empty for those that the report shows by itself.
  public var figures: [String]
  /// Smaller counts are hidden; nil to hide nothing.
  public var suppressBelow: Int?
  /// Who is behind the figure, instead of figures.
  public var patients: Indicator?
  /// For a range of days: its first and last one.
  public var days: ClosedRange<CalendarDate>?
  /// The day it is in the reporting time zone; nil to ask the database.
  public var today: CalendarDate?

  public init(
    _ periods: ClosedRange<Period>, region: RegionChoice = RegionChoice(),
    grouping: RegionLevel? = nil, view: ReportView = .published, isComparison: Bool = false,
    limits: ControlLimits = .standard, figures: [String] = [], suppressBelow: Int? = nil,
    patients: Indicator? = nil, days: ClosedRange<CalendarDate>? = nil,
    today: CalendarDate? = nil
  ) {
    self.periods = periods
    self.region = region
    self.grouping = grouping
    self.view = view
    self.isComparison = isComparison
    self.limits = limits
    self.figures = figures
    self.suppressBelow = suppressBelow
    self.patients = patients
    self.days = days
    self.today = today
  }

  /// Of one period.
  public init(_ period: Period) { self.init(period...period) }

  /// The last of the periods.
  public var period: Period { periods.upperBound }

  /// `2024Q2`, `2024Q1 to 2024Q4`, or two days.
  public var periodText: String {
    if let days { return "\(days.lowerBound) to \(days.upperBound)" }
    return periods.count == 1 ? "\(period)" : "\(periods.lowerBound) to \(period)"
  }

  /// A question that the report has no answer to: bad usage.
  public struct Refusal: Error, Hashable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
  }
}

/// Which figures of a closed period.
public enum ReportView: Hashable, Sendable {
  /// As published, in the last edition. The one there is of an open period.
  case published
  /// As published in an edition.
  case edition(Int)
  /// As they would be today.
  case knownNow
}
