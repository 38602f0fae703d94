import Foundation
import RollupStore
import Testing

@Suite struct CronTests {
  private let kolkata = TimeZone(identifier: "Asia/Kolkata")!
  private let newYork = TimeZone(identifier: "America/New_York")!

  private func date(_ text: String) -> Date { ISO8601DateFormatter().date(from: text)! }

  @Test(arguments: [
    ("30 2 * * *", "2024-06-30T21:00:00Z", "2024-07-01T21:00:00Z"),
    ("*/15 * * * *", "2024-06-30T21:01:00Z", "2024-06-30T21:15:00Z"),
    // Kolkata is half an hour beside UTC's hours.
    ("0 6-18/4 * * 1-5", "2024-06-28T13:00:00Z", "2024-07-01T00:30:00Z"),
    ("0 0 29 2 *", "2024-03-01T00:00:00Z", "2028-02-28T18:30:00Z"),
    ("5,10 0 1 1 *", "2024-12-31T18:36:00Z", "2024-12-31T18:40:00Z"),
    // The 13th or a Friday.
    ("0 12 13 * 5", "2024-09-10T00:00:00Z", "2024-09-13T06:30:00Z"),
    ("0 12 13 * 5", "2024-09-13T07:00:00Z", "2024-09-20T06:30:00Z"),
    ("0 0 * * 7", "2024-06-29T00:00:00Z", "2024-06-29T18:30:00Z"),
  ])
  func theNextTimeIsByTheZonesClock(cron: String, after: String, next: String) throws {
    #expect(try Cron(cron).next(after: date(after), in: kolkata) == date(next), "\(cron)")
  }

  @Test func aTimeThatTheClockSkipsIsDueOnceItHas() throws {
    let next = try Cron("30 2 10 3 *").next(after: date("2024-03-10T05:00:00Z"), in: newYork)
    #expect(next == date("2024-03-10T07:30:00Z"))
  }

  @Test func aTimeThatComesTwiceIsDueOnce() throws {
    let cron = try Cron("30 1 * * *")
    let first = try #require(cron.next(after: date("2024-11-03T04:00:00Z"), in: newYork))
    #expect(first == date("2024-11-03T05:30:00Z"))
    #expect(cron.next(after: first, in: newYork) == date("2024-11-04T06:30:00Z"))
  }

  @Test func whatNeverComesHasNoNextTime() throws {
    #expect(try Cron("0 0 30 2 *").next(after: Date(), in: kolkata) == nil)
  }

  @Test(arguments: [
    "", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "*/0 * * * *", "5-1 * * * *",
    "a * * * *", "1,, * * * *",
  ])
  func whatIsNoScheduleIsRefused(text: String) {
    #expect(throws: Cron.Unreadable.self) { try Cron(text) }
  }
}
