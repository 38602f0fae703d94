import CSV

/// RFC 4180: a header of the columns' names, and one record a row.
public struct CSVFormat: Format {
  private let writer: CSVWriter
  private let isForSpreadsheets: Bool

  /// - Parameter raw: for programs. Otherwise text that a spreadsheet would take for a formula begins with `'`, and a file with
  ///   letters beyond ASCII, in its first 500 rows, with a byte order mark: without it Excel takes UTF-8 for the letters of Western
  ///   Europe (Microsoft Support, "Opening CSV UTF-8 files correctly in Excel").
  public init(raw: Bool = false) {
    writer = CSVWriter(raw: raw)
    isForSpreadsheets = !raw
  }

  /// Writes the report record by record.
  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    if isForSpreadsheets, table.hasLettersBeyondASCII { try output([0xEF, 0xBB, 0xBF]) }
    try output(writer.record(table.columns.map { .text($0.name) }))
    for row in table.rows { try output(writer.record(row.cells.map(\.csv))) }
  }
}

extension ReportTable {
  /// Of the first rows: what is long is written while it is made.
  fileprivate var hasLettersBeyondASCII: Bool {
    rows.prefix(500).contains { row in
      row.cells.contains { cell in
        if case .text(let text) = cell { text.utf8.contains { $0 > 127 } } else { false }
      }
    }
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
