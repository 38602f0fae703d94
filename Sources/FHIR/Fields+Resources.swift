import Foundation

/// Each resource, by the table of INDICATORS.md, "From FHIR R4 to the model".
extension Fields {
  /// nil for what has nothing to do with blood pressure.
  func resource(_ type: String, _ id: String?) throws -> Resource? {
    guard let read = Self.readers[type] else { return nil }
    guard let id else {
      throw Fault(has(.id) ? "id is not a FHIR id" : "no id")
    }
    return try read(self)(id)
  }

  private static let readers: [String: @Sendable (Fields) -> (String) throws -> Resource?] = [
    "Organization": { $0.organization }, "Patient": { $0.patient }, "Condition": { $0.condition },
    "Encounter": { $0.encounter }, "Observation": { $0.observation },
  ]

  private func organization(_ id: String) throws -> Resource? {
    let address = (try self[.address] as [Address]?)?.first
    return .organization(
      OrganizationResource(
        id: id, name: try known(self[.name], "name"), state: try known(address?.state, "state"),
        district: try known(said(address?.district) ?? address?.city, "district")))
  }

  private func patient(_ id: String) throws -> Resource? {
    let deceased = try time(.deceasedDateTime)
    let isDeceased: Bool? = try self[.deceasedBoolean]
    return .patient(
      PatientResource(
        id: id, deceased: deceased, isDeceasedWithoutDate: deceased == nil && isDeceased == true))
  }

  private func condition(_ id: String) throws -> Resource? {
    guard let code: CodeableConcept = try self[.code], code.has(.hypertension) else { return nil }
    let verification: CodeableConcept? = try self[.verificationStatus]
    return .condition(
      ConditionResource(
        id: id, patientID: try patientID(),
        recorded: try time(.recordedDate) ?? time(.onsetDateTime),
        encounterID: try reference(.encounter, to: "Encounter"),
        isRetracted: (verification?.coding ?? []).contains {
          $0.code == "refuted" || $0.code == "entered-in-error"
        }))
  }

  private func encounter(_ id: String) throws -> Resource? {
    let status: String? = try self[.status]
    return .encounter(
      EncounterResource(
        id: id, patientID: try patientID(), start: try start(of: .period),
        serviceProviderID: try reference(.serviceProvider, to: "Organization"),
        isRetracted: ["planned", "cancelled", "entered-in-error"].contains(status)))
  }

  private func observation(_ id: String) throws -> Resource? {
    guard let code: CodeableConcept = try self[.code], code.has(.bloodPressure) else { return nil }
    guard let status: String = try self[.status] else { throw Fault("no status") }
    guard let state = Self.states[status] else { return nil }
    let patientID = try patientID()
    let components: [Component] = try self[.component] ?? []
    return .observation(
      ObservationResource(
        id: id, patientID: patientID, encounterID: try reference(.encounter, to: "Encounter"),
        effective: try time(.effectiveDateTime) ?? time(.effectiveInstant)
          ?? start(of: .effectivePeriod),
        systolic: try Pressure.systolic.value(in: components),
        diastolic: try Pressure.diastolic.value(in: components), state: state))
  }

  private static let states: [String: ObservationResource.State] = [
    "final": .final, "amended": .final, "corrected": .final, "entered-in-error": .enteredInError,
  ]

  private func said(_ text: String?) -> String? {
    guard let text = text?.trimmingCharacters(in: .whitespacesAndNewlines), !text.isEmpty else {
      return nil
    }
    return text
  }

  private func known(_ text: String?, _ name: String) throws -> String {
    let text = said(text) ?? "Unknown"
    // PostgreSQL's text cannot hold it.
    guard !text.utf8.contains(0) else { throw Fault("\(name) has a NUL character") }
    return text
  }
}

/// The parts of a FHIR Address that place a facility.
private struct Address: Decodable {
  let state: String?
  let district: String?
  let city: String?
}
