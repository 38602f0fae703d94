import Foundation

/// The resource types that are imported, each with the table its lines are copied to and what a
/// line becomes.
enum ResourceType: String, CaseIterable, Sendable {
  case organization = "Organization"
  case patient = "Patient"
  case condition = "Condition"
  case encounter = "Encounter"
  case observation = "Observation"

  /// The type that is a word of a file's name, as in `Patient.ndjson`, `1.Patient.ndjson` and
  /// `Patient_000.ndjson.gz`; nil for other files.
  init?(ofFile name: String) {
    guard name.hasSuffix(".ndjson") || name.hasSuffix(".ndjson.gz") else { return nil }
    let types = name.split { !$0.isLetter }.compactMap { ResourceType(rawValue: String($0)) }
    guard let type = types.first else { return nil }
    self = type
  }

  /// The fields of a line after file and line number; nil when it has nothing to do with blood
  /// pressure or blood sugar.
  /// - Throws: ``Reject``.
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
      throw Reject("the line is not a JSON object of a FHIR resource")
    }
    guard envelope.resourceType == rawValue else {
      throw Reject(id: envelope.id, "resourceType: expected \(rawValue)")
    }
    do {
      guard envelope.id != nil else { throw Reject(FHIR.ResourceID.expected) }
      let fields = try fields(envelope.resource.get())
      guard fields?.contains(where: { $0?.utf8.contains(0) == true }) != true else {
        throw Reject("a text has a NUL character")
      }
      return fields
    } catch let error as DecodingError {
      throw Reject(id: envelope.id, Self.reason(error))
    } catch let reject as Reject {
      throw Reject(id: envelope.id, reject.reason)
    } catch {
      // Foundation's own, for a number such as 1e400.
      throw Reject(id: envelope.id, "the resource has a value that cannot be read")
    }
  }

  /// The resource, and what names it when the rest cannot be read.
  private struct Envelope<R: Decodable>: Decodable {
    let resourceType: String?
    /// nil when it is none that ``FHIR/ResourceID`` allows: anything may be in it.
    let id: String?
    let resource: Result<R, any Error>

    enum CodingKeys: CodingKey { case resourceType, id }

    init(from decoder: any Decoder) throws {
      let names = try decoder.container(keyedBy: CodingKeys.self)
      resourceType = try names.decodeIfPresent(String.self, forKey: .resourceType)
      let id = try? names.decodeIfPresent(String.self, forKey: .id)
      self.id = id.flatMap { FHIR.ResourceID.isValid($0) ? $0 : nil }
      resource = Result { try R(from: decoder) }
    }
  }

  /// Where it is and what was expected there, without the value.
  private static func reason(_ error: DecodingError) -> String {
    let (context, expected): (DecodingError.Context, String) =
      switch error {
      case .typeMismatch(let type, let context): (context, "expected \(name(of: type))")
      case .valueNotFound(let type, let context): (context, "expected \(name(of: type))")
      case .keyNotFound(let key, let context): (context, "\(key.stringValue) is missing")
      case .dataCorrupted(let context): (context, "it cannot be read")
      @unknown default: (.init(codingPath: [], debugDescription: ""), "it cannot be read")
      }
    let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
    return (path.isEmpty ? "the resource" : path.joined(separator: ".")) + ": " + expected
  }

  private static func name(of type: any Any.Type) -> String {
    switch type {
    case is String.Type: "a string"
    case is Decimal.Type: "a number"
    case is [Any].Type: "an array"
    default: "an object"
    }
  }
}

extension ResourceType: Rows {
  var name: String { rawValue }

  var copy: String {
    let columns =
      switch self {
      case .organization: "id, name, state, district"
      case .patient: "id, died_at"
      case .condition: "id, patient, encounter, recorded_at, retracted"
      case .encounter: "id, patient, started_at, facility, deleted"
      case .observation:
        "id, patient, encounter, recorded_at, systolic, diastolic, heart_rate, sugar, sugar_type, deleted"
      }
    return "COPY raw_\(rawValue.lowercased())s (file, line, \(columns)) FROM STDIN"
  }

  func reader(of path: String) -> any RowReader { NDJSONReader(self) }
}
