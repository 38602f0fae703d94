/// A code with the system that gives it its meaning.
struct Coding: Decodable {
  let system: String?
  let code: String?
}

/// Something said in codes of one or several systems.
struct CodeableConcept: Decodable {
  let coding: [Coding]?

  func has(_ codes: CodeSet) -> Bool {
    (coding ?? []).contains { coding in
      guard let system = coding.system, let code = coding.code else { return false }
      return codes.systems.contains(system) && codes.codes.contains(code)
    }
  }
}

/// Codes of one system, by both names that FHIR allows for it: its URI, and its OID.
struct CodeSet: Sendable {
  let systems: Set<String>
  let codes: Set<String>

  static let hypertension = CodeSet(snomed: "38341003", "59621000")
  static let bloodPressure = CodeSet(loinc: "85354-9", "55284-4")
  static let systolic = CodeSet(loinc: "8480-6")
  static let diastolic = CodeSet(loinc: "8462-4")

  private init(snomed codes: String...) {
    systems = ["http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"]
    self.codes = Set(codes)
  }

  private init(loinc codes: String...) {
    systems = ["http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"]
    self.codes = Set(codes)
  }
}
