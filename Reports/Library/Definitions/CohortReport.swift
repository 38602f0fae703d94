import Hypertension

/// `report cohort`: what became of those who registered together.
public enum CohortReport: ReportDefinition {
  public static let report = Report(
    "cohort", "Cohort outcomes",
    summary: "Outcomes of the patients who registered in the quarter, or two months, before.",
    discussion:
      "A quarter's cohort registered in the quarter before it and is judged in the quarter; a month's registered two months before "
      + "and is judged in the month and the one before it (INDICATORS.md).",
    example: "report cohort --quarter 2024Q2 --trend 4 --by district",
    parameters: .figures.union([.patients]),
    sections: [.init("Cohort", FigureSet.cohort)], hasLineList: true,
    counting: .care)
}
