import CLibCSV

/// One cell of a CSV file.
public enum CSVCell: Sendable, Hashable {
  case text(String)
  case integer(Int)
  /// A number in its own notation, such as `51.2`.
  case number(String)
  case empty
}

/// Writes RFC 4180: UTF-8, CRLF line ends, quotes where they are needed.
public struct CSVWriter: Sendable {
  /// Leave text as it is that a spreadsheet would take for a formula.
  public let raw: Bool

  public init(raw: Bool = false) { self.raw = raw }

  /// One record with its line end.
  public func record(_ cells: [CSVCell]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (index, cell) in cells.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      switch cell {
      case .text(let text): append(text, to: &bytes)
      case .integer(let number): bytes.append(contentsOf: String(number).utf8)
      case .number(let number): bytes.append(contentsOf: number.utf8)
      case .empty: break
      }
    }
    bytes.append(contentsOf: "\r\n".utf8)
    return bytes
  }

  private func append(_ text: String, to bytes: inout [UInt8]) {
    let field = Array((isFormula(text) && !raw ? "'" + text : text).utf8)
    let special: Set<UInt8> = [0x22, 0x2C, 0x0A, 0x0D]
    let plain =
      !field.contains(where: special.contains) && field.first != 0x20 && field.last != 0x20
    guard !plain else { return bytes.append(contentsOf: field) }
    // libcsv quotes every field it writes; it is asked for those that need it.
    let length = csv_write(nil, 0, field, field.count)
    bytes.append(
      contentsOf: [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
        count = csv_write(buffer.baseAddress, length, field, field.count)
      })
  }

  /// What a spreadsheet would compute instead of show (OWASP, "CSV Injection").
  private func isFormula(_ text: String) -> Bool {
    guard let first = text.unicodeScalars.first(where: { $0 != " " }) else { return false }
    return "=+-@\t\r\u{FF1D}\u{FF0B}\u{FF0D}\u{FF20}".unicodeScalars.contains(first)
  }
}
