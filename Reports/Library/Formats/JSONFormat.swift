import Foundation

/// One object: the report's facts, and `rows` as objects by the columns' names.
///
/// Keys are sorted, so that equal reports are equal bytes. Rates are numbers with at most one
/// decimal (50, 51.2); what is empty is null.
public struct JSONFormat: Format {
  /// There is nothing to choose.
  public init() {}

  /// Writes the report at once.
  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    try output(Array(encoder.encode(Document(table: table))) + [0x0A])
  }

  private struct Document: Encodable {
    let table: ReportTable

    func encode(to encoder: any Encoder) throws {
      var object = encoder.container(keyedBy: Key.self)
      for fact in table.facts { try object.encode(fact.value, forKey: Key(fact.name)) }
      let keys = table.columns.map { Key($0.name) }
      var rows = object.nestedUnkeyedContainer(forKey: Key("rows"))
      for row in table.rows {
        var fields = rows.nestedContainer(keyedBy: Key.self)
        for (key, cell) in zip(keys, row.cells) { try cell.encode(to: &fields, as: key) }
      }
    }
  }

  fileprivate struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }
}

extension ReportTable.Cell {
  fileprivate func encode(
    to fields: inout KeyedEncodingContainer<JSONFormat.Key>, as key: JSONFormat.Key
  ) throws {
    switch self {
    case .text(let text): try fields.encode(text, forKey: key)
    case .integer(let number): try fields.encode(number, forKey: key)
    // Decimal, so that 51.2 is written as 51.2.
    case .rate(let tenths): try fields.encode(Decimal(tenths) / 10, forKey: key)
    case .empty: try fields.encodeNil(forKey: key)
    }
  }
}
