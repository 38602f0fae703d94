import Foundation

/// Reads the lines of FHIR R4 NDJSON files, as a bulk export leaves them: one resource a line.
///
/// It opens no file and knows no database. Keep one for all lines of a file.
public struct FHIRReader {
  private let decoder = JSONDecoder()

  /// A reader for any number of lines.
  public init() {}

  /// Reads one line, without its end.
  /// - Returns: nil for a resource that is well-formed and has nothing to do with blood pressure:
  ///   of another type, code or status.
  /// - Throws: ``Rejection`` when the line or resource cannot be read.
  public func read(line: Data) throws(Rejection) -> Resource? {
    let wire: Wire
    do {
      wire = try decoder.decode(Wire.self, from: line)
    } catch {
      throw Rejection(resourceType: nil, id: nil, reason: Self.reason(error, line))
    }
    do {
      return try wire.resource.get()
    } catch {
      throw Rejection(resourceType: wire.type, id: wire.id, reason: Self.reason(error, line))
    }
  }

  /// Where it is and what was expected there, never what was found.
  private static func reason(_ error: any Error, _ line: Data) -> String {
    switch error {
    case let fault as Fault: fault.reason
    case DecodingError.typeMismatch(let type, let context):
      "\(path(context)) is not \(Self.name(of: type))"
    case DecodingError.valueNotFound(_, let context), DecodingError.keyNotFound(_, let context):
      "\(path(context)) has no value"
    case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
      "\(path(context)) cannot be read"
    default: MalformedJSON.reason(line)
    }
  }

  private static func path(_ context: DecodingError.Context) -> String {
    let path = context.codingPath.reduce("") { path, key in
      key.intValue.map { "\(path)[\($0)]" }
        ?? (path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)")
    }
    return path.isEmpty ? "the line" : path
  }

  private static func name(of type: any Any.Type) -> String {
    switch type {
    case is String.Type: "a string"
    case is Bool.Type: "true or false"
    case is Decimal.Type: "a number"
    case is [Any].Type: "an array"
    default: "an object"
    }
  }
}
