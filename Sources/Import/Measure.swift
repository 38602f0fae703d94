import Foundation

/// A measure beside the pressures, and what can be true of it; what is outside is a slip of the keyboard.
enum Measure: Sendable {
  /// Whole beats a minute, 10 to 350.
  case heartRate
  /// mg/dL, or per cent for HbA1c: above 0, to 2,000.
  case bloodSugar

  /// As it is copied; nil when it cannot be true.
  func canonical(_ text: String) -> String? {
    guard Pressure.isNumber(text),
      let value = Decimal(string: text, locale: Locale(identifier: "en_US_POSIX"))
    else { return nil }
    return canonical(value)
  }

  /// As ``canonical(_:)``, of a number.
  func canonical(_ value: Decimal) -> String? {
    switch self {
    case .heartRate: whole(value)
    case .bloodSugar: value > 0 && value <= 2_000 ? "\(value)" : nil
    }
  }

  /// Rounded half away from zero.
  func whole(_ value: Decimal) -> String? {
    var (value, whole) = (value, Decimal())
    // `.plain` rounds half away from zero.
    NSDecimalRound(&whole, &value, 0, .plain)
    return whole >= 10 && whole <= 350 ? "\(whole)" : nil
  }

  var expected: String {
    switch self {
    case .heartRate: "expected 10 to 350 beats a minute"
    case .bloodSugar: "expected a number above 0, to 2000 (mg/dL, or per cent for hba1c)"
    }
  }
}
