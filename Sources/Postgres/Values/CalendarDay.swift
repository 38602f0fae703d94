/// A day without time or zone, or one of PostgreSQL's two infinities: a `date`.
public struct CalendarDay: Hashable, Comparable, Sendable {
  /// Days since 2000-01-01. The two ends of the range are the infinities.
  public let daysSince2000: Int32

  public init(daysSince2000: Int32) { self.daysSince2000 = daysSince2000 }

  public static let infinity = CalendarDay(daysSince2000: .max)
  public static let negativeInfinity = CalendarDay(daysSince2000: .min)

  /// Days from 1970-01-01 to 2000-01-01.
  private static let epochOffset: Int64 = 10_957

  /// The day that lies `days` after 1970-01-01 (negative: before it).
  public init(daysSince1970 days: Int) {
    self.init(daysSince2000: Int32(clamping: Int64(days) - Self.epochOffset))
  }

  /// Days from 1970-01-01 to this day; meaningless for an infinity.
  public var daysSince1970: Int { Int(Int64(daysSince2000) + Self.epochOffset) }

  /// A day of the proleptic Gregorian calendar. The month and day are not checked against the
  /// calendar: the 31st of February is the 2nd or 3rd of March.
  public init(year: Int, month: Int, day: Int) {
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    let shiftedYear = Int64(month <= 2 ? year - 1 : year)
    let era = shiftedYear.flooredDivision(by: 400)
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    self.init(daysSince1970: Int(era * 146_097 + dayOfEra - 719_468))
  }

  public static func < (a: CalendarDay, b: CalendarDay) -> Bool {
    a.daysSince2000 < b.daysSince2000
  }
}

extension CalendarDay: CustomStringConvertible {
  /// ISO 8601, `2024-06-30` (astronomical years before the year 1), or `infinity`.
  public var description: String {
    switch self {
    case .infinity: return "infinity"
    case .negativeInfinity: return "-infinity"
    default: break
    }
    // civil_from_days of the same source.
    let z = Int64(daysSince1970) + 719_468
    let era = z.flooredDivision(by: 146_097)
    let dayOfEra = z - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let sign = year < 0 ? "-" : ""
    return sign + zeroPadded(abs(year), to: 4) + "-" + zeroPadded(month, to: 2) + "-"
      + zeroPadded(day, to: 2)
  }
}

extension CalendarDay: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .date }

  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: daysSince2000) }

  public static func decode(
    _ bytes: UnsafeRawBufferPointer, type: PostgresType
  ) throws -> CalendarDay {
    guard type == .date else { throw DecodingFailure.typeMismatch }
    return CalendarDay(daysSince2000: try bytes.number())
  }
}
