import Hypertension

/// `report district-bp`, as INDICATORS.md has it: one row a facility, and one for each block, district, state and for all.
public enum DistrictBPReport: ReportDefinition {
  public static let report = Report(
    "district-bp", "Hypertension control",
    summary:
      "Registrations, care, control and cohorts of each facility, block, district and state.",
    example: "report district-bp --quarter 2024Q2 --district Bathinda --output bathinda.csv",
    parameters: .figures.union([.patients]),
    sections: [
      .init("Registrations and care", FigureSet.registrations),
      .init("Blood pressure in the period", FigureSet.readings.filter { !$0.isRate }),
      .init(
        "Outcomes of patients under care, registered three months ago or more",
        FigureSet.outcomes, aside: ["uncontrolled_rate", "visited_no_bp_rate"]),
      .init(
        "Cohort", FigureSet.cohort.filter { !$0.isRate || $0.name == "cohort_controlled_rate" }),
    ], hasLineList: true, counting: .care)
}
