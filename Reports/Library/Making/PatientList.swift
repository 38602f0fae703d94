import Foundation
import Hypertension
import PeriodRollups
import Postgres

/// The patients behind a figure, a row each: ids, the facility that counts the patient, and the most recent reading of the
/// last three months.
struct PatientList: Sendable {
  let indicator: Indicator
  let report: Report
  let question: ReportQuestion

  init(_ indicator: Indicator, _ report: Report, _ question: ReportQuestion) {
    self.indicator = indicator
    self.report = report
    self.question = question
  }

  func make(_ setting: ReportSetting, _ tx: borrowing Transaction) async throws -> ReportTable {
    let frame = try ReportFrame(question.period, question.view, setting)
    let places: [Place]
    let patients: [ListedPatient]
    if let edition = frame.published {
      places = try await Places.published(edition, question.region, tx).map(\.place)
      patients = try await PublishedPatients(edition, facilities: ids(places)).run(tx)
    } else {
      places = try await Places.live(question.region, tx)
      // Who registered at a facility may be assigned to any.
      let assigned = indicator.isOfRegistration ? nil : ids(places)
      patients = try await LivePatients(
        frame.evaluation, closed: frame.closed, assignedTo: assigned
      ).run(tx)
    }
    return table(
      patients.filter { $0.line.indicators(question.limits).contains(indicator) }, places, frame)
  }

  private func ids(_ places: [Place]) -> [UUID]? {
    question.region.isNarrowed ? places.compactMap(\.knownID) : nil
  }

  /// A patient, and the facility that counts it; they are sorted by its place among the facilities.
  private struct Listed: Sendable {
    let place: Int
    let id: UUID
    let pressure: Pressure?
  }

  private func table(_ patients: [ListedPatient], _ places: [Place], _ frame: ReportFrame)
    -> ReportTable
  {
    func facility(_ patient: ListedPatient) -> UUID? {
      indicator.isOfRegistration ? patient.registrationFacility : patient.assignedFacility
    }
    let counted = patients.filter { !indicator.isOfRegistration || facility($0) != nil }
    let known = Set(places.map(\.knownID))
    let strangers =
      question.region.isNarrowed
      ? [] : Set(counted.map(facility)).subtracting(known).map { Place.stranger($0) }
    let sorted = (places + strangers).sorted(by: Place.precedes)
    let order = Dictionary(sorted.enumerated().map { ($1.knownID, $0) }) { first, _ in first }
    let listed = counted.compactMap { patient in
      order[facility(patient)].map {
        Listed(place: $0, id: patient.id, pressure: patient.line.recent)
      }
    }
    .sorted { ($0.place, $0.id) < ($1.place, $1.id) }
    let (period, status) = (question.period, frame.statusCells)
    return ReportTable(
      name: "\(report.name)-patients", title: "Patients: \(indicator.rawValue), \(period)",
      facts: question.facts(report) + frame.facts + [("patients", indicator.rawValue)],
      columns: Self.columns,
      sections: [.init(indicator.rawValue, ["patient_id", "systolic", "diastolic"])],
      rows: ReportTable.Rows(count: listed.count) { number in
        let one = listed[number]
        let place = sorted[one.place]
        return ReportTable.Row(
          label: place.name, depth: 0,
          cells: [
            .text("\(period)"), .text(place.state), .text(place.district),
            .text(orEmpty: place.block),
            .text(orEmpty: place.knownID.map { $0.uuidString.lowercased() }), .text(place.name),
            .text(one.id.uuidString.lowercased()),
            one.pressure.map { .integer($0.systolic) } ?? .empty,
            one.pressure.map { .integer($0.diastolic) } ?? .empty,
          ] + status)
      })
  }

  private static let columns: [ReportTable.Column] =
    ["period", "state", "district", "block", "facility_id", "facility", "patient_id"].map {
      ReportTable.Column($0, $0.replacing("_", with: " ").capitalized, isNumber: false)
    } + [
      .init("systolic", "Systolic"), .init("diastolic", "Diastolic"),
      .init("status", "Status", isNumber: false), .init("edition", "Edition"),
    ]
}
