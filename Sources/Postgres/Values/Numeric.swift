/// `numeric` as PostgreSQL sends it: digits to the base of 10,000, the first worth
/// 10,000 to the power of `weight` (`numeric_send` in PostgreSQL's `numeric.c`).
struct Numeric {
  private let digits: [Int]
  private let weight: Int
  private let sign: UInt16
  /// How many decimal digits are shown after the point.
  private let scale: Int

  private static let negative: UInt16 = 0x4000
  private static let notANumber: UInt16 = 0xC000
  private static let infinity: UInt16 = 0xD000
  private static let negativeInfinity: UInt16 = 0xF000

  init(_ bytes: UnsafeRawBufferPointer) throws {
    var offset = 0
    let count = Int(try bytes.number(UInt16.self, at: &offset))
    weight = Int(try bytes.number(Int16.self, at: &offset))
    sign = try bytes.number(UInt16.self, at: &offset)
    scale = Int(try bytes.number(UInt16.self, at: &offset))
    digits = try (0..<count).map { _ in Int(try bytes.number(Int16.self, at: &offset)) }
  }

  /// - Throws: `outOfRange` for a fraction that is not zero, NaN, an infinity, and what is too
  ///   large.
  func integer() throws -> Int64 {
    guard sign == 0 || sign == Self.negative else { throw DecodingFailure.outOfRange }
    var value: Int64 = 0
    for place in stride(from: weight, through: 0, by: -1) {
      let digit = Int64(digit(worth: place))
      let (shifted, overflow) = value.multipliedReportingOverflow(by: 10_000)
      // Summed towards the sign, because Int64.min has no positive counterpart.
      let (sum, overflowToo) = shifted.addingReportingOverflow(sign == 0 ? digit : -digit)
      guard !overflow, !overflowToo else { throw DecodingFailure.outOfRange }
      value = sum
    }
    let fraction = digits.dropFirst(max(0, weight + 1))
    guard weight >= 0 ? fraction.allSatisfy({ $0 == 0 }) : digits.allSatisfy({ $0 == 0 }) else {
      throw DecodingFailure.outOfRange
    }
    return value
  }

  private func digit(worth place: Int) -> Int {
    let index = weight - place
    return digits.indices.contains(index) ? digits[index] : 0
  }
}

extension Numeric: CustomStringConvertible {
  /// As the server prints it: `-12.50`, `NaN`, `Infinity`.
  var description: String {
    switch sign {
    case Self.notANumber: return "NaN"
    case Self.infinity: return "Infinity"
    case Self.negativeInfinity: return "-Infinity"
    default: break
    }
    var text = sign == Self.negative ? "-" : ""
    let whole = stride(from: max(weight, 0), through: 0, by: -1).map { padded(digit(worth: $0)) }
    let trimmed = whole.joined().drop { $0 == "0" }
    text += trimmed.isEmpty ? "0" : String(trimmed)
    guard scale > 0 else { return text }
    let places = (scale + 3) / 4
    let fraction = (1...places).map { padded(digit(worth: -$0)) }.joined()
    return text + "." + fraction.prefix(scale)
  }

  private func padded(_ digit: Int) -> String {
    let text = String(digit)
    return String(repeating: "0", count: 4 - text.count) + text
  }
}
