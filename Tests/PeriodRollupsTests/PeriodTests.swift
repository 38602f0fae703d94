import Foundation
import Testing

@testable import PeriodRollups

@Suite struct PeriodTests {
  @Test func everyPeriodIsReadAsItIsPrinted() throws {
    for year in [1, 16, 999, 1582, 1900, 2024, 9999] {
      for type in PeriodType.allCases {
        for index in 1...type.mostPerYear {
          // Not every year has a 53rd week; the year 10000 is not reached.
          guard let period = Period(type, year: year, index: index) else {
            #expect(type == .week && index == 53 || type == .financialQuarter && year == 9999)
            continue
          }
          #expect(try Period(parsing: period.description) == period)
          #expect(period.year == year && period.index == index)
        }
      }
    }
  }

  @Test(arguments: [
    ("2024Q5", "numbered 1 to 4"), ("2024-13", "numbered 1 to 12"), ("2024-00", "numbered 1 to 12"),
    ("24Q1", "four digits"), ("0000-01", "0001 to 9999"), ("June", "neither a month nor a quarter"),
    ("", "neither"), ("2024-", "number of a month"), ("2024Q", "number of a quarter"),
    ("2024-6-1", "number of a month"), ("２０２４-06", "four digits"),
    ("2024Q+1", "number of a quarter"),
  ])
  func whatIsNoPeriodIsRefusedWithWhatOneLooksLike(text: String, reason: String) {
    let error = #expect(throws: Period.Unreadable.self) { try Period(parsing: text) }
    let message = error.map { "\($0)" } ?? ""
    #expect(message.contains(reason) && message.contains("2024-06") && message.contains("2024Q2"))
  }

