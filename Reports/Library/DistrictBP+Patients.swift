import Foundation
import Hypertension

extension DistrictBP {
  /// A row a patient: ids, the facility that counts the patient, and the most recent reading of the last three months.
  func list(
    _ patients: [ListedPatient], _ indicator: Indicator, _ places: [Place], _ frame: ReportFrame
  ) -> ReportTable {
    let known = Dictionary(places.map { ($0.knownID, $0) }) { first, _ in first }
    let listed = patients.compactMap { patient -> (Place, ListedPatient)? in
      let facility =
        indicator.isOfRegistration ? patient.registrationFacility : patient.assignedFacility
      if indicator.isOfRegistration, facility == nil { return nil }
      guard let place = known[facility] ?? (isWhole ? Place.stranger(facility) : nil) else {
        return nil
      }
      return (place, patient)
    }
    .sorted {
      Self.key($0).lexicographicallyPrecedes(Self.key($1), by: Hierarchy.byCodePoints)
    }
    return ReportTable(
      name: "district-bp-patients", title: "Patients: \(indicator.rawValue), \(period)",
      facts: facts(frame) + [("patients", indicator.rawValue)], columns: Self.listColumns,
      sections: [.init(indicator.rawValue, ["patient_id", "systolic", "diastolic"])],
      rows: listed.map { place, patient in
        let pressure = patient.line.recent
        let id = patient.id.uuidString.lowercased()
        return ReportTable.Row(
          label: place.name, depth: 0,
          cells: [
            .text("\(period)"), .text(place.state), .text(place.district),
            .text(orEmpty: place.block),
            .text(orEmpty: place.knownID.map { $0.uuidString.lowercased() }), .text(place.name),
            .text(id), pressure.map { .integer($0.systolic) } ?? .empty,
            pressure.map { .integer($0.diastolic) } ?? .empty,
          ] + frame.statusCells)
      })
  }

  private var isWhole: Bool { state == nil && district == nil }

  private static func key(_ row: (Place, ListedPatient)) -> [String] {
    let (place, patient) = row
    return [
      place.state, place.district, place.block ?? "", place.name,
      place.knownID?.uuidString.lowercased() ?? "", patient.id.uuidString.lowercased(),
    ]
  }

  private static let listColumns: [ReportTable.Column] =
    ["period", "state", "district", "block", "facility_id", "facility", "patient_id"].map {
      ReportTable.Column($0, $0.replacing("_", with: " ").capitalized, isNumber: false)
    } + [
      .init("systolic", "Systolic"), .init("diastolic", "Diastolic"),
      .init("status", "Status", isNumber: false), .init("edition", "Edition"),
    ]
}
