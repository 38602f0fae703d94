import Hypertension
import Reports

/// `report deaths`: who has died, beside who is in care.
public enum DeathsReport: ReportDefinition {
  public static let report = Report(
    "deaths", "Deaths",
    summary: "Patients who have died, and those who are under care.",
    example: "report deaths --quarter 2024Q2 --by district",
    parameters: .figures.union([.patients]),
    sections: [
      .init(
        "Deaths",
        FigureSet.registrations.filter {
          ["dead", "under_care", "assigned_patients"].contains($0.name)
        })
    ], hasLineList: true, counting: .care)
}
