import Foundation

/// Reads the lines of an NDJSON file of one resource type.
struct NDJSONReader: RowReader {
  private let type: ResourceType
  private let lines = LineCutter()
  private let decoder = JSONDecoder()

  init(_ type: ResourceType) { self.type = type }

  func feed(_ bytes: [UInt8], _ body: (Row) -> Void) throws {
    try lines.feed(bytes) { body(try row($0)) }
  }

  func finish(_ body: (Row) -> Void) throws {
    try lines.finish { body(try row($0)) }
  }

  private func row(_ line: LineCutter.Line) throws -> Row {
    try Row(line.number) {
      guard let bytes = line.bytes else {
        throw Reject("the line is longer than \(LineCutter.longestLine >> 20) MiB")
      }
      return try type.fields(bytes, decoder)
    }
  }
}
