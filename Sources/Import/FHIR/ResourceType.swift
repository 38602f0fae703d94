import Foundation

/// The resource types that are imported, each with the table its lines are copied to and what a line becomes.
enum ResourceType: String, CaseIterable, Sendable {
  case organization = "Organization"
  case patient = "Patient"
  case condition = "Condition"
  case encounter = "Encounter"
  case observation = "Observation"

  var copy: String {
    switch self {
    case .organization: "COPY raw_organizations (file, line, id, name, state, district) FROM STDIN"
    case .patient: "COPY raw_patients (file, line, id, died_at) FROM STDIN"
    case .condition: "COPY raw_conditions (file, line, id, patient, encounter, recorded_at) FROM STDIN"
    case .encounter: "COPY raw_encounters (file, line, id, patient, started_at, facility) FROM STDIN"
    case .observation:
      """
      COPY raw_observations (file, line, id, patient, encounter, recorded_at, systolic, diastolic, deleted)
      FROM STDIN
      """
    }
  }

  /// The fields of a line after file and line number; nil when it has nothing to do with blood pressure.
  /// - Throws: ``FHIR/Reject``.
  func fields(_ line: Data, _ decoder: JSONDecoder) throws -> [String?]? {
    guard let kind = try? decoder.decode(Kind.self, from: line) else {
      throw FHIR.Reject(id: nil, reason: "the line is not a JSON object of a FHIR resource")
    }
    guard kind.resourceType == rawValue else {
      throw FHIR.Reject(id: kind.id, reason: "resourceType: expected \(rawValue)")
    }
    do {
      let fields = try read(line, decoder)
      guard fields?.contains(where: { $0?.utf8.contains(0) == true }) != true else {
        throw FHIR.Reject(id: nil, reason: "a text has a NUL character")
      }
      return fields
    } catch let error as DecodingError {
      throw FHIR.Reject(id: kind.id, reason: Self.reason(error))
    } catch let reject as FHIR.Reject {
      throw FHIR.Reject(id: reject.id ?? kind.id, reason: reject.reason)
    }
  }

  private struct Kind: Decodable {
    var resourceType: String?
    var id: String?
  }

  private func read(_ line: Data, _ decoder: JSONDecoder) throws -> [String?]? {
    switch self {
    case .organization: try Self.organization(decoder.decode(FHIR.Organization.self, from: line))
    case .patient: try Self.patient(decoder.decode(FHIR.Patient.self, from: line))
    case .condition: try Self.condition(decoder.decode(FHIR.Condition.self, from: line))
    case .encounter: try Self.encounter(decoder.decode(FHIR.Encounter.self, from: line))
    case .observation: try Self.observation(decoder.decode(FHIR.Observation.self, from: line))
    }
  }

  /// Where it is and what was expected there, without the value.
  private static func reason(_ error: DecodingError) -> String {
    let (context, expected): (DecodingError.Context, String) =
      switch error {
      case .typeMismatch(let type, let context): (context, "expected \(type)")
      case .valueNotFound(let type, let context): (context, "expected \(type)")
      case .keyNotFound(let key, let context): (context, "\(key.stringValue) is missing")
      case .dataCorrupted(let context): (context, "it cannot be read")
      @unknown default: (.init(codingPath: [], debugDescription: ""), "it cannot be read")
      }
    let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
    return (path.isEmpty ? "the resource" : path.joined(separator: ".")) + ": " + expected
  }
}
