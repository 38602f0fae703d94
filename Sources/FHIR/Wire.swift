/// Everything that is read of a line, whichever resource it is; the rest is passed over.
///
/// One decoding for all types: `code`, `name` and so on are only looked at once the type is known,
/// because they have another shape in another resource.
struct Wire: Decodable {
  let type: String
  let id: String?
  /// The resource; nil when its type is not ours.
  let resource: Result<Resource?, any Error>

  enum Key: String, CodingKey {
    case resourceType, id, name, address, deceasedDateTime, deceasedBoolean, status
    case verificationStatus, code, subject, encounter, recordedDate, onsetDateTime, period
    case serviceProvider, effectiveDateTime, effectiveInstant, effectivePeriod, component
  }

  init(from decoder: any Decoder) throws {
    let fields = Fields(try decoder.container(keyedBy: Key.self))
    guard let type: String = try fields[.resourceType] else { throw Fault("no resourceType") }
    self.type = type
    let id = try? (fields[.id] as String?).flatMap { FHIRID.valid($0) }
    self.id = id
    resource = Result { try fields.resource(type, id) }
  }
}

/// What is wrong with a resource, before its name is put to it.
struct Fault: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// The fields of one resource.
struct Fields {
  typealias Container = KeyedDecodingContainer<Wire.Key>
  private let container: Container

  init(_ container: Container) { self.container = container }

  subscript<T: Decodable>(_ key: Wire.Key) -> T? {
    get throws { try container.decodeIfPresent(T.self, forKey: key) }
  }

  func has(_ key: Wire.Key) -> Bool { container.contains(key) }

  func time(_ key: Wire.Key) throws -> FHIRDateTime? {
    guard let text: String = try self[key] else { return nil }
    guard let time = FHIRDateTime(text) else {
      throw Fault("\(key.rawValue) is not a FHIR dateTime")
    }
    return time
  }

  func start(of key: Wire.Key) throws -> FHIRDateTime? {
    guard let span: Span = try self[key], let text = span.start else { return nil }
    guard let time = FHIRDateTime(text) else {
      throw Fault("\(key.rawValue).start is not a FHIR dateTime")
    }
    return time
  }

  func patientID() throws -> String {
    guard let subject: Reference = try self[.subject] else { throw Fault("no subject") }
    guard let id = subject.id(of: "Patient") else {
      throw Fault("subject is not a reference to a Patient")
    }
    return id
  }

  /// A reference that names no resource of a file is as good as none.
  func reference(_ key: Wire.Key, to type: String) throws -> String? {
    (try self[key] as Reference?)?.id(of: type)
  }
}

/// A FHIR Period; its end does not matter.
private struct Span: Decodable { let start: String? }
