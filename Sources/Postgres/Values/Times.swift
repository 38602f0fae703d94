import Foundation

/// A `timestamptz`: an instant to the microsecond, or one of the two infinities.
public struct Timestamp: Hashable, Comparable, Sendable {
  /// Microseconds since 2000-01-01 00:00 UTC; the extremes are PostgreSQL's infinities.
  public let microseconds: Int64

  public init(microseconds: Int64) { self.microseconds = microseconds }

  /// Rounded to the microsecond; `Date.distantFuture` and `.distantPast` become the infinities.
  public init(_ date: Date) {
    switch date {
    case .distantFuture: self = .infinity
    case .distantPast: self = .negativeInfinity
    default:
      microseconds = Int64(
        ((date.timeIntervalSinceReferenceDate + Self.referenceOffset) * 1_000_000).rounded())
    }
  }

  /// Foundation counts from 2001-01-01, PostgreSQL from 2000-01-01.
  private static let referenceOffset: Double = 31_622_400

  public var date: Date {
    switch self {
    case .infinity: .distantFuture
    case .negativeInfinity: .distantPast
    default:
      Date(timeIntervalSinceReferenceDate: Double(microseconds) / 1_000_000 - Self.referenceOffset)
    }
  }

  public static let infinity = Timestamp(microseconds: .max)
  public static let negativeInfinity = Timestamp(microseconds: .min)
  public static func < (a: Self, b: Self) -> Bool { a.microseconds < b.microseconds }
}

extension Timestamp: PostgresArrayElement {
  public static var postgresType: PostgresType { .timestamptz }
  public static var postgresArrayType: PostgresType { .timestamptzArray }
  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: microseconds) }
  public static func decode(_ value: WireValue) throws -> Timestamp {
    guard let number = try value.bytes(as: Self.self, of: .timestamptz).number(Int64.self) else {
      throw DecodingFailure(wanted: Self.self, type: value.type)
    }
    return Timestamp(microseconds: number)
  }
}

extension Date: PostgresArrayElement {
  public static var postgresType: PostgresType { .timestamptz }
  public static var postgresArrayType: PostgresType { .timestamptzArray }
  public func encode(into bytes: inout [UInt8]) { Timestamp(self).encode(into: &bytes) }
  public static func decode(_ value: WireValue) throws -> Date { try Timestamp.decode(value).date }
}

/// A `date`: a day without a time or a zone, or one of the two infinities.
public struct CalendarDay: Hashable, Comparable, Sendable {
  /// Days since 2000-01-01; the extremes are PostgreSQL's infinities.
  public let daysSince2000: Int32

  public init(daysSince2000: Int32) { self.daysSince2000 = daysSince2000 }
  public static func < (a: Self, b: Self) -> Bool { a.daysSince2000 < b.daysSince2000 }
}

extension CalendarDay: PostgresArrayElement {
  public static var postgresType: PostgresType { .date }
  public static var postgresArrayType: PostgresType { .dateArray }
  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: daysSince2000) }
  public static func decode(_ value: WireValue) throws -> CalendarDay {
    guard let number = try value.bytes(as: Self.self, of: .date).number(Int32.self) else {
      throw DecodingFailure(wanted: Self.self, type: value.type)
    }
    return CalendarDay(daysSince2000: number)
  }
}
