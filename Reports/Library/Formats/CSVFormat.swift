import CSV

/// RFC 4180: a header of the columns' names, and one record a row.
public struct CSVFormat: Format {
  private let writer: CSVWriter

  /// - Parameter raw: leave text as it is that a spreadsheet would take for a formula.
  public init(raw: Bool = false) { writer = CSVWriter(raw: raw) }

  /// Writes the report record by record.
  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    try output(writer.record(table.columns.map { .text($0.name) }))
    for row in table.rows { try output(writer.record(row.cells.map(\.csv))) }
  }
}

extension ReportTable.Cell {
  fileprivate var csv: CSVCell {
    switch self {
    case .text(let text): .text(text)
    case .integer(let number): .integer(number)
    case .rate(let tenths): .decimal(Self.decimal(tenths: tenths))
    case .empty: .empty
    case .hidden: .text(Self.hiddenMark)
    }
  }
}
