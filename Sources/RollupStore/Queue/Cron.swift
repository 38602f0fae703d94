import Foundation
import PeriodRollups

/// When something is due: minute, hour, day of the month, month and weekday, as in crontab(5).
///
/// ```swift
/// try Cron("30 2 * * *")        // every day at 02:30
/// try Cron("0 6-18/4 * * 1-5")  // at 6, 10, 14 and 18, Monday to Friday
/// ```
/// When both day and weekday are limited either will do. 7 is Sunday too. There are no names and no seconds.
public struct Cron: Sendable, Hashable, CustomStringConvertible {
  public let description: String
  private let minutes: Set<Int>
  private let hours: Set<Int>
  private let days: Set<Int>
  private let months: Set<Int>
  /// 0 is Sunday.
  private let weekdays: Set<Int>
  private let isAnyDay: Bool
  private let isAnyWeekday: Bool

  /// - Throws: ``Unreadable``.
  public init(_ text: String) throws(Unreadable) {
    let fields = text.split(separator: " ").map(String.init)
    guard fields.count == 5 else {
      throw Unreadable(text: text, reason: "it has \(fields.count) fields instead of 5")
    }
    description = fields.joined(separator: " ")
    minutes = try Self.values(fields[0], 0...59, "minute", text)
    hours = try Self.values(fields[1], 0...23, "hour", text)
    days = try Self.values(fields[2], 1...31, "day", text)
    months = try Self.values(fields[3], 1...12, "month", text)
    weekdays = Set(try Self.values(fields[4], 0...7, "weekday", text).map { $0 % 7 })
    isAnyDay = fields[2].hasPrefix("*")
    isAnyWeekday = fields[4].hasPrefix("*")
  }

  /// What is wrong with a schedule.
  public struct Unreadable: Error, Hashable, CustomStringConvertible {
    public let text: String
    public let reason: String
    public var description: String {
      "'\(text)' is no schedule: \(reason). Expected minute hour day month weekday, for example '30 2 * * *'"
    }
  }

  /// `*`, `5`, `1-5`, `*/15`, `8-18/2`, and several of them with commas.
  private static func values(
    _ field: String, _ range: ClosedRange<Int>, _ name: String, _ text: String
  ) throws(Unreadable) -> Set<Int> {
    var values: Set<Int> = []
    for part in field.split(separator: ",", omittingEmptySubsequences: false) {
      let step = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      let ends = step[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
      let first = step[0] == "*" ? range.lowerBound : Int(ends[0])
      var last = step[0] == "*" ? range.upperBound : Int(ends[ends.count - 1])
      if step.count == 2, ends.count == 1, step[0] != "*" { last = range.upperBound }
      let stride = step.count == 2 ? Int(step[1]) : 1
      guard let first, let last, let stride, stride > 0, first <= last, range.contains(first),
        range.contains(last)
      else {
        throw Unreadable(
          text: text,
          reason: "the \(name) '\(field)' is not within \(range.lowerBound) to \(range.upperBound)")
      }
      values.formUnion(Swift.stride(from: first, through: last, by: stride))
    }
    return values
  }

  /// The first time after an instant, by a time zone's clock; nil for what never comes, such as 30 February.
  ///
  /// A time that the clock skips in spring is due when the clock has skipped it; one that comes twice in autumn is due
  /// the first time.
  public func next(after instant: Date, in zone: TimeZone) -> Date? {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = zone
    let start = calendar.dateComponents([.year, .month, .day], from: instant)
    guard let year = start.year, let month = start.month, let day = start.day,
      let today = CalendarDate(year: year, month: month, day: day)
    else { return nil }
    // Weekday and date repeat after 28 years, but for centuries.
    for offset in 0..<(366 * 40) {
      let date = CalendarDate(daysSince1970: today.daysSince1970 + offset)
      guard isDue(on: date) else { continue }
      for hour in hours.sorted() {
        for minute in minutes.sorted() {
          let components = DateComponents(
            year: date.year, month: date.month, day: date.day, hour: hour, minute: minute)
          if let time = calendar.date(from: components), time > instant { return time }
        }
      }
    }
    return nil
  }

  private func isDue(on date: CalendarDate) -> Bool {
    guard months.contains(date.month) else { return false }
    // 1970-01-01 was a Thursday.
    let weekday = ((date.daysSince1970 + 4) % 7 + 7) % 7
    let (isDay, isWeekday) = (days.contains(date.day), weekdays.contains(weekday))
    return isAnyDay || isAnyWeekday ? isDay && isWeekday : isDay || isWeekday
  }
}
