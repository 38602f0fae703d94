import PeriodRollups
import TestSupport
import Testing

/// What is closed when, as values.
@Suite struct ClosingScheduleTests {
  private func day(_ text: String) throws -> CalendarDate {
    let parts = text.split(separator: "-").compactMap { Int($0) }
    return try #require(CalendarDate(year: parts[0], month: parts[1], day: parts[2]))
  }

  private func schedule(
    _ today: String, first: FirstPeriod, closed: [String] = []
  ) throws -> ClosingSchedule {
    ClosingSchedule(
      today: try day(today), grace: .standard, first: first,
      closed: Set(try closed.map { try Period(parsing: $0) }))
  }

  private func activity(_ counts: [String: Int]) throws -> Activity {
    var activity = Activity()
    var months: [Period: Int] = [:]
    for (month, count) in counts { months[try Period(parsing: month)] = count }
    activity.events["readings"] = months
    activity.newest = months.filter { $0.value > 0 }.keys.max().map(\.lastDay)
    return activity
  }

  // MARK: The proposal

  /// However a handful of mistyped dates is spread over forty years.
  @Test(arguments: seeds(40)) func mistypedDatesDoNotDecideTheFirstPeriod(seed: UInt64) throws {
    var random = Seeded(seed)
    let first = try Period(parsing: "2026-01")
    var counts: [Period: Int] = [:]
    for month in 0..<Int.random(in: 4...20, using: &random) {
      counts[first.advanced(by: month)] = Int.random(in: 60...300, using: &random)
    }
    let mistyped = Int.random(in: 0...8, using: &random)
    for _ in 0..<mistyped {
      // With some months to the beginning: what lies directly before it is an early start.
      counts[first.advanced(by: -Int.random(in: 6...440, using: &random)), default: 0] += 1
    }
    var activity = Activity()
    activity.events["readings"] = counts
    let proposal = try #require(activity.proposal(on: try day("2028-01-01")))
    #expect(proposal.period == (try Period(parsing: "2026Q1")))
    #expect(proposal.before.events["readings"] == mistyped)
  }

  @Test func aProgrammeThatPausedBeginsBeforeItsPause() throws {
    let activity = try activity([
      "2019-11": 40, "2019-12": 60, "2020-01": 80, "2020-09": 90, "2020-10": 90, "2020-11": 100,
    ])
    #expect(activity.proposal(on: try day("2021-01-01"))?.period.description == "2019-11")
  }

  @Test func nothingIsProposedOfWhatIsToComeOrLongGone() throws {
    #expect(try activity([:]).proposal(on: try day("2024-01-01")) == nil)
    #expect(
      try activity(["1914-06": 50, "2062-01": 9]).proposal(on: try day("2024-01-01")) == nil)
  }

  // MARK: Standing

  @Test func anOverduePeriodSaysSinceWhen() throws {
    let schedule = try schedule(
      "2024-07-28", first: .decided(try Period(parsing: "2024-04")), closed: ["2024-04", "2024-05"])
    #expect(
      schedule.overdue.map(\.sentence) == [
        "2024-06 has been due since 2024-07-16 (12 days)",
        "2024Q2 has been due since 2024-07-16 (12 days)",
      ])
    func sentence(_ period: String) throws -> String? {
      let period = try Period(parsing: period)
      return schedule.standing(of: period).sentence(on: period)
    }
    #expect(try sentence("2024-05") == nil)
    #expect(try sentence("2024-07") == "2024-07 is not over: it ends on 2024-07-31")
    #expect(try sentence("2024Q4") == "2024Q4 has not begun: it begins on 2024-10-01")
  }

  @Test func nothingBeforeTheFirstPeriodIsDueOrListed() throws {
    for first in ["2024-02", "2024Q2"] {
      let first = try Period(parsing: first)
      for decision in [FirstPeriod.decided(first), .firstClosed(first)] {
        let schedule = try schedule("2024-12-20", first: decision)
        let periods = schedule.due() + schedule.periods
        #expect(!periods.isEmpty && periods.allSatisfy { $0.start >= first.start })
      }
    }
    #expect(try schedule("2024-12-20", first: .undecided(proposal: nil)).due().isEmpty)
  }

  // MARK: Doubts

  @Test(arguments: [
    // As many as ever; and in a programme that begins.
    (["2024-01": 50, "2024-02": 60, "2024-03": 55], "2024-03", ""),
    (["2024-01": 5], "2024-01", ""), (["2024-01": 1, "2024-02": 200], "2024-02", ""),
    // Nothing; one mistyped date; an import that ended in the middle.
    (["2024-01": 50, "2024-02": 60], "2024-03", "2024-03 has no reading"),
    (["2024-01": 50, "2024-02": 60, "2024-03": 2], "2024-03", "2 events and registrations"),
    (["2024-01": 50], "2024Q2", "2024Q2 has no reading"),
  ])
  func whatLooksAsIfItsDataWereMissingIsDoubted(
    counts: [String: Int], period: String, words: String
  ) throws {
    let schedule = try schedule("2024-12-20", first: .decided(try Period(parsing: "2024Q1")))
    let doubts = schedule.doubts(about: [try Period(parsing: period)], try activity(counts))
    #expect(words.isEmpty ? doubts.isEmpty : doubts.count == 1 && doubts[0].contains(words))
  }

  @Test func aPeriodIsDoubtedThatEndsLongAfterTheNewestRecord() throws {
    let schedule = try schedule("2024-12-20", first: .decided(try Period(parsing: "2024Q1")))
    var activity = try activity(["2024-02": 60, "2024-03": 55])
    let march = [try Period(parsing: "2024-03")]
    for (newest, isDoubted) in [("2024-03-16", true), ("2024-03-17", false), ("2024-04-01", false)]
    {
      activity.newest = try day(newest)
      #expect(schedule.doubts(about: march, activity).isEmpty != isDoubted, "\(newest)")
    }
  }
}
