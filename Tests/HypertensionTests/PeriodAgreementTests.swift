import Foundation
import PeriodRollups
import Postgres
import TestSupport
import Testing

/// A period holds an instant by our arithmetic when it does by PostgreSQL's.
@Suite(.database) struct PeriodAgreementTests {
  /// Zones with half hours, a skipped day, midnights that happen twice, none, and rules that have changed often.
  private static let zones = [
    "UTC", "Asia/Kolkata", "Asia/Kathmandu", "Africa/Addis_Ababa", "Africa/Cairo",
    "Africa/Casablanca",
    "America/St_Johns", "America/Sao_Paulo", "America/Caracas", "America/Asuncion", "Asia/Gaza",
    "Asia/Beirut",
    "Asia/Tehran", "Asia/Pyongyang", "Australia/Lord_Howe", "Europe/Dublin", "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Chatham", "Antarctica/Troll",
  ]

  @Test(arguments: zones)
  func aPeriodHoldsTheInstantsThatPostgreSQLPutsInIt(zone: String) async throws {
    let timeZone = try #require(TimeZone(identifier: zone))
    var random = Seeded(UInt64(truncatingIfNeeded: zone.utf8.reduce(7) { $0 &* 31 &+ Int($1) }))
    // From 1970, before which the packagings of the time zone database differ, to 2023, after which its editions may;
    // anywhere, and around the ends of months.
    var seconds = (0..<1500).map { _ in
      Int.random(in: 0...1_700_000_000, using: &random)
    }
    for _ in 0..<1500 {
      let month = try #require(
        Period(
          .month, year: Int.random(in: 1970...2023, using: &random),
          index: Int.random(in: 1...12, using: &random)))
      seconds.append(
        month.start.daysSince1970 * 86_400 + Int.random(in: -60_000...60_000, using: &random))
    }
    try await agree(seconds, timeZone)
  }

  /// Without a zone's rules, which are not known so far back and ahead, from the first year to the last.
  @Test func theFirstYearAndTheLastAreTheSameAsPostgreSQLs() async throws {
    var random = Seeded(1)
    let first = try #require(Period(.month, year: 1, index: 1)).start.daysSince1970 * 86_400
    let last = try #require(Period(.month, year: 9999, index: 12)).end.daysSince1970 * 86_400 - 1
    let seconds =
      [first, last] + (0..<5000).map { _ in Int.random(in: first...last, using: &random) }
    try await agree(seconds, try #require(TimeZone(identifier: "UTC")))
  }

  private func agree(_ seconds: [Int], _ zone: TimeZone) async throws {
    // Written here by hand, otherwise than the library has it.
    let rows = try await TestDatabase.current.pool.withConnection { connection in
      try await connection.query(
        """
        SELECT s, date_trunc('month', t)::date, date_trunc('quarter', t)::date,
          t::date - (extract(isodow FROM t)::integer - 1),
          make_date(extract(year FROM t)::integer, CASE WHEN extract(month FROM t) <= 6 THEN 1 ELSE 7 END, 1),
          to_char(t, 'IYYY-"W"IW'), to_char(t, 'YYYY') || CASE WHEN extract(month FROM t) <= 6 THEN 'H1' ELSE 'H2' END,
          'FY' || to_char(t - interval '3 months', 'YYYY"Q"Q')
        FROM (SELECT s, to_timestamp(s) AT TIME ZONE \(zone.identifier) AS t FROM unnest(\(seconds.map(Int64.init))) AS s) AS i
        """)
    }
    #expect(rows.count == seconds.count)
    for row in rows {
      let second = try row.decode(0, as: Int64.self)
      let instant = Date(timeIntervalSince1970: Double(second))
      func day(_ place: Int) throws -> CalendarDate {
        CalendarDate(try row.decode(place, as: CalendarDay.self))
      }
      let starts: [(PeriodType, CalendarDate)] = [
        (.month, try day(1)), (.quarter, try day(2)), (.week, try day(3)), (.halfYear, try day(4)),
        (.financialQuarter, try day(2)),
      ]
      for (type, start) in starts {
        let period = Period(type, containing: start)
        #expect(period.start == start, "\(zone.identifier), second \(second)")
        #expect(
          period.contains(instant, in: zone), "\(zone.identifier), second \(second): \(period)")
        #expect(
          !period.advanced(by: 1).contains(instant, in: zone)
            && !period.advanced(by: -1).contains(instant, in: zone),
          "\(zone.identifier), second \(second): beside \(period)")
        #expect(period.contains(start) && period.contains(period.lastDay))
      }
      #expect("\(Period(.week, containing: try day(3)))" == (try row.decode(5, as: String.self)))
      #expect(
        "\(Period(.halfYear, containing: try day(4)))" == (try row.decode(6, as: String.self)))
      // PostgreSQL has a year 1 BC where the financial year is called 0000.
      let named = try row.decode(7, as: String.self)
      let financial = Period(.financialQuarter, containing: try day(2))
      #expect("\(financial)" == named || financial.year == 0)
    }
  }
}

extension CalendarDate {
  fileprivate init(_ day: CalendarDay) { self.init(daysSince1970: Int(day.daysSince2000) + 10_957) }
}
