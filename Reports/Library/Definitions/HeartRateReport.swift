import Hypertension

/// `report heart-rate`: heart rates that came with a period's most recent readings.
public enum HeartRateReport: ReportDefinition {
  public static let report = Report(
    "heart-rate", "Heart rate",
    summary: "The heart rate with the most recent blood pressure of each patient in the period.",
    discussion: "Beats a minute at rest: below 60 is bradycardia, above 100 tachycardia.",
    example: "report heart-rate --month 2024-06 --district Bathinda",
    parameters: .figures.subtracting([.edition, .controlledBelow]),
    sections: [.init("Heart rate", FigureSet.heartRate.figures)],
    counting: .heartRate)
}
