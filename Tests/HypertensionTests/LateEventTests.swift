import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// What programmes do to data (DESIGN.md, section 9), one at a time, when February and March of 2024 and their quarter are
/// closed and April is open: the ledger's entries, and what the closed periods would have now.
@Suite struct LateEventTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    /// `change effect row period`, in order; a row by its letter.
    let entries: [String]
    /// `patient period row`: what differs now from what was published; `-` for none.
    let now: [String]
    let happens: @Sendable (Store) async throws -> Void

    init(
      _ name: String, _ entries: [String] = [], now: [String] = [],
      _ happens: @escaping @Sendable (Store) async throws -> Void
    ) {
      (self.name, self.entries, self.now, self.happens) = (name, entries, now, happens)
    }

    var testDescription: String { name }
  }

  /// Patient p has readings a (10 March), b (20 March), c (10 April), q none; both are of 2023.
  static let cases = [
    Case(
      "a newer reading comes late", ["insert in d 2024-03", "insert in d 2024Q1"],
      now: ["p 2024-03 d", "p 2024Q1 d"]
    ) { try await $0.record(reading("d", "p", "2024-03-25")) },
    Case("an older reading comes late", ["insert in d 2024-03", "insert in d 2024Q1"]) {
      try await $0.record(reading("d", "p", "2024-03-02"))
    },
    Case(
      "the first reading of a patient comes late", ["insert in d 2024-02", "insert in d 2024Q1"],
      now: ["q 2024-02 d", "q 2024Q1 d"]
    ) { try await $0.record(reading("d", "q", "2024-02-29")) },
    Case("a reading of an open month") { try await $0.record(reading("d", "p", "2024-04-25")) },
    Case("a reading is sent again") { try await $0.record(reading("b", "p", "2024-03-20")) },
    Case(
      "a reading is sent again, corrected, with the same time",
      ["edit within b 2024-03", "edit within b 2024Q1"], now: ["p 2024-03 b", "p 2024Q1 b"]
    ) { try await $0.record(reading("b", "p", "2024-03-20", systolic: 118)) },
    Case(
      "a reading that was not the most recent is corrected",
      ["edit within a 2024-03", "edit within a 2024Q1"]
    ) { try await $0.record(reading("a", "p", "2024-03-10", systolic: 118)) },
    Case(
      "a reading moves out of a closed period", ["edit out b 2024-03", "edit out b 2024Q1"],
      now: ["p 2024-03 a", "p 2024Q1 a"]
    ) { try await $0.update(reading("b", "p", "2024-04-20")) },
    Case(
      "a reading moves into a closed period", ["edit in c 2024-03", "edit in c 2024Q1"],
      now: ["p 2024-03 c", "p 2024Q1 c"]
    ) { try await $0.update(reading("c", "p", "2024-03-31")) },
    Case(
      "a reading moves between closed periods",
      ["edit in b 2024-02", "edit out b 2024-03", "edit within b 2024Q1"],
      now: ["p 2024-02 b", "p 2024-03 a", "p 2024Q1 a"]
    ) { try await $0.update(reading("b", "p", "2024-02-10")) },
    Case(
      "a reading is dated in 2062", ["edit out b 2024-03", "edit out b 2024Q1"],
      now: ["p 2024-03 a", "p 2024Q1 a"]
    ) { try await $0.update(reading("b", "p", "2062-03-20")) },
    Case(
      "a reading loses its time", ["edit out b 2024-03", "edit out b 2024Q1"],
      now: ["p 2024-03 a", "p 2024Q1 a"]
    ) { try await $0.update(reading("b", "p", nil)) },
    Case("readings of the years 16 and 2062, and without a time") {
      try await $0.record(reading("d", "p", "0016-03-20"))
      try await $0.record(reading("e", "p", "2062-03-20"))
      try await $0.record(reading("f", "p", nil))
    },
    Case(
      "the most recent reading is deleted", ["delete out b 2024-03", "delete out b 2024Q1"],
      now: ["p 2024-03 a", "p 2024Q1 a"]
    ) { try await $0.delete(Reading.self, id("b"), of: id("p")) },
    Case(
      "all readings are deleted",
      [
        "delete out b 2024-03", "delete out b 2024Q1", "delete out a 2024-03",
        "delete out a 2024Q1",
      ], now: ["p 2024-03 -", "p 2024Q1 -"]
    ) {
      try await $0.delete(Reading.self, id("b"), of: id("p"))
      try await $0.delete(Reading.self, id("a"), of: id("p"))
    },
    Case(
      "a reading is deleted and restored",
      [
        "delete out b 2024-03", "delete out b 2024Q1", "restore in b 2024-03",
        "restore in b 2024Q1",
      ]
    ) {
      try await $0.delete(Reading.self, id("b"), of: id("p"))
      try await $0.restore(Reading.self, id("b"), of: id("p"))
    },
    Case(
      "a reading is removed for good", ["destroy out b 2024-03", "destroy out b 2024Q1"],
      now: ["p 2024-03 a", "p 2024Q1 a"]
    ) { try await $0.destroy(Reading.self, id("b"), of: id("p")) },
    Case(
      "a reading was another patient's",
      [
        "reassign in b 2024-03", "reassign in b 2024Q1", "reassign out b 2024-03",
        "reassign out b 2024Q1",
      ], now: ["p 2024-03 a", "p 2024Q1 a", "q 2024-03 b", "q 2024Q1 b"]
    ) { try await $0.reassign(Reading.self, id("b"), from: id("p"), to: id("q")) },
    Case(
      "a duplicate is merged",
      ["a", "b"].flatMap { row in
        ["in", "out"].flatMap { ["merge \($0) \(row) 2024-03", "merge \($0) \(row) 2024Q1"] }
      }, now: ["p 2024-03 -", "p 2024Q1 -", "q 2024-03 b", "q 2024Q1 b"]
    ) { try await $0.merge(id("p"), into: id("q")) },
    Case(
      "deduplication: a new patient with new readings of old dates, the originals deleted",
      [
        "insert in d 2024-03", "insert in d 2024Q1", "insert in e 2024-03", "insert in e 2024Q1",
        "departure out a 2024-03", "departure out a 2024Q1", "departure out b 2024-03",
        "departure out b 2024Q1",
      ], now: ["p 2024-03 -", "p 2024Q1 -", "r 2024-03 e", "r 2024Q1 e"]
    ) {
      try await $0.insert(patient("r"))
      try await $0.record([reading("d", "r", "2024-03-10"), reading("e", "r", "2024-03-20")])
      try await $0.delete(patient: id("p"))
    },
    Case(
      "a patient is deleted and restored",
      ["departure out", "arrival in"].flatMap { what in
        ["a", "b"].flatMap { ["\(what) \($0) 2024-03", "\(what) \($0) 2024Q1"] }
      }
    ) {
      try await $0.delete(patient: id("p"))
      try await $0.restore(patient: id("p"))
    },
    Case(
      "a reading comes before its patient", ["arrival in d 2024-03", "arrival in d 2024Q1"],
      now: ["s 2024-03 d", "s 2024Q1 d"]
    ) {
      try await $0.record(reading("d", "s", "2024-03-05"))
      try await $0.record(patient("s"))
    },
    Case("a reading of nobody who is known") {
      try await $0.record(reading("d", "s", "2024-03-05"))
    },
    Case("a transfer, a death, a diagnosis") {
      try await $0.transfer(id("p"), to: id("g"))
      try await $0.recordDeath(of: id("p"), at: date("2024-03-30"))
      try await $0.update(patient("q", hypertensive: false))
    },
    Case(
      "a batch, a part of it known",
      [
        "edit within b 2024-03", "edit within b 2024Q1", "insert in d 2024-03",
        "insert in d 2024Q1",
      ],
      now: ["p 2024-03 d", "p 2024Q1 d"]
    ) {
      try await $0.record([
        reading("a", "p", "2024-03-10"), reading("b", "p", "2024-03-20", systolic: 118),
        reading("d", "p", "2024-03-25"), reading("e", "p", "2024-04-25"),
      ])
    },
  ]

  @Test(arguments: cases)
  func isInTheLedgerOnceForEachClosedPeriod(_ happening: Case) async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      try await store.save(Facility(id: Self.id("f"), name: "F", state: "S", district: "D"))
      for name in ["p", "q"] { try await store.insert(Self.patient(name)) }
      for (row, day) in [("a", "2024-03-10"), ("b", "2024-03-20"), ("c", "2024-04-10")] {
        try await store.record(Self.reading(row, "p", day))
      }
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      for period in ["2024-02", "2024-03", "2024Q1"] {
        try await closer.close(Period(parsing: period))
      }
      let published = try await Self.rows(store, isClosed: false)
      try await happening.happens(store)

      #expect(try await Self.entries(store).sorted() == happening.entries.sorted())
      #expect(try await Self.rows(store, isClosed: false) == published, "a closed row changed")
      let now = try await Self.rows(store, isClosed: true)
      let changed = Set(published.keys).union(now.keys).filter { published[$0] != now[$0] }
      let found = changed.map { "\($0) \(now[$0].map { $0.prefix(1) } ?? "-")" }
      // A reading is a visit: both rollups say the same, but that a visit has no values to correct.
      let blood = found.filter { $0.hasPrefix("B ") }.map { $0.dropFirst(2) }.sorted()
      #expect(blood.map(String.init) == happening.now.sorted())
      let drift = try await Backfilling.drift(store.rollups)
      #expect(drift.isEmpty, "\(drift)")
    }
  }

  /// A registration that moves to a closed month: the month keeps its count, what would be another is kept beside it.
  @Test func aRegistrationMovesIntoAClosedMonth() async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      try await store.insert(Self.patient("p", registered: "2024-04-05"))
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      for period in ["2024-03", "2024Q1"] { try await closer.close(Period(parsing: period)) }
      try await store.update(Self.patient("p", registered: "2024-03-05"))
      let late = LateArrivals(period: nil)
      let sums = try await late.sums(database.pool).map {
        "\($0.period) \($0.kind) \($0.effect) \($0.count)"
      }
      #expect(sums.sorted() == ["2024-03 registrations added 1", "2024Q1 registrations added 1"])
      #expect(try await Backfilling.drift(store.rollups).isEmpty)
      let closed = Rollups.registrations.table
      let counted = try await database.pool.withConnection { connection in
        try await connection.query(
          Query(
            text: """
              SELECT coalesce(sum(change), 0)::bigint FROM \(closed)
              WHERE period_start IN ('2024-01-01', '2024-03-01')
              """)
        ).only(Int.self)
      }
      #expect(counted == 0)
    }
  }

  /// Deduplication comes to nothing: as many rows gone as added, none of them twice.
  @Test func aDuplicateComesToNothing() async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      for name in ["p", "q"] { try await store.insert(Self.patient(name)) }
      try await store.record(Self.reading("a", "p", "2024-03-10"))
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(Period(parsing: "2024-03"))
      try await store.merge(Self.id("p"), into: Self.id("q"))
      let late = LateArrivals(period: nil)
      let net = try await late.sums(database.pool).filter { $0.change == "net" }
      #expect(net.map { "\($0.kind) \($0.effect) \($0.count)" } == Self.netOfAMerge)
    }
  }

  private static let netOfAMerge = [
    "blood-pressure added 1", "blood-pressure gone 1", "visits added 1", "visits gone 1",
  ]

  // MARK: Parts

  private static func id(_ name: String) -> UUID {
    let byte = name.utf8.first ?? 0
    return UUID(uuid: (byte, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, byte))
  }

  private static func name(_ id: UUID) -> String { String(UnicodeScalar(id.uuid.0)) }

  private static func date(_ day: String?) -> Date? {
    day.flatMap { try? Date("\($0)T06:00:00Z", strategy: .iso8601) }
  }

  private static func patient(
    _ name: String, registered: String = "2023-06-01", hypertensive: Bool = true
  ) -> Patient {
    Patient(
      id: id(name), registeredAt: date(registered), registrationFacilityID: id("f"),
      assignedFacilityID: id("f"), hypertensive: hypertensive)
  }

  private static func reading(
    _ name: String, _ patient: String, _ day: String?, systolic: Int = 150
  ) -> Reading {
    Reading(
      id: id(name), patientID: id(patient), facilityID: id("f"), systolic: systolic, diastolic: 80,
      recordedAt: date(day))
  }

  private static func entries(_ store: Store) async throws -> [String] {
    try await store.rollups.pool.withConnection { connection in
      try await connection.query(
        "SELECT change, effect, row_id::uuid, period_type::text, period_start FROM rollup.late_arrivals"
      )
      .map { row in
        let (change, effect, id, type, start) = try row.decode(
          (String, String, UUID, String, CalendarDay).self)
        let period = type == "M" ? PeriodType.month : .quarter
        return
          "\(change) \(effect) \(name(id)) \(Period(period, containing: CalendarDate(start)))"
      }
    }
  }

  /// The rows of the closed periods by rollup, patient and period: the event's name and its values.
  private static func rows(_ store: Store, isClosed: Bool) async throws -> [String: String] {
    var rows: [String: String] = [:]
    for period in try ["2024-02", "2024-03", "2024Q1"].map({ try Period(parsing: $0) }) {
      for (code, rollup, id) in [
        ("B", Rollups.bloodPressure, "blood_pressure_id"), ("V", Rollups.visits, "visit_id"),
      ] {
        let table = rollup.rows(of: period, isClosed: isClosed)
        let values = code == "B" ? "systolic::text" : "''"
        let query = Query(text: "SELECT patient_id, \(id), \(values) FROM (\(table)) AS t")
        for row in try await store.rollups.pool.withConnection({ try await $0.query(query) }) {
          let (patient, event, value) = try row.decode((UUID, UUID, String).self)
          rows["\(code) \(name(patient)) \(period)"] = "\(name(event)) \(value)"
        }
      }
    }
    return rows
  }
}
