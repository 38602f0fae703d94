/// A point in time as FHIR writes it: a `dateTime` or an `instant`, in the notation that PostgreSQL
/// reads.
///
/// A part that is left out is the earliest: `2024-06` is the beginning of June. What has no offset
/// has no zone either: it is local time in the reporting time zone (INDICATORS.md), which only the
/// database knows how to apply:
/// `text::timestamp AT TIME ZONE zone`.
public enum FHIRDateTime: Sendable, Hashable {
  /// With its offset from UTC, for `timestamptz`: `2024-06-30 09:15:00+05:30`.
  case absolute(String)
  /// Without, for `timestamp`: `2024-06-30 00:00:00`.
  case local(String)

  /// The notation that PostgreSQL reads.
  public var text: String {
    switch self {
    case .absolute(let text), .local(let text): text
    }
  }

  /// Reads `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, or that with a time: `T`, hours and minutes, seconds
  /// and their fraction where given, and `Z` or an offset up to 14 hours. The years are 1 to 9999:
  /// a wrong time is stored, only what is no time at all is not. nil when it is none.
  ///
  /// More lenient than FHIR in two things that real files do: seconds or the offset may be left
  /// out.
  ///
  /// Nothing moves into the next period. A leap second, `:60`, is the last microsecond of its
  /// minute, and a fraction is cut after the microsecond: PostgreSQL would carry both over.
  public init?(_ text: String) {
    var digits = Scanner(text.utf8)
    guard let year = digits.number(4, 1...9999) else { return nil }
    var month = 1
    var day = 1
    if digits.take("-") {
      guard let number = digits.number(2, 1...12) else { return nil }
      month = number
      if digits.take("-") {
        guard let number = digits.number(2, 1...Self.days(year, month)) else { return nil }
        day = number
        if digits.take("T") {
          self.init(Self.date(year, month, day), time: &digits)
          return
        }
      }
    }
    guard digits.isAtEnd else { return nil }
    self = .local(Self.date(year, month, day) + " 00:00:00")
  }

  private init?(_ date: String, time digits: inout Scanner) {
    guard let hour = digits.number(2, 0...23), digits.take(":"),
      let minute = digits.number(2, 0...59)
    else { return nil }
    var seconds = "00"
    if digits.take(":") {
      guard let text = Self.seconds(&digits) else { return nil }
      seconds = text
    }
    let local = "\(date) \(padded(hour, 2)):\(padded(minute, 2)):\(seconds)"
    if digits.isAtEnd {
      self = .local(local)
    } else if let offset = Self.offset(&digits), digits.isAtEnd {
      self = .absolute(local + offset)
    } else {
      return nil
    }
  }

  private static func seconds(_ digits: inout Scanner) -> String? {
    guard let second = digits.number(2, 0...60) else { return nil }
    var fraction = ""
    if digits.take(".") {
      guard let text = digits.digits() else { return nil }
      fraction = "." + text.prefix(6)
    }
    return second == 60 ? "59.999999" : padded(second, 2) + fraction
  }

  private static func offset(_ digits: inout Scanner) -> String? {
    if digits.take("Z") { return "+00:00" }
    guard let sign = digits.take("+") ? "+" : digits.take("-") ? "-" : nil,
      let hours = digits.number(2, 0...14), digits.take(":"),
      let minutes = digits.number(2, 0...(hours == 14 ? 0 : 59))
    else { return nil }
    return "\(sign)\(padded(hours, 2)):\(padded(minutes, 2))"
  }

  private static func date(_ year: Int, _ month: Int, _ day: Int) -> String {
    "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
  }

  /// Of the Gregorian calendar, also before it was introduced, as in ISO 8601.
  private static func days(_ year: Int, _ month: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

private func padded(_ number: Int, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

/// Takes digits and signs from the front of a text.
private struct Scanner {
  private var rest: Substring.UTF8View

  init(_ text: String.UTF8View) { rest = text[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: character) else { return false }
    rest.removeFirst()
    return true
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

  /// As many digits as there are, at least one.
  mutating func digits() -> Substring? {
    let found = Substring(rest.prefix { (0x30...0x39).contains($0) })
    rest.removeFirst(found.utf8.count)
    return found.isEmpty ? nil : found
  }
}
