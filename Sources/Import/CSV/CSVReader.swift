import CSV

/// Reads the records of a CSV file of a kind, after its header.
struct CSVReader: RowReader {
  private let kind: CSVKind
  private let path: String
  private let parser = CSVParser()
  private var columns: Columns?

  init(_ kind: CSVKind, _ path: String) {
    self.kind = kind
    self.path = path
  }

  mutating func feed(_ bytes: [UInt8], _ body: (Row) -> Void) throws {
    try parser.feed(bytes[...]) { try read($0, body) }
  }

  mutating func finish(_ body: (Row) -> Void) throws {
    try parser.finish { try read($0, body) }
    guard columns != nil else {
      throw ImportFailure("\(path): it is empty; expected a header of column names")
    }
  }

  private mutating func read(_ record: CSVRecord, _ body: (Row) -> Void) throws {
    guard let columns else {
      self.columns = try Columns(kind, of: record, path)
      return
    }
    try body(Row(record.line) { try columns.fields(of: record) })
  }

  /// Which field of a record holds which column of the kind.
  private struct Columns {
    private let columns: [CSVKind.Column]
    private let places: [Int?]
    private let width: Int

    /// - Throws: ``ImportFailure`` when the record is not a header of the kind.
    init(_ kind: CSVKind, of record: CSVRecord, _ path: String) throws {
      func failure(_ reason: String) -> ImportFailure {
        ImportFailure(
          "\(path), line \(record.line), which has the names of the columns: \(reason)"
            + "\n'rollup import csv --template .' writes examples.")
      }
      if let fault = record.fault { throw failure(fault) }
      columns = kind.columns
      let (required, optional) = (columns.filter(\.isRequired), columns.filter { !$0.isRequired })
      do {
        let header = try CSVHeader(
          record.fields, required: required.map(\.name), optional: optional.map(\.name))
        places = columns.map { header.index(of: $0.name) }
        width = header.width
      } catch {
        // A file without a header begins with a patient's row, which is not to be repeated here.
        let isHeader = error.unknown.count < record.fields.count
        let expected = error.expected.joined(separator: ", ")
        throw failure(
          isHeader ? error.description : "it has none of \(expected), separated by commas")
      }
    }

    /// - Throws: ``Reject``.
    func fields(of record: CSVRecord) throws -> [String?] {
      if let fault = record.fault { throw Reject(fault) }
      let id = places[0].flatMap {
        record.fields.indices.contains($0) ? record.fields[$0].trimmed : nil
      }
      guard record.fields.count == width else {
        throw Reject(id: id, "expected \(width) fields, found \(record.fields.count)")
      }
      return try zip(columns, places).map { column, place in
        let text = place.map { record.fields[$0].trimmed } ?? ""
        guard !text.isEmpty else {
          if column.isRequired { throw Reject(id: id, "\(column.name): it is empty") }
          return nil
        }
        guard let value = column.value.canonical(text) else {
          throw Reject(id: id, "\(column.name): \(column.value.expected)")
        }
        return value
      }
    }
  }
}

extension String {
  fileprivate var trimmed: String {
    // Nearly always so, and to ask Unicode of each field would cost more than the rest.
    let visible: ClosedRange<UInt8> = 0x21...0x7E
    guard let first = utf8.first, let last = utf8.last,
      !visible.contains(first) || !visible.contains(last)
    else { return self }
    return String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
