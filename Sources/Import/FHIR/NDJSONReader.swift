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
      guard !Self.hasTooManyValues(bytes) else {
        throw Reject("the line has more than \(Self.mostValues) values")
      }
      return try type.fields(bytes, decoder)
    }
  }

  /// More are a fault of their line, not a demand for memory: decoded, `{}` takes a hundred times
  /// its bytes. A patient's photo is one value, and takes its own.
  private static let mostValues = 100_000

  /// Before each value but the first there is one of `,:[{`; a line that is shorter than this many
  /// and their ends has fewer.
  private static func hasTooManyValues(_ line: Data) -> Bool {
    guard line.count > 2 * mostValues else { return false }
    var values = 0
    for byte in line {
      switch byte {
      case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "{"): values += 1
      default: continue
      }
    }
    return values > mostValues
  }
}