  @Test func periodsOfEveryTypeAreCountedThatHaveADayInASpan() throws {
    func counts(_ from: String, _ to: String, of types: [PeriodType] = PeriodType.allCases) throws
      -> String
    {
      let span = try #require(
        PeriodSpan(from: try Period(parsing: from), through: try Period(parsing: to)))
      return span.counts(of: types).map { "\($0.count) \($0.type.plural)" }.joined(separator: ", ")
    }
    #expect(
      try counts("2024-01", "2024-12")
        == "53 weeks, 12 months, 4 quarters, 4 financial quarters, 2 half-years")
    // 29 April to 2 June.
    #expect(
      try counts("2024-05", "2024-05")
        == "5 weeks, 1 months, 1 quarters, 1 financial quarters, 1 half-years")
    #expect(
      try counts("2024-06", "2024-07", of: [.quarter, .month, .quarter]) == "2 months, 2 quarters")
  }

  @Test func periodsOfAYearFollowEachOtherWithoutGaps() throws {
    for type in PeriodType.allCases {
      let (first, end) = (PeriodSpan.all.first.start, PeriodSpan.all.last.lastDay)
      var period = Period(type, containing: first)
      let last = Period(type, containing: end)
      #expect(period.start == first)
      while period < last {
        let next = period.advanced(by: 1)
        #expect(period.end == next.start)
        #expect(period.distance(to: next) == 1)
        period = next
      }
    }
  }

  @Test func daysAreThoseOfTheProlepticGregorianCalendar() throws {
    // PostgreSQL: SELECT '0001-01-01'::date - '1970-01-01', and so on.
    let known = [
      ((1, 1, 1), -719_162), ((1582, 10, 14), -141_428), ((1970, 1, 1), 0), ((2000, 2, 29), 11_016),
      ((2024, 6, 30), 19_904), ((9999, 12, 31), 2_932_896),
    ]
    for ((year, month, day), number) in known {
      let date = try #require(CalendarDate(year: year, month: month, day: day))
      #expect(date.daysSince1970 == number)
    }
    for number in stride(from: -719_162, through: 2_932_896, by: 13) {
      #expect(CalendarDate(daysSince1970: number).daysSince1970 == number)
    }
    #expect(CalendarDate(year: 2023, month: 2, day: 29) == nil)
    #expect(CalendarDate(year: 1900, month: 2, day: 29) == nil)
  }

  @Test func aReadingLateOnTheLastDayIsInTheMonthOfTheReportingZone() throws {
    let kolkata = try #require(TimeZone(identifier: "Asia/Kolkata"))
    let utc = try #require(TimeZone(identifier: "UTC"))
    let instant = try Date("2024-06-30T20:00:00Z", strategy: .iso8601)
    #expect(try Period(parsing: "2024-07").contains(instant, in: kolkata))
    #expect(try Period(parsing: "2024-06").contains(instant, in: utc))
    // The last microsecond of the last day still belongs to the month.
    let end = try Date("2024-06-30T18:30:00Z", strategy: .iso8601)
    #expect(
      try Period(parsing: "2024-06").contains(end.addingTimeInterval(-0.000_001), in: kolkata))
    #expect(try Period(parsing: "2024-07").contains(end, in: kolkata))
  }

  @Test func aDayThatAZoneSkippedOrChangedTheClockOnIsInItsMonth() throws {
    // Samoa had no 2011-12-30: the clock went from the 29th, 24:00, to the 31st.
    let apia = try #require(TimeZone(identifier: "Pacific/Apia"))
    let before = try Date("2011-12-30T09:59:59Z", strategy: .iso8601)
    #expect(try Period(parsing: "2011-12").contains(before, in: apia))
    #expect(try Period(parsing: "2011-12").contains(before.addingTimeInterval(1), in: apia))
    // Midnight twice: Newfoundland turned its clock back at 00:01 until 2011.
    let stJohns = try #require(TimeZone(identifier: "America/St_Johns"))
    let turned = try Date("2006-10-29T02:30:30Z", strategy: .iso8601)
    #expect(try Period(parsing: "2006-10").contains(turned, in: stJohns))
  }

  @Test func aMonthAndAQuarterMayMeetInASet() throws {
    let periods = try ["2024-01", "2024Q1", "2024-01"].map { try Period(parsing: $0) }
    #expect(Set(periods).count == 2)
    #expect(periods[0] != periods[1] && periods[0] < periods[1])
  }

  @Test func aSpanIsCoveredByTheFewestPeriods() throws {
    func cover(_ from: String, _ through: String) throws -> [String] {
      let span = try #require(
        PeriodSpan(from: Period(parsing: from), through: Period(parsing: through)))
      return span.cover.map(\.description)
    }
    #expect(try cover("2023-07", "2024-06") == ["2023Q3", "2023Q4", "2024Q1", "2024Q2"])
    #expect(
      try cover("2023-06", "2024-05") == [
        "2023-06", "2023Q3", "2023Q4", "2024Q1", "2024-04", "2024-05",
      ])
    #expect(try cover("2024-05", "2024-05") == ["2024-05"])
    #expect(
      PeriodSpan(from: try Period(parsing: "2024Q2"), through: try Period(parsing: "2024-03"))
        == nil)
  }

  @Test func aCoverHasEachMonthOfItsSpanOnce() throws {
    let first = try Period(parsing: "2019-01")
    for start in 0..<24 {
      for length in 0..<30 {
        let from = first.advanced(by: start)
        let span = try #require(PeriodSpan(from: from, through: from.advanced(by: length)))
        #expect(span.cover.flatMap(\.months) == (0...length).map { from.advanced(by: $0) })
      }
    }
  }

  /// Strideable would compare by distance, which traps.
  @Test func aMonthIsNotItsQuarterAndBothFitInOneSet() throws {
    let (month, quarter) = (try Period(parsing: "2024-04"), try Period(parsing: "2024Q2"))
    #expect(month != quarter)
    #expect(month < quarter, "both begin on one day; the month comes first")
    let both = Set((0..<200).flatMap { [month.advanced(by: $0), quarter.advanced(by: $0)] })
    #expect(both.count == 400)
  }
}
