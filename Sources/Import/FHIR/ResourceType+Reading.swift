/// From a resource to the fields that are copied (INDICATORS.md, "From FHIR R4 to the model").
extension ResourceType {
  private static let snomed = "http://snomed.info/sct"
  private static let loinc = "http://loinc.org"
  private static let hypertension: Set = ["38341003", "59621000"]
  private static let bloodPressure: Set = ["85354-9", "55284-4"]

  static func organization(_ resource: FHIR.Organization) throws -> [String?] {
    let address = resource.address?.first
    return [
      try id(resource.id), resource.name ?? "Unknown", address?.state ?? "Unknown",
      address?.district ?? address?.city ?? "Unknown",
    ]
  }

  static func patient(_ resource: FHIR.Patient) throws -> [String?] {
    [try id(resource.id), try time(resource.deceasedDateTime, "deceasedDateTime")]
  }

  static func condition(_ resource: FHIR.Condition) throws -> [String?]? {
    guard resource.code?.has(hypertension, of: snomed) == true else { return nil }
    return [
      try id(resource.id), try patient(resource.subject), resource.encounter?.id(of: "Encounter"),
      try time(resource.recordedDate, "recordedDate")
        ?? time(resource.onsetDateTime, "onsetDateTime"),
    ]
  }

  static func encounter(_ resource: FHIR.Encounter) throws -> [String?] {
    [
      try id(resource.id), try patient(resource.subject),
      try time(resource.period?.start, "period.start"),
      resource.serviceProvider?.id(of: "Organization"),
    ]
  }

  static func observation(_ resource: FHIR.Observation) throws -> [String?]? {
    guard resource.code?.has(bloodPressure, of: loinc) == true else { return nil }
    let deleted = resource.status == "entered-in-error"
    guard deleted || ["final", "amended", "corrected"].contains(resource.status) else { return nil }
    return [
      try id(resource.id), try patient(resource.subject), resource.encounter?.id(of: "Encounter"),
      try time(resource.effectiveDateTime, "effectiveDateTime"),
      try pressure("8480-6", "systolic", 20...400, in: resource),
      try pressure("8462-4", "diastolic", 10...300, in: resource), deleted ? "t" : "f",
    ]
  }

  private static func id(_ id: String?) throws -> String {
    guard let id, !id.isEmpty else { throw FHIR.Reject(id: nil, reason: "id is missing") }
    return id
  }

  private static func patient(_ reference: FHIR.Reference?) throws -> String {
    guard let id = reference?.id(of: "Patient") else {
      throw FHIR.Reject(id: nil, reason: "subject: expected a reference to a Patient")
    }
    return id
  }

  private static func time(_ text: String?, _ name: String) throws -> String? {
    guard let text else { return nil }
    guard let time = TimeText.canonical(text) else {
      throw FHIR.Reject(
        id: nil, reason: "\(name): expected a date or a time such as 2024-06-30T09:15:00+05:30")
    }
    return time
  }

  private static func pressure(
    _ code: String, _ name: String, _ range: ClosedRange<Double>, in resource: FHIR.Observation
  ) throws -> String {
    let component = resource.component?.first { $0.code?.has([code], of: loinc) == true }
    guard let value = component?.valueQuantity?.value else {
      throw FHIR.Reject(id: nil, reason: "\(name): component \(code) has no value")
    }
    let whole = value.rounded(.toNearestOrAwayFromZero)
    guard range.contains(whole) else {
      throw FHIR.Reject(
        id: nil,
        reason: "\(name): expected \(Int(range.lowerBound)) to \(Int(range.upperBound)) mmHg")
    }
    return String(Int(whole))
  }
}
