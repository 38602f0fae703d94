import Hypertension

/// `report blood-sugar`: the most recent blood sugars of a period.
public enum BloodSugarReport: ReportDefinition {
  public static let report = Report(
    "blood-sugar", "Blood sugar",
    summary: "The most recent blood sugar of each patient in the period.",
    discussion:
      "Controlled is below 200 mg/dL after a meal or at random, below 126 "
      + "fasting, HbA1c below 7 per cent; very high is from 300, 200 and 9.",
    example: "report blood-sugar --quarter 2024Q2 --by district",
    parameters: .figures.subtracting([.edition, .controlledBelow]),
    sections: [
      .init(
        "Most recent blood sugar", FigureSet.bloodSugar.figures.filter { !isType($0) }),
      .init("How it was measured", FigureSet.bloodSugar.figures.filter(isType)),
    ], counting: .bloodSugar)

  private static func isType(_ figure: Figure) -> Bool {
    ["sugar_fasting", "sugar_post_prandial", "sugar_random", "sugar_hba1c"].contains(figure.name)
  }
}
