/// A time as FHIR and ISO 8601 write it, as PostgreSQL reads it. What has no offset is local: the session that copies it
/// is set to the reporting time zone.
///
/// A date, a month or a year alone means its beginning. Any year from 1 to 9999 will do: a wrong time is stored, not
/// rejected; only what is no time at all is.
enum TimeText {
  static func canonical(_ text: some StringProtocol) -> String? {
    var scan = Scan(text.utf8)
    guard let year = scan.number(4, 1...9999) else { return nil }
    var (month, day, time) = (1, 1, "00:00:00")
    if scan.take("-") {
      guard let number = scan.number(2, 1...12) else { return nil }
      month = number
      if scan.take("-") {
        guard let number = scan.number(2, 1...Self.days(year, month)) else { return nil }
        day = number
        if scan.take("T") || scan.take("t") || scan.take(" ") {
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

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  private struct Scan {
    private var rest: ArraySlice<UInt8>

    init(_ text: some Sequence<UInt8>) { rest = Array(text)[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard rest.first == UInt8(ascii: character) else { return false }
      rest.removeFirst()
      return true
    }

    mutating func number(_ width: Int, _ range: ClosedRange<Int>) -> Int? {
      let digits = rest.prefix(width)
      guard digits.count == width, digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
        return nil
      }
      rest.removeFirst(width)
      let number = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
      return range.contains(number) ? number : nil
    }

    /// `hh:mm`, with seconds, their fraction and an offset where they are given.
    mutating func clock() -> String? {
      guard let hour = number(2, 0...23), take(":"), let minute = number(2, 0...59) else {
        return nil
      }
      var text = "\(padded(hour, 2)):\(padded(minute, 2))"
      if take(":") {
        guard let second = number(2, 0...60) else { return nil }
        text += ":" + padded(second, 2)
        if take(".") || take(",") {
          let digits = rest.prefix { (0x30...0x39).contains($0) }
          guard !digits.isEmpty else { return nil }
          rest.removeFirst(digits.count)
          text += "." + String(decoding: digits.prefix(9), as: UTF8.self)
        }
      }
      if take("Z") || take("z") { return text + "+00" }
      let sign = take("+") ? "+" : take("-") ? "-" : nil
      guard let sign else { return text }
      guard let hours = number(2, 0...15) else { return nil }
      let colon = take(":")
      let minutes = isAtEnd && !colon ? 0 : number(2, 0...59)
      return minutes.map { text + "\(sign)\(padded(hours, 2)):\(padded($0, 2))" }
    }
  }
}
