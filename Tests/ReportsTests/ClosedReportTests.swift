import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import TestSupport
import Testing

/// Promise P3 as a district health officer meets it: the report of a closed period is the same for ever.
@Suite struct ClosedReportTests {
  private static let periods = ["2023-11", "2023-12", "2023Q4", "2024-02", "2024Q1"]

  @Test(arguments: OracleTests.seeds.prefix(6))
  func aClosedReportNeverChanges(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 9000)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 4) { database, store in
      try await programme.load(into: store)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      var closed: [String: [String]] = [:]
      for name in Self.periods {
        let period = try Period(parsing: name)
        let open = try await Self.printed(period, database.pool)
        try await closer.close(period)
        let now = try await Self.printed(period, database.pool)
        let sides = zip(open, now).map { ($0.replacing("open,0", with: "closed,1"), $1) }
        for (number, (before, after)) in sides.enumerated() {
          #expect(before == after, "seed \(seed), \(name), text \(number): closing changed it")
        }
        closed[name] = now
      }

      var events = Events(programme, seed: seed)
      for _ in 0..<80 { try await events.happen(in: store) }

      for name in Self.periods {
        let period = try Period(parsing: name)
        #expect(
          try await Self.printed(period, database.pool) == closed[name],
          "seed \(seed): \(name) has changed")
        if period.type == .quarter {
          try await compareKnownNow(period, programme.timeZone, database.pool, seed)
        }
        let known = try await Self.csv(DistrictBP(period, view: .knownNow), database.pool)
        try await closer.restate(period, reason: "what came late")
        let second = try await Self.csv(DistrictBP(period), database.pool)
        #expect(second.replacing("closed,2", with: "known now,1") == known, "seed \(seed): \(name)")
        let first = try await Self.printed(period, database.pool, view: .edition(1))
        #expect(first == closed[name], "seed \(seed): edition 1 of \(name)")
      }
    }
  }

  /// Figures as known now against the plain statement over the sources.
  private func compareKnownNow(_ quarter: Period, _ zone: String, _ pool: Pool, _ seed: UInt64)
    async throws
  {
    let districts = try await pool.withConnection { connection in
      try await connection.query("SELECT DISTINCT district FROM facilities").map {
        try $0.decode(String.self)
      }
    }
    for district in districts {
      let report = try await DistrictBP(quarter, district: district, view: .knownNow).make(pool)
      let rows = report.rows.map { $0.cells.map(\.text) }.filter { $0[1] == "facility" }
      let stored = Set(rows.map { FromSourcesTests.counts($0) })
      for row in try await FromSourcesTests.plain(quarter, district, zone, pool)
      where row.dropFirst().contains(where: { $0 != "0" }) {
        #expect(stored.contains(row), "seed \(seed), \(quarter) as known now, \(district): \(row)")
      }
    }
  }

  /// The difference is what is known now less what was published, row by row.
  @Test func aComparisonAddsUp() async throws {
    let programme = RandomProgramme.make(seed: 9100)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 4) { database, store in
      try await programme.load(into: store)
      let period = try Period(parsing: "2024Q1")
      await #expect(throws: Closing.Refusal.open(period)) {
        _ = try await DistrictBP(period).compare(database.pool)
      }
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(period)
      var events = Events(programme, seed: 1)
      for _ in 0..<60 { try await events.happen(in: store) }
      let table = try await DistrictBP(period).compare(database.pool)
      let names = table.columns.map(\.name)
      var differences = 0
      for row in table.rows {
        for (place, name) in names.enumerated() where name.hasSuffix("_difference") {
          guard case .integer(let difference) = row.cells[place],
            case .integer(let now) = row.cells[place - 1],
            case .integer(let published) = row.cells[place - 2]
          else { continue }
          #expect(difference == now - published)
          differences += abs(difference)
        }
      }
      #expect(differences > 0)
      let all = try await DistrictBP(period).make(database.pool).rows[0].cells
      #expect(table.rows[0].cells[7] == all[7])

      // A district that is no more is compared as it was at closing.
      try await database.pool.withConnection {
        try await $0.script("UPDATE facilities SET district = 'Elsewhere'")
      }
      let whole = try await DistrictBP(period).compare(database.pool)
      let districts = whole.rows.filter { $0.cells[1] == .text("district") }
      for row in districts where row.cells[3] != .text("Unknown") {
        let district = row.cells[3].text
        let state = row.cells[2].text
        let alone = try await DistrictBP(period, district: district, state: state).compare(
          database.pool)
        #expect(alone.rows.first?.cells == row.cells, "\(district)")
      }
      #expect(!districts.isEmpty)
    }
  }

  /// Behind every figure stand as many patients as it says: open, closed, with other limits, in an unfinished quarter.
  @Test(arguments: OracleTests.seeds.prefix(2))
  func aListHasAsManyPatientsAsTheFigureSays(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 9200)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 4) { database, store in
      try await programme.load(into: store)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(Period(parsing: "2024-02"))
      try await closer.close(Period(parsing: "2024Q1"))
      let unfinished = try #require(CalendarDate(year: 2024, month: 5, day: 3))
      for (name, today) in [
        ("2024-02", nil), ("2024Q1", nil), ("2024-01", nil), ("2024Q2", unfinished),
      ] {
        for limits in [ControlLimits.standard, ControlLimits(systolic: 130, diastolic: 80)] {
          let report = DistrictBP(try Period(parsing: name), limits: limits)
          let table = try await report.make(database.pool, today: today)
          for indicator in Indicator.allCases {
            let place = try #require(
              table.columns.firstIndex { $0.name == indicator.rawValue })
            let list = try await report.patients(indicator, database.pool, today: today)
            if limits == .standard {
              let whole = list.rows.filter { $0.cells[2] != .text("Unknown") }.map(\.cells)
              let byDistrict = try await Self.byDistrict(
                report, indicator, table, database.pool, today)
              #expect(byDistrict == whole, "seed \(seed), \(name), \(indicator)")
            }
            var counts: [String: Int] = [:]
            for row in list.rows { counts[row.cells[4].text, default: 0] += 1 }
            for row in table.rows where row.cells[1] == .text("facility") {
              #expect(
                row.cells[place] == .integer(counts[row.cells[5].text] ?? 0),
                "seed \(seed), \(name), \(limits), \(indicator), \(row.label)")
            }
          }
        }
      }
    }
  }

  /// The list of each district by itself, one after the other.
  private static func byDistrict(
    _ report: DistrictBP, _ indicator: Indicator, _ table: ReportTable, _ pool: Pool,
    _ today: CalendarDate?
  ) async throws -> [[ReportTable.Cell]] {
    var rows: [[ReportTable.Cell]] = []
    for region in table.rows where region.cells[1] == .text("district") {
      guard region.cells[3] != .text("Unknown") else { continue }
      var alone = report
      (alone.state, alone.district) = (region.cells[2].text, region.cells[3].text)
      rows += try await alone.patients(indicator, pool, today: today).rows.map(\.cells)
    }
    return rows
  }

  /// The report and a list, with the usual limits and with others.
  private static func printed(
    _ period: Period, _ pool: Pool, view: DistrictBP.View = .published
  ) async throws -> [String] {
    var texts: [String] = []
    for limits in [ControlLimits.standard, ControlLimits(systolic: 130, diastolic: 80)] {
      let report = DistrictBP(period, limits: limits, view: view)
      texts.append(try await csv(report, pool))
      for indicator in [Indicator.controlled, .cumulativeRegistrations, .missedVisit] {
        texts.append(try text(await report.patients(indicator, pool)))
      }
    }
    return texts
  }

  private static func csv(_ report: DistrictBP, _ pool: Pool) async throws -> String {
    try text(await report.make(pool))
  }

  private static func text(_ table: ReportTable) throws -> String {
    var bytes: [UInt8] = []
    try CSVFormat(raw: true).write(table) { bytes += $0 }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// What promise P3 says must not change a closed period.
private struct Events {
  private let programme: Programme
  private var random: Seeded

  init(_ programme: Programme, seed: UInt64) {
    self.programme = programme
    random = Seeded(seed &+ 77)
  }

  mutating func happen(in store: Store) async throws {
    guard let patient = programme.patients.randomElement(using: &random)?.id,
      let other = programme.patients.randomElement(using: &random)?.id,
      let facility = programme.facilities.randomElement(using: &random),
      let reading = programme.readings.randomElement(using: &random)
    else { return }
    do {
      switch Int.random(in: 0..<12, using: &random) {
      case 0, 1: try await store.record(late(of: patient, at: facility.id))
      case 2:
        try await store.record(
          Reading(
            id: reading.id, patientID: reading.patient, facilityID: facility.id, systolic: 119,
            diastolic: 71, recordedAt: instant()))
      case 3: try await store.delete(Reading.self, reading.id, of: reading.patient)
      case 4: try await store.transfer(patient, to: facility.id)
      case 5 where patient != other: try await store.merge(patient, into: other)
      case 6: try await store.recordDeath(of: patient, at: instant())
      case 7: try await store.delete(patient: patient)
      case 8: try await store.restore(patient: patient)
      case 9:
        try await store.save(
          Facility(
            id: facility.id, name: "Renamed", state: facility.state, district: "Another district",
            block: "Another block", size: "large"))
      case 10: try await store.delete(facility: facility.id)
      default:
        try await store.record(
          Patient(
            id: patient, registeredAt: instant(), registrationFacilityID: facility.id,
            assignedFacilityID: facility.id, hypertensive: Bool.random(using: &random)))
      }
    } catch is WriteError {}
  }

  private mutating func late(of patient: UUID, at facility: UUID) -> Reading {
    Reading(
      patientID: patient, facilityID: facility,
      systolic: Int.random(in: 100...180, using: &random),
      diastolic: Int.random(in: 60...110, using: &random), recordedAt: instant())
  }

  /// From October 2023 to March 2024.
  private mutating func instant() -> Date {
    Date(
      timeIntervalSince1970: Double(Int.random(in: 1_696_000_000...1_712_000_000, using: &random)))
  }
}
