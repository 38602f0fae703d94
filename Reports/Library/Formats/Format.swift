/// A way to write a finished report. Bytes go to `output` as they come, row by row.
public protocol Format: Sendable {
  /// Writes a report.
  /// - Throws: what `output` throws; ``FormatRefusal`` for a report that the format has no place for.
  func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws

  /// What the writer should say besides: what was left out.
  func notes(_ table: ReportTable) -> [String]
}

extension Format {
  public func notes(_ table: ReportTable) -> [String] { [] }
}

/// A report that a format cannot carry: bad usage.
public struct FormatRefusal: Error, Hashable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

extension ReportTable.Cell {
  /// What stands in the place of a number that is not shown.
  public static let hiddenMark = "*"

  /// As people read it.
  /// - Parameter dash: what stands where there is nothing.
  package func shown(dash: String) -> String {
    switch self {
    case .text(let text): text
    case .integer(let number): Self.grouped(number)
    case .rate(let tenths): Self.decimal(tenths: tenths)
    case .empty: dash
    case .hidden: Self.hiddenMark
    }
  }

  /// 12,345
  private static func grouped(_ number: Int) -> String {
    var digits = Array(String(number.magnitude))
    for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: place) }
    return (number < 0 ? "-" : "") + String(digits)
  }

  /// The number of a count or a rate, to draw it.
  package var number: Double? {
    switch self {
    case .integer(let number): Double(number)
    case .rate(let tenths): Double(tenths) / 10
    default: nil
    }
  }

  /// Of a cell of text.
  package var text: String? { if case .text(let text) = self { text } else { nil } }
}
