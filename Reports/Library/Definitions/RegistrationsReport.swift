import Hypertension

/// `report registrations`: who came into the programme, and who of them is in care.
public enum RegistrationsReport: ReportDefinition {
  public static let report = Report(
    "registrations", "Registrations and care",
    summary: "New and cumulative registrations, and how many are under care, lost or dead.",
    example: "report registrations --from 2024-01 --to 2024-06 --by district",
    parameters: .figures.union([.patients]).subtracting([.controlledBelow]),
    sections: [.init("Registrations and care", FigureSet.registrations)], hasLineList: true,
    counting: .care)
}
