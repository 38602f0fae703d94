import Foundation

/// One of the two pressures of a reading, in mmHg.
enum Pressure: String, Sendable {
  case systolic, diastolic

  /// The whole mmHg that can be true (INDICATORS.md); what is outside is a slip of the keyboard.
  var range: ClosedRange<Int> {
    switch self {
    case .systolic: 20...400
    case .diastolic: 10...300
    }
  }

  /// Rounded half away from zero, in decimal: 139.49999999999999999 is below 139.5, though not as a
  /// Double. nil when the *rounded* value is out of range: 400.4 is 400, and in it.
  func whole(_ value: Decimal) -> Int? {
    var (value, whole) = (value, Decimal())
    // `.plain` rounds half away from zero.
    NSDecimalRound(&whole, &value, 0, .plain)
    guard whole >= Decimal(range.lowerBound), whole <= Decimal(range.upperBound) else {
      return nil
    }
    return NSDecimalNumber(decimal: whole).intValue
  }

  /// As ``whole(_:)``, of digits with a point or an exponent where there is one, such as `139.5`.
  func whole(_ text: String) -> Int? {
    if let whole = Int(text) { return range.contains(whole) ? whole : nil }
    guard Self.isNumber(text) else { return nil }
    return Decimal(string: text, locale: Locale(identifier: "en_US_POSIX")).flatMap { whole($0) }
  }

  /// Foundation does not tell: it reads as much as it understands, and takes `120/80` for 120.
  static func isNumber(_ text: String) -> Bool {
    var scan = TextScanner(text)
    _ = scan.take(anyOf: "+", "-")
    guard scan.digits() != nil else { return false }
    if scan.take(".") { _ = scan.digits() }
    if scan.take(anyOf: "e", "E") != nil {
      _ = scan.take(anyOf: "+", "-")
      guard scan.digits() != nil else { return false }
    }
    return scan.isAtEnd
  }

  var expected: String { "expected \(range.lowerBound) to \(range.upperBound) mmHg" }
}
