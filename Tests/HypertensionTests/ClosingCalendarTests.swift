import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import Synchronization
import TestSupport
import Testing

/// Closing by cron, night after night: exactly the periods that a person would have closed, on the day they would have.
@Suite struct ClosingCalendarTests {
  /// Two years, every night on two servers at once. Meanwhile dates are mistyped, one month is imported late, a clock is ahead
  /// twice, and cron is off for weeks.
  @Test func twoYearsOfNights() async throws {
    try await TestDatabase.migrated { database, store in
      try await Deployment.set(
        firstPeriod: "2023Q1".period, today: "2023-01-01".day, on: database.pool)
      var programme = Nights(store, database.pool)
      try await programme.begin()
      var today = "2023-01-01".day
      while today <= "2024-12-31".day {
        try await programme.happens(on: today)
        let ahead = Self.ahead[today.description]
        if let ahead {
          let outcome = try await programme.night(on: today.advanced(by: ahead))
          #expect(
            !outcome.closed && outcome.refusals == 2, "\(today) with a clock \(ahead) days ahead")
        } else if !Self.off.contains(where: { $0.contains(today) }) {
          _ = try await programme.night(on: today)
        }
        today = today.advanced(by: 1)
      }
      #expect(programme.closedOn == Self.expected())
      let editions = try await store.rollups.editions()
      #expect(editions.count == programme.closedOn.count)
      let before = try await closer(store).dated(before: "2023Q1".period)
      #expect(before.events["blood-pressure"] == 2, "what is dated 1999 is told: \(before)")
    }
  }

  /// Days on which the server's clock is ahead for one run, and how many days.
  private static let ahead = ["2023-11-20": 400, "2023-12-10": 40]
  /// When cron does not run.
  private static let off = ["2024-02-20".day..."2024-05-09".day]
  /// The month that is imported late, and when.
  fileprivate static let late = (month: "2023-09", imported: "2023-10-25")

  /// On the sixteenth of the month after, but for what was late and when nobody was there.
  private static func expected() -> [String: String] {
    var days: [String: String] = [:]
    for period in Closing.ordered(
      in: PeriodSpan(from: "2023-01".period, through: "2024-11".period) ?? .all)
    {
      var day = Grace.standard.closes(period)
      if period.lastMonth == late.month.period { day = late.imported.day }
      for span in off where span.contains(day) { day = span.upperBound.advanced(by: 1) }
      days[period.description] = day.description
    }
    return days
  }

  private func closer(_ store: Store) -> Closer {
    Closer(store.rollups, publishing: CarePublication(), author: "cron")
  }

  // MARK: The first period

  @Test func theFirstPeriodMovesOnlyAsFarAsNothingClosedContradictsIt() async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      func set(_ first: String) async throws {
        try await Deployment.set(firstPeriod: first.period, on: database.pool)
      }
      try await set("2023Q2")
      try await set("2024-02")
      try await set("2023Q3")
      let closer = closer(store)
      await #expect(throws: Closing.Refusal.beforeFirst("2023Q2".period, first: "2023Q3".period)) {
        try await closer.close("2023Q2".period)
      }
      try await closer.close("2023Q3".period)
      await #expect(
        throws: Closing.Refusal.closedBeforeFirst("2023Q3".period, first: "2023Q4".period)
      ) { try await set("2023Q4") }
      try await set("2023-06")
      #expect(try await closer.schedule().first == .decided("2023-06".period))
      for impossible in ["1989Q4", "2199-01"] {
        await #expect(throws: Closing.Refusal.noFirstPeriod(impossible.period)) {
          try await set(impossible)
        }
      }
    }
  }

  /// A deployment that closed before there was a decision: its first closed period is the decision.
  @Test func whatWasClosedBeforeDecides() async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      let closer = closer(store)
      try await closer.close("2024-05".period)
      #expect(
        try await database.pool.transaction { try await RollupStore.firstPeriod(in: $0) }
          == "2024-05".period)
      let schedule = try await closer.schedule()
      #expect(schedule.first == .firstClosed("2024-05".period))
      #expect(schedule.due(through: "2024Q3".period).first == "2024-06".period)
    }
  }
}

