import Hypertension

/// From a resource to the fields that are copied (INDICATORS.md, "From FHIR R4 to the model").
extension ResourceType {
  private static let snomed = "http://snomed.info/sct"
  private static let loinc = "http://loinc.org"
  private static let verification = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
  private static let hypertension: Set = ["38341003", "59621000"]
  private static let bloodPressure: Set = ["85354-9", "55284-4"]
  private static let measured: Set = ["final", "amended", "corrected"]
  /// The status of what should never have been recorded.
  private static let error = "entered-in-error"

  static func organization(_ resource: FHIR.Organization) throws -> [String?] {
    let address = resource.address?.first
    return [
      resource.id, said(resource.name) ?? "Unknown", said(address?.state) ?? "Unknown",
      said(address?.district) ?? said(address?.city) ?? "Unknown",
    ]
  }

  static func patient(_ resource: FHIR.Patient) throws -> [String?] {
    [resource.id, try time(resource.deceasedDateTime, "deceasedDateTime")]
  }

  static func condition(_ resource: FHIR.Condition) throws -> [String?]? {
    guard resource.code?.has(hypertension, of: snomed) == true else { return nil }
    let isRetracted =
      resource.verificationStatus?.has([error, "refuted"], of: verification) == true
    return [
      resource.id, try patient(resource.subject), try encounter(resource.encounter),
      try time(resource.recordedDate, "recordedDate")
        ?? time(resource.onsetDateTime, "onsetDateTime"), isRetracted ? "t" : "f",
    ]
  }

  static func encounter(_ resource: FHIR.Encounter) throws -> [String?] {
    [
      resource.id, try patient(resource.subject), try time(resource.period?.start, "period.start"),
      try resource.serviceProvider?.id(of: "Organization", in: "serviceProvider"),
      resource.status == error ? "t" : "f",
    ]
  }

  static func observation(_ resource: FHIR.Observation) throws -> [String?]? {
    let isReading = resource.code?.has(bloodPressure, of: loinc) == true
    let sugar = isReading ? nil : SugarCode(resource.code, of: loinc)
    guard isReading || sugar != nil else { return nil }
    let isDeleted = resource.status == error
    guard isDeleted || resource.status.map(measured.contains) == true else { return nil }
    let values: [String?] =
      if let sugar {
        [nil, nil, nil, try mayBeMissing(isDeleted) { try sugar.value(of: resource) }, sugar.type]
      } else {
        try pressures(resource, mayBeMissing: isDeleted) + [heartRate(resource), nil, nil]
      }
    return [
      resource.id, try patient(resource.subject), try encounter(resource.encounter),
      try recordedAt(resource),
    ] + values + [isDeleted ? "t" : "f"]
  }

  /// The name of a place; nil for a text of blanks.
  private static func said(_ text: String?) -> String? {
    text.map(PlaceName.normalised).flatMap { $0.isEmpty ? nil : $0 }
  }

  private static func patient(_ subject: FHIR.Reference?) throws -> String {
    guard let id = try subject?.id(of: "Patient", in: "subject") else {
      throw Reject("subject: it is missing")
    }
    return id
  }

  private static func encounter(_ reference: FHIR.Reference?) throws -> String? {
    try reference?.id(of: "Encounter", in: "encounter")
  }

  /// When it was measured, in whichever form that is given. When it was issued says nothing of that: a phone
  /// that synced late would date it into another period.
  private static func recordedAt(_ resource: FHIR.Observation) throws -> String? {
    try time(resource.effectiveDateTime, "effectiveDateTime")
      ?? time(resource.effectiveInstant, "effectiveInstant")
      ?? time(resource.effectivePeriod?.start, "effectivePeriod.start")
  }

  private static func time(_ text: String?, _ name: String) throws -> String? {
    guard let text else { return nil }
    guard let time = TimeText.canonical(text) else { throw Reject("\(name): \(TimeText.expected)") }
    return time
  }

  /// A reading that is entered in error is often left without its values: it must go all the same.
  private static func pressures(
    _ resource: FHIR.Observation, mayBeMissing: Bool
  ) throws -> [String?] {
    try self.mayBeMissing(mayBeMissing) {
      [
        try pressure(.systolic, "8480-6", in: resource),
        try pressure(.diastolic, "8462-4", in: resource),
      ]
    } ?? [nil, nil]
  }

  /// nil for what cannot be read, where that does not matter.
  private static func mayBeMissing<Value>(_ isSo: Bool, _ value: () throws -> Value) throws
    -> Value?
  {
    do {
      return try value()
    } catch let error where isSo && (error is Reject || error is DecodingError) {
      return nil
    }
  }

  /// The component 8867-4, where a device gives it with the pressures; nil for what cannot be true.
  private static func heartRate(_ resource: FHIR.Observation) -> String? {
    let component = resource.component?.first { $0.code?.has(["8867-4"], of: loinc) == true }
    guard let quantity = component?.valueQuantity, quantity.comparator == nil else { return nil }
    return quantity.value.flatMap(Measure.heartRate.whole)
  }

  private static func pressure(
    _ pressure: Pressure, _ code: String, in resource: FHIR.Observation
  ) throws -> String {
    let component = resource.component?.first { $0.code?.has([code], of: loinc) == true }
    guard let quantity = component?.valueQuantity, let value = quantity.value else {
      throw Reject("\(pressure): component \(code) has no valueQuantity")
    }
    guard quantity.isMillimetresOfMercury else {
      throw Reject("\(pressure): the unit is not mm[Hg]")
    }
    // `>` and the like: a limit of what the device can tell, and no measurement.
    guard quantity.comparator == nil else {
      throw Reject("\(pressure): a value with a comparator is no measurement")
    }
    guard let whole = pressure.whole(value) else {
      throw Reject("\(pressure): \(pressure.expected)")
    }
    return String(whole)
  }
}
