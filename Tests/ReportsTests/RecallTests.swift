import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import TestSupport
import Testing

/// The list of patients to call, against the words of docs/reports.md, patient by patient.
@Suite struct RecallTests {
  @Test(arguments: OracleTests.seeds.prefix(5))
  func theListIsWhoeverTheWordsName(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 9800)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      try await programme.load(into: store)
      for (name, day) in [("2024-01", 17), ("2023-08", 31), ("2024-06", 1)] {
        let parts = name.split(separator: "-").compactMap { Int($0) }
        let today = try #require(CalendarDate(year: parts[0], month: parts[1], day: day))
        for district in Set(programme.facilities.filter { !$0.isDeleted }.map(\.district)) {
          var question = ReportQuestion(try Period(parsing: name))
          question.region.district = district
          question.today = today
          let table = try await RecallReport.report.make(question, database.pool)
          let found = table.rows.map { row in row.cells.dropFirst(6).map(\.text) }
          let expected = RecallWords(programme, today).list(district)
          #expect(found == expected, "seed \(seed), \(name), \(district)")
        }
      }
    }
  }

  /// As many missed visits as the figure of the month says.
  @Test func theListIsAsLongAsTheFiguresSay() async throws {
    let programme = RandomProgramme.make(seed: 9900)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      try await programme.load(into: store)
      let today = try #require(CalendarDate(year: 2024, month: 2, day: 11))
      let facility = try #require(programme.facilities.first { !$0.isDeleted })
      var question = ReportQuestion(try Period(parsing: "2024-02"))
      question.region.facility = facility.id.uuidString
      question.today = today
      let list = try await RecallReport.report.make(question, database.pool)
      let figures = try await DistrictBPReport.report.make(question, database.pool).rows[0].cells
      for reason in ["missed_visit", "uncontrolled"] {
        let place = try #require(Oracle.header.firstIndex(of: reason))
        #expect(
          .integer(list.rows.count { $0.cells[7] == .text(reason) }) == figures[place], "\(reason)")
      }
    }
  }

  @Test func aListOfEverybodyIsRefused() async throws {
    _ = try await ExampleProgramme.with { database in
      await #expect(throws: ReportQuestion.Refusal.self) {
        _ = try await RecallReport.report.make(
          ReportQuestion(try Period(parsing: "2024-06")), database.pool)
      }
    }
  }
}

/// The words of docs/reports.md, counted from a programme.
private struct RecallWords {
  private let programme: Programme
  private let today: CalendarDate
  private let clock: ReportingClock
  private let month: Int

  init(_ programme: Programme, _ today: CalendarDate) {
    self.programme = programme
    self.today = today
    clock = ReportingClock(programme.timeZone)
    month = today.year * 12 + today.month - 1
  }

  private struct Called {
    let urgency: (Int, Int, String)
    let cells: [String]
  }

  func list(_ district: String) -> [[String]] {
    let facilities = Set(programme.facilities.filter { $0.district == district }.map(\.id))
    return programme.patients.compactMap { patient in
      patient.assignedFacility.map(facilities.contains) == true ? called(patient) : nil
    }.sorted { $0.urgency < $1.urgency }.map(\.cells)
  }

  private func called(_ patient: Programme.Patient) -> Called? {
    guard patient.isHypertensive, !patient.isDeleted, let at = patient.registeredAt else {
      return nil
    }
    let registered = clock.month(at)
    let died = patient.diedAt.map(clock.month)
    func isPast(_ instant: Micros) -> Bool { clock.month(instant) <= month }
    let readings = programme.readings.filter {
      $0.patient == patient.id && !$0.isDeleted && ($0.recordedAt.map(isPast) ?? false)
    }.sorted {
      ($0.recordedAt ?? 0, $0.id.uuidString) < ($1.recordedAt ?? 0, $1.id.uuidString)
    }
    let visits =
      programme.visits.filter { $0.patient == patient.id && !$0.isDeleted }.compactMap(\.visitedAt)
      .filter(isPast) + readings.compactMap(\.recordedAt)
    let visit = visits.max()
    let underCare =
      (died ?? .max) > month
      && (month - registered < 12 || visit.map { month - clock.month($0) < 12 } ?? false)
    guard underCare, month - registered >= 3 else { return nil }
    let missed = visit.map { month - clock.month($0) >= 3 } ?? true
    let recent = readings.last { month - clock.month($0.recordedAt ?? 0) < 3 }
    let uncontrolled = recent.map { $0.systolic >= 140 || $0.diastolic >= 90 } ?? false
    guard missed || uncontrolled else { return nil }
    // Only the last twelve months are looked at.
    let last = visit.flatMap { month - clock.month($0) < 12 ? $0 : nil }
    let reading = readings.last { month - clock.month($0.recordedAt ?? 0) < 12 }
    let end = CalendarDate(
      year: (registered + 1) / 12, month: (registered + 1) % 12 + 1, day: 1)
    let seen = last.map { day($0).daysSince1970 } ?? (end?.daysSince1970 ?? 0) - 1
    let overdue = max(0, today.daysSince1970 - seen - 30)
    let veryHigh = reading.map { $0.systolic >= 180 || $0.diastolic >= 110 } ?? false
    let id = patient.id.uuidString.lowercased()
    return Called(
      urgency: (veryHigh ? 0 : 1, -overdue, id),
      cells: [
        id, missed ? "missed_visit" : "uncontrolled", last.map { "\(day($0))" } ?? "",
        reading.map { "\(day($0.recordedAt ?? 0))" } ?? "", reading.map { "\($0.systolic)" } ?? "",
        reading.map { "\($0.diastolic)" } ?? "", veryHigh ? "yes" : "no", "\(overdue)",
      ])
  }

  private func day(_ instant: Micros) -> CalendarDate { clock.day(instant) }
}

extension ReportingClock {
  /// The day that it is on the clock.
  func day(_ instant: Micros) -> CalendarDate {
    let seconds = Int((Double(instant) / 1_000_000).rounded(.down))
    let local =
      seconds + zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds)))
    return CalendarDate(daysSince1970: Int((Double(local) / 86_400).rounded(.down)))
  }
}