/// A programme of a handful of patients who are seen all the time, and its cron.
private struct Nights {
  let store: Store
  let pool: Pool
  /// By period, the day by the true clock.
  var closedOn: [String: String] = [:]
  private var patients: [Patient] = []
  private var random = Seeded(3)
  private var held: [Reading] = []
  private var today = "2023-01-01".day

  init(_ store: Store, _ pool: Pool) {
    self.store = store
    self.pool = pool
  }

  mutating func begin() async throws {
    let facility = Facility(
      id: UUID(), name: "PHC Goniana", state: "Punjab", district: "Bathinda")
    try await store.save(facility)
    for number in 0..<12 {
      let patient = Patient(
        registeredAt: "2023-01-02".day.advanced(by: number).noon,
        registrationFacilityID: facility.id)
      try await store.insert(patient)
      patients.append(patient)
    }
  }

  /// A reading on most days, some of them with a wrong year; those of one month are held back.
  mutating func happens(on day: CalendarDate) async throws {
    today = day
    var reading = Reading(
      patientID: patients[day.daysSince1970 % patients.count].id, facilityID: nil, systolic: 130,
      diastolic: 80, recordedAt: day.noon)
    if day.description.hasPrefix(ClosingCalendarTests.late.month) {
      // But for one that is typed on another day's form.
      if day.day == 12 { try await store.record(reading) } else { held.append(reading) }
      return
    }
    if day.description == ClosingCalendarTests.late.imported {
      try await store.record(held)
      held = []
    }
    switch day.description {
    case "2023-03-03", "2024-03-04": reading.recordedAt = "1999-05-03".day.noon
    case "2023-04-07": reading.recordedAt = "2024-12-30".day.noon
    case "2023-05-08": reading.recordedAt = "2023-09-01".day.noon
    case "2024-06-06": reading.recordedAt = "2062-06-06".day.noon
    default: break
    }
    try await store.record(reading)
  }

  /// `rollup close --due` on two servers at once.
  mutating func night(on day: CalendarDate) async throws -> (closed: Bool, refusals: Int) {
    async let one = run(on: day)
    async let other = run(on: day)
    let outcomes = [try await one, try await other]
    let closed = Set(outcomes.compactMap(\.self).flatMap(\.self))
    for period in closed { closedOn[period.description] = today.description }
    return (!closed.isEmpty, outcomes.filter { $0 == nil }.count)
  }

  /// - Returns: what it closed; nil where it refused.
  private func run(on day: CalendarDate) async throws -> [Period]? {
    var closer = Closer(store.rollups, publishing: CarePublication(), author: "cron")
    closer.today = day
    let schedule = try await closer.schedule()
    try schedule.check(nil)
    let due = schedule.due()
    let closed = Mutex<[Period]>([])
    do {
      try await closer.checkExpected(due, schedule, atMost: ClosingSchedule.usualAtMost)
    } catch is Closing.Refusal {
      return nil
    }
    try await closer.close(due, workers: 2) { period, outcome in
      if outcome != nil { closed.withLock { $0.append(period) } }
    }
    return closed.withLock(\.self)
  }
}

extension String {
  fileprivate var period: Period {
    (try? Period(parsing: self)) ?? Period(.month, containing: "1970-01-01".day)
  }

  fileprivate var day: CalendarDate {
    let parts = split(separator: "-").compactMap { Int($0) }
    return CalendarDate(year: parts[0], month: parts[1], day: parts[2])
      ?? CalendarDate(daysSince1970: 0)
  }
}

extension CalendarDate {
  fileprivate func advanced(by days: Int) -> CalendarDate {
    CalendarDate(daysSince1970: daysSince1970 + days)
  }

  /// In UTC, which is the same day in Kolkata.
  fileprivate var noon: Date {
    Date(timeIntervalSince1970: Double(daysSince1970) * 86_400 + 43_200)
  }
}
