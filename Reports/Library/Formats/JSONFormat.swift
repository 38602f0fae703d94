import Foundation

/// One object: the report's facts, and its rows as objects. Keys are sorted, so that equal reports are equal bytes.
public struct JSONFormat: Format {
  public init() {}

  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    let rows = table.rows.map { row in
      Dictionary(uniqueKeysWithValues: zip(table.columns.map(\.name), row.cells.map(Value.init)))
    }
    let document = Document(
      facts: Dictionary(table.facts.map { ($0.name, $0.value) }) { first, _ in first }, rows: rows)
    try output(Array(encoder.encode(document)) + [0x0A])
  }

  private struct Document: Encodable {
    let facts: [String: String]
    let rows: [[String: Value]]
  }

  private struct Value: Encodable {
    let cell: ReportTable.Cell
    init(_ cell: ReportTable.Cell) { self.cell = cell }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch cell {
      case .text(let text): try container.encode(text)
      case .integer(let number): try container.encode(number)
      // Decimal, so that 51.2 is written as 51.2.
      case .rate(let tenths): try container.encode(Decimal(tenths) / 10)
      case .empty: try container.encodeNil()
      }
    }
  }
}
