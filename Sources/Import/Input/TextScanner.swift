/// Takes digits and signs from the front of a text.
struct TextScanner {
  private var rest: Substring.UTF8View

  init(_ text: String) { rest = text.utf8[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: character) else { return false }
    rest.removeFirst()
    return true
  }

  /// The first of the characters that is there.
  mutating func take(anyOf characters: Unicode.Scalar...) -> Unicode.Scalar? {
    characters.first { take($0) }
  }

  /// A number of exactly so many digits.
  mutating func number(_ width: Int, _ range: ClosedRange<Int>) -> Int? {
    var number = 0
    for _ in 0..<width {
      guard let digit = rest.first, (0x30...0x39).contains(digit) else { return nil }
      number = number * 10 + Int(digit - 0x30)
      rest.removeFirst()
    }
    return range.contains(number) ? number : nil
  }

  /// As many digits as there are; nil when there is none.
  mutating func digits() -> Substring? {
    let digits = Substring(rest.prefix { (0x30...0x39).contains($0) })
    rest.removeFirst(digits.utf8.count)
    return digits.isEmpty ? nil : digits
  }
}
