import Foundation
import Logging

/// Writes a JSON object a line to standard error: for whatever gathers logs. What was a number is a number there.
public struct JSONLogHandler: LogHandler {
  public var metadata: Logger.Metadata = [:]
  public var logLevel: Logger.Level = .info
  private let label: String

  public init(label: String) { self.label = label }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var fields = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues(Self.json)
    fields["request_id"] = fields.removeValue(forKey: "hb.request.id")
    fields["at"] = .text(
      Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
    fields["level"] = .text(event.level.rawValue)
    fields["logger"] = .text(label)
    fields["message"] = .text("\(event.message)")
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let line = try? encoder.encode(JSONValue.object(fields)) else { return }
    // Whoever read it may have gone: no reason to end.
    try? FileHandle.standardError.write(contentsOf: line + Data("\n".utf8))
  }

  private static func json(_ value: Logger.Metadata.Value) -> JSONValue {
    switch value {
    case .stringConvertible(let number as Int): .number(number)
    case .stringConvertible(let flag as Bool): .flag(flag)
    case .array(let values): .list(values.map(json))
    case .dictionary(let values): .object(values.mapValues(json))
    case .string, .stringConvertible: .text("\(value)")
    }
  }
}
