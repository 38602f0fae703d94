/// What is read of FHIR R4 resources; everything else in them is passed over.
enum FHIR {
  struct Organization: Decodable {
    var id: String?
    var name: String?
    var address: [Address]?
  }

  struct Address: Decodable {
    var state: String?
    var district: String?
    var city: String?
  }

  struct Patient: Decodable {
    var id: String?
    var deceasedDateTime: String?
  }

  struct Condition: Decodable {
    var id: String?
    var code: CodeableConcept?
    var subject: Reference?
    var encounter: Reference?
    var recordedDate: String?
    var onsetDateTime: String?
  }

  struct Encounter: Decodable {
    var id: String?
    var subject: Reference?
    var period: Span?
    var serviceProvider: Reference?
  }

  struct Observation: Decodable {
    var id: String?
    var status: String?
    var code: CodeableConcept?
    var subject: Reference?
    var encounter: Reference?
    var effectiveDateTime: String?
    var component: [Component]?
  }

  struct Component: Decodable {
    var code: CodeableConcept?
    var valueQuantity: Quantity?
  }

  struct Quantity: Decodable { var value: Double? }
  struct Span: Decodable { var start: String? }

  struct CodeableConcept: Decodable {
    var coding: [Coding]?

    func has(_ codes: Set<String>, of system: String) -> Bool {
      (coding ?? []).contains { $0.system == system && $0.code.map(codes.contains) == true }
    }
  }

  struct Coding: Decodable {
    var system: String?
    var code: String?
  }

  struct Reference: Decodable {
    var reference: String?

    /// The id in `Type/id`, `https://server/fhir/Type/id`, either with `/_history/version`, and `urn:uuid:id`.
    func id(of type: String) -> String? {
      guard let reference else { return nil }
      if reference.hasPrefix("urn:uuid:") { return String(reference.dropFirst(9)) }
      let parts = reference.split(separator: "/")
      guard let place = parts.lastIndex(where: { $0 == type }), place + 1 < parts.count else {
        return nil
      }
      return String(parts[place + 1])
    }
  }

  /// Why a resource is rejected.
  struct Reject: Error {
    let id: String?
    let reason: String
  }
}
