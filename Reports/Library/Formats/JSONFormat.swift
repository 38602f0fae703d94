import Foundation

/// One object: the report's facts, and `rows` as objects by the columns' names.
///
/// Keys are sorted, so that equal reports are equal bytes. Rates are numbers with at most one decimal (50, 51.2); what is
/// empty is null, what is not shown is the text `*`.
public struct JSONFormat: Format {
  /// There is nothing to choose.
  public init() {}

  /// Writes the report row by row.
  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    func put(_ text: String) throws { try output(Array(text.utf8)) }
    let facts = Dictionary(table.facts.map { ($0.name, $0.value) }) { first, _ in first }
    let encoder = JSONRow.encoder(pretty: true)
    let keys = (Set(facts.keys).union(["rows"])).sorted()
    try put("{\n")
    for (number, key) in keys.enumerated() {
      try put("  \(try encoder.text(key)) : ")
      if key == "rows" {
        try put("[")
        for (number, row) in table.rows.enumerated() {
          let lines = try encoder.text(JSONRow(columns: table.columns, row: row))
          try put((number == 0 ? "\n    " : ",\n    ") + lines.replacing("\n", with: "\n    "))
        }
        try put(table.rows.isEmpty ? "]" : "\n  ]")
      } else {
        try put(try encoder.text(facts[key] ?? ""))
      }
      try put(number + 1 < keys.count ? ",\n" : "\n")
    }
    try put("}\n")
  }
}

/// An object a line, of each row: for programs that read line by line.
public struct NDJSONFormat: Format {
  public init() {}

  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    let encoder = JSONRow.encoder(pretty: false)
    for row in table.rows {
      try output(
        Array(try encoder.text(JSONRow(columns: table.columns, row: row)).utf8) + [0x0A])
    }
  }
}

/// A row as an object by the columns' names.
struct JSONRow: Encodable {
  let columns: [ReportTable.Column]
  let row: ReportTable.Row

  static func encoder(pretty: Bool) -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting =
      pretty
      ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
      : [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    for (column, cell) in zip(columns, row.cells) {
      let key = Key(column.name)
      switch cell {
      case .text(let text): try fields.encode(text, forKey: key)
      case .integer(let number): try fields.encode(number, forKey: key)
      // Decimal, so that 51.2 is written as 51.2.
      case .rate(let tenths): try fields.encode(Decimal(tenths) / 10, forKey: key)
      case .empty: try fields.encodeNil(forKey: key)
      case .hidden: try fields.encode(ReportTable.Cell.hiddenMark, forKey: key)
      }
    }
  }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }
}

extension JSONEncoder {
  func text(_ value: some Encodable) throws -> String {
    String(decoding: try encode(value), as: UTF8.self)
  }
}
