import CLibCSV

/// One cell of a CSV file.
public enum CSVCell: Sendable, Hashable {
  /// Text, protected against being taken for a formula.
  case text(String)
  /// A whole number.
  case integer(Int)
  /// A decimal number in its own notation, such as `51.2` or `-0.5`; what is no such number is
  /// written as text.
  case decimal(String)
  /// Nothing between two commas.
  case empty
}

/// Writes RFC 4180: UTF-8 without a byte order mark, CRLF line ends, quotes only where they are
/// needed.
public struct CSVWriter: Sendable {
  /// Leave text as it is that a spreadsheet would take for a formula.
  public let raw: Bool

  /// - Parameter raw: leave text as it is that a spreadsheet would take for a formula; otherwise
  ///   an apostrophe is put before it.
  public init(raw: Bool = false) { self.raw = raw }

  /// One record with its line end.
  public func record(_ cells: [CSVCell]) -> [UInt8] {
    var bytes: [UInt8] = []
    append(cells, to: &bytes)
    return bytes
  }

  /// Appends one record with its line end.
  public func append(_ cells: [CSVCell], to bytes: inout [UInt8]) {
    let start = bytes.count
    for (index, cell) in cells.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      switch cell {
      case .integer(let number): bytes.append(contentsOf: String(number).utf8)
      case .decimal(let number) where Self.isDecimal(number): bytes.append(contentsOf: number.utf8)
      case .text(let text), .decimal(let text): append(text, to: &bytes)
      case .empty: break
      }
    }
    // A record of one empty field would be an empty line, which readers skip.
    if bytes.count == start { bytes.append(contentsOf: "\"\"".utf8) }
    bytes.append(contentsOf: "\r\n".utf8)
  }

  private func append(_ text: String, to bytes: inout [UInt8]) {
    let field = Array((!raw && Self.isFormula(text) ? "'" + text : text).utf8)
    guard Self.needsQuotes(field) else { return bytes.append(contentsOf: field) }
    // libcsv quotes every field it writes; it is asked for those that need it.
    let length = csv_write2(nil, 0, field, field.count, UInt8(CSV_QUOTE))
    bytes.append(
      contentsOf: [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
        count = csv_write2(buffer.baseAddress, length, field, field.count, UInt8(CSV_QUOTE))
      })
  }

  /// Blanks at either end need quotes as well: readers, libcsv among them, take them off a bare
  /// field.
  private static func needsQuotes(_ field: [UInt8]) -> Bool {
    guard let first = field.first, let last = field.last else { return false }
    return first == 0x20 || first == 0x09 || last == 0x20 || last == 0x09
      || field.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
  }

  /// What a spreadsheet would compute instead of show (OWASP, "CSV Injection"), also behind what nobody sees: spaces, which
  /// some trim, and characters without a width, which some leave out.
  private static func isFormula(_ text: String) -> Bool {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "=", "+", "-", "@", "\t", "\r", "\n": return true
      // Their full-width and small forms, which some East Asian editions take for them, and the minus sign.
      case "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}": return true
      case "\u{FE66}", "\u{FE62}", "\u{FE63}", "\u{FE6B}", "\u{2212}": return true
      default: if !scalar.isUnseen { return false }
      }
    }
    return false
  }

  private static func isDecimal(_ text: String) -> Bool {
    let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
    let parts = digits.split(
      separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    return parts.allSatisfy { part in
      !part.isEmpty && part.allSatisfy { (0x30...0x39).contains($0) }
    }
  }
}

extension Unicode.Scalar {
  /// Blanks, controls and what has no width (Unicode's `Default_Ignorable_Code_Point`, such as U+200B and U+FEFF).
  fileprivate var isUnseen: Bool {
    if properties.isWhitespace || properties.isDefaultIgnorableCodePoint { return true }
    return properties.generalCategory == .control || properties.generalCategory == .format
  }
}
