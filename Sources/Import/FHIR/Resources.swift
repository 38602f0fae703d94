import Foundation

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
    var verificationStatus: CodeableConcept?
    var code: CodeableConcept?
    var subject: Reference?
    var encounter: Reference?
    var recordedDate: String?
    var onsetDateTime: String?
  }

  struct Encounter: Decodable {
    var id: String?
    var status: String?
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
    var effectiveInstant: String?
    var effectivePeriod: Span?
    var component: [Component]?
  }

  struct Component: Decodable {
    var code: CodeableConcept?
    var valueQuantity: Quantity?
  }

  struct Quantity: Decodable {
    /// As it is written, which a Double would round before it is rounded to whole mmHg.
    var value: Decimal?
    var comparator: String?
    var unit: String?
    var system: String?
    var code: String?

    /// A code of UCUM tells, else the unit; where neither is given it is mmHg. The spellings `mmHg`
    /// and `mm Hg` are taken for `mm[Hg]`.
    var isMillimetresOfMercury: Bool {
      let isUCUM = system == nil || system == "http://unitsofmeasure.org"
      guard let text = isUCUM ? code ?? unit : unit else { return true }
      return text.lowercased().filter { !"[] ".contains($0) } == "mmhg"
    }
  }

  /// A Period of FHIR; its end does not matter.
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
}
