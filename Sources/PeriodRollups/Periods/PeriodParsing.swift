extension Period {
  /// Reads `2024-06`, `2024Q2` (also `2024q2` and `2024-Q2`), `2024-W23`, `2024H1` or `FY2024Q1`.
  /// - Throws: ``Unreadable``, which says what was wrong and shows how the right thing looks.
  public init(parsing text: String) throws(Unreadable) {
    let upper = text.uppercased()
    let isFinancial = upper.hasPrefix("FY")
    let rest = isFinancial ? upper.dropFirst(2) : upper[...]
    let letters: [(Character, PeriodType)] = [
      ("Q", isFinancial ? .financialQuarter : .quarter), ("W", .week), ("H", .halfYear),
      ("-", .month),
    ]
    guard let (separator, type) = letters.first(where: { rest.contains($0.0) }),
      !isFinancial || type == .financialQuarter
    else { throw Unreadable(text, "is neither a month nor a quarter nor another period") }
    let parts = rest.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false)
    let yearText = type != .month && parts[0].last == "-" ? parts[0].dropLast() : parts[0]
    guard yearText.count == 4, let year = Period.digits(yearText), year > 0 || isFinancial else {
      throw Unreadable(text, "does not begin with a year of four digits, 0001 to 9999")
    }
    guard parts[1].count <= 2, let index = Period.digits(parts[1]) else {
      throw Unreadable(text, "does not end with the number of a \(type.word)")
    }
    guard let period = Period(type, year: year, index: index) else {
      throw Unreadable(
        text, "has no such \(type.word): they are numbered 1 to \(type.mostPerYear)")
    }
    self = period
  }

  /// Reads a period of one type only.
  public init(parsing text: String, as type: PeriodType) throws(Unreadable) {
    let period = try Period(parsing: text)
    guard period.type == type else {
      throw Unreadable(text, "is a \(period.type.word), not a \(type.word)")
    }
    self = period
  }

  private static func digits(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int(text)
  }

  /// A text that names no period.
  public struct Unreadable: Error, Hashable, CustomStringConvertible {
    public let text: String
    public let reason: String

    init(_ text: String, _ reason: String) {
      self.text = text
      self.reason = reason
    }

    public var description: String {
      "'\(text)' \(reason). A month looks like 2024-06, a quarter like 2024Q2, a week like 2024-W23, a half-year like 2024H1, "
        + "a quarter of the financial year that begins in April 2024 like FY2024Q1."
    }
  }
}

extension Period: Codable {
  /// As its name, such as `2024-06`.
  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    self = try Period(parsing: text)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
