import Hypertension

/// `report trend`: any figures over months or quarters, of any region.
public enum TrendReport: ReportDefinition {
  public static let report = Report(
    "trend", "Trend",
    summary: "Figures over the last months or quarters, of any region.",
    discussion:
      "Twelve periods unless --trend or --from says otherwise; one line a region, with --by one a district, block or facility. "
      + "Closed periods are as published, by the regions of their closing.",
    example:
      "report trend --quarter 2024Q2 --trend 8 --district Bathinda --figures controlled_rate,missed_visit_rate",
    parameters: .figures,
    sections: [
      .init(
        "Outcomes of patients under care, registered three months ago or more", FigureSet.outcomes),
      .init("Registrations and care", FigureSet.registrations),
    ], grouping: .all, trend: 12, counting: .care)
}
