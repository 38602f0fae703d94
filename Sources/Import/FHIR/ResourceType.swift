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
    case .condition:
      "COPY raw_conditions (file, line, id, patient, encounter, recorded_at) FROM STDIN"
    case .encounter:
      "COPY raw_encounters (file, line, id, patient, started_at, facility) FROM STDIN"
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
    switch self {
    case .organization: try read(line, decoder, Self.organization)
    case .patient: try read(line, decoder, Self.patient)
    case .condition: try read(line, decoder, Self.condition)
    case .encounter: try read(line, decoder, Self.encounter)
    case .observation: try read(line, decoder, Self.observation)
    }
  }

  private func read<R: Decodable>(
    _ line: Data, _ decoder: JSONDecoder, _ fields: (R) throws -> [String?]?
  ) throws -> [String?]? {
    guard let envelope = try? decoder.decode(Envelope<R>.self, from: line) else {
      throw FHIR.Reject(id: nil, reason: "the line is not a JSON object of a FHIR resource")
    }
    guard envelope.resourceType == rawValue else {
      throw FHIR.Reject(id: envelope.id, reason: "resourceType: expected \(rawValue)")
    }
    do {
      let fields = try fields(envelope.resource.get())
      guard fields?.contains(where: { $0?.utf8.contains(0) == true }) != true else {
        throw FHIR.Reject(id: nil, reason: "a text has a NUL character")
      }
      return fields
    } catch let error as DecodingError {
      throw FHIR.Reject(id: envelope.id, reason: Self.reason(error))
    } catch let reject as FHIR.Reject {
      throw FHIR.Reject(id: reject.id ?? envelope.id, reason: reject.reason)
    }
  }

  /// The resource, and what names it when the rest cannot be read.
  private struct Envelope<R: Decodable>: Decodable {
    let resourceType: String?
    let id: String?
    let resource: Result<R, any Error>

    enum CodingKeys: CodingKey { case resourceType, id }

    init(from decoder: any Decoder) throws {
      let names = try decoder.container(keyedBy: CodingKeys.self)
      resourceType = try names.decodeIfPresent(String.self, forKey: .resourceType)
      id = try? names.decodeIfPresent(String.self, forKey: .id)
      resource = Result { try R(from: decoder) }
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
