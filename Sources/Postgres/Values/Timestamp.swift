import Foundation

/// An instant to the microsecond, or one of PostgreSQL's two infinities: a `timestamptz`.
///
/// Read from a `timestamp` column (without time zone) it is that column's clock taken as UTC. It is
/// always *sent* as `timestamptz`; the session's time zone, which ``Connection`` sets to UTC, then
/// makes an assignment to such a column the same clock again.
public struct Timestamp: Hashable, Comparable, Sendable {
  /// Microseconds since 2000-01-01 00:00:00 UTC. The two ends of the range are the infinities.
  public let microseconds: Int64

  public init(microseconds: Int64) { self.microseconds = microseconds }

  public static let infinity = Timestamp(microseconds: .max)
  public static let negativeInfinity = Timestamp(microseconds: .min)

  /// The instant nearest to `date`. An infinite `date` becomes an infinity; one that PostgreSQL
  /// cannot store becomes an instant that the server refuses, never silently another.
  public init(_ date: Date) {
    let exact = (date.timeIntervalSinceReferenceDate + Self.referenceDateOffset) * 1_000_000
    if let microseconds = Int64(exactly: exact.rounded()) {
      self.init(microseconds: microseconds)
    } else if exact == .infinity {
      self = .infinity
    } else if exact == -.infinity {
      self = .negativeInfinity
    } else {
      self.init(microseconds: .max - 1)
    }
  }

  /// The same instant; for an infinity a `Date` with an infinite interval.
  public var date: Date {
    switch self {
    case .infinity: Date(timeIntervalSinceReferenceDate: .infinity)
    case .negativeInfinity: Date(timeIntervalSinceReferenceDate: -.infinity)
    default:
      Date(
        timeIntervalSinceReferenceDate: Double(microseconds) / 1_000_000
          - Self.referenceDateOffset)
    }
  }

  /// The present.
  public static var now: Timestamp { Timestamp(Date()) }

  /// Seconds from 2000-01-01 to 2001-01-01, Foundation's reference date.
  private static let referenceDateOffset: TimeInterval = 31_622_400

  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }
}

extension Timestamp: CustomStringConvertible {
  /// ISO 8601 in UTC with six decimals, `2024-06-30T23:59:59.999999Z`, or `infinity`.
  public var description: String {
    switch self {
    case .infinity: return "infinity"
    case .negativeInfinity: return "-infinity"
    default: break
    }
    let perDay: Int64 = 86_400_000_000
    let day = microseconds.flooredDivision(by: perDay)
    let time = microseconds - day * perDay
    let seconds = time / 1_000_000
    let clock = [seconds / 3600, seconds / 60 % 60, seconds % 60].map { zeroPadded($0, to: 2) }
    return CalendarDay(daysSince2000: Int32(clamping: day)).description
      + "T" + clock.joined(separator: ":") + "." + zeroPadded(time % 1_000_000, to: 6) + "Z"
  }
}

extension Timestamp: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .timestamptz }

  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: microseconds) }

  public static func decode(
    _ bytes: UnsafeRawBufferPointer, type: PostgresType
  ) throws -> Timestamp {
    guard type == .timestamptz || type == .timestamp else { throw DecodingFailure.typeMismatch }
    return Timestamp(microseconds: try bytes.number())
  }
}

/// Sent and read as ``Timestamp`` is, rounded to the microsecond.
extension Date: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .timestamptz }

  public func encode(into bytes: inout [UInt8]) { Timestamp(self).encode(into: &bytes) }

  public static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) throws -> Date {
    try Timestamp.decode(bytes, type: type).date
  }
}

extension Int64 {
  func flooredDivision(by divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}

func zeroPadded(_ number: Int64, to width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
