/// A time as FHIR and ISO 8601 write it, as PostgreSQL reads it. What has no offset is local: the
/// session that copies it is set to the reporting time zone.
///
/// A date, a month or a year alone means its beginning. Any year from 1 to 9999 will do: a wrong
/// time is stored, not rejected; only what is no time at all is.
///
/// Nothing moves into a next period: a fraction is cut after the microsecond, and a leap second,
/// `:60`, is the last microsecond of its minute. PostgreSQL would carry both over.
enum TimeText {
  static let expected = "expected a date or a time such as 2024-06-30T09:15:00+05:30"

  static func canonical(_ text: String) -> String? {
    var scan = TextScanner(text)
    guard let year = scan.number(4, 1...9999) else { return nil }
    var (month, day, time) = (1, 1, "00:00:00")
    if scan.take("-") {
      guard let number = scan.number(2, 1...12) else { return nil }
      month = number
      if scan.take("-") {
        guard let number = scan.number(2, 1...Self.days(year, month)) else { return nil }
        day = number
        if scan.take(anyOf: "T", "t", " ") != nil {
          guard let clock = scan.clock() else { return nil }
          time = clock
        }
      }
    }
    guard scan.isAtEnd else { return nil }
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2)) \(time)"
  }

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

extension TextScanner {
  /// `hh:mm`, with seconds, their fraction and an offset where they are given.
  fileprivate mutating func clock() -> String? {
    guard let hour = number(2, 0...23), take(":"), let minute = number(2, 0...59) else {
      return nil
    }
    var text = "\(padded(hour, 2)):\(padded(minute, 2))"
    if take(":") {
      guard let second = number(2, 0...60) else { return nil }
      var fraction = ""
      if take(anyOf: ".", ",") != nil {
        guard let digits = digits() else { return nil }
        fraction = "." + digits.prefix(6)
      }
      text += ":" + (second == 60 ? "59.999999" : padded(second, 2) + fraction)
    }
    if isAtEnd { return text }
    return offset().map { text + $0 }
  }

  /// `Z`, or hours, minutes and seconds where they are given. Seconds are in what PostgreSQL itself
  /// writes of years before there were time zones, and such years are stored.
  private mutating func offset() -> String? {
    if take(anyOf: "Z", "z") != nil { return "+00" }
    guard let sign = take(anyOf: "+", "-"), let hours = number(2, 0...14) else { return nil }
    var text = "\(sign)\(padded(hours, 2))"
    var parts = 0
    while !isAtEnd, parts < 2 {
      _ = take(":")
      // No place is further from UTC than 14 hours.
      guard let part = number(2, 0...(hours == 14 ? 0 : 59)) else { return nil }
      text += ":" + padded(part, 2)
      parts += 1
    }
    return text
  }
}
