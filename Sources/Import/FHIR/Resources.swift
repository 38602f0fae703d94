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
    /// Read only where the code says that it is ours: what others have there does not matter.
    var valueQuantity: Deferred<Quantity>?
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

    /// Where neither is given it is mmHg. The spellings `mmHg` and `mm Hg` are taken for `mm[Hg]`.
    var isMillimetresOfMercury: Bool {
      guard let unitSaid else { return true }
      return unitSaid.filter { !"[]".contains($0) } == "mmhg"
    }

    /// A code of UCUM tells, else the unit, in small letters and without blanks: `mg/dl` is how some write `mg/dL`.
    var unitSaid: String? {
      let isUCUM = system == nil || system == "http://unitsofmeasure.org"
      return (isUCUM ? code ?? unit : unit)?.lowercased().filter { $0 != " " }
    }
  }

  /// A part that is decoded with its resource, and found faulty only when it is asked for.
  struct Deferred<Value: Decodable>: Decodable {
    let value: Result<Value, any Error>

    init(from decoder: any Decoder) throws {
      value = Result { try Value(from: decoder) }
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
