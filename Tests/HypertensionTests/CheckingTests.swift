import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// The quick look that backfill and verification begin with finds exactly those of whom the plain query says that they
/// differ.
@Suite struct CheckingTests {
  static let zones = ["Asia/Kolkata", "America/St_Johns", "UTC"]

  @Test(arguments: TestSupport.seeds(2), zones)
  func whoDiffersIsFound(seed: UInt64, timeZone: String) async throws {
    try await TestDatabase.migrated(timeZone: timeZone, size: 4) { database, store in
      var history = RandomHistory(store, seed: seed, patients: 6, rows: 20)
      for _ in 0..<80 { try await history.step() }
      #expect(try await found(store) == [])
      var random = Seeded(seed)
      for round in 0..<7 {
        let damage = Self.damages.randomElement(using: &random)!
        try await database.pool.withConnection { connection in
          _ = try await connection.query(
            Query(text: "SELECT setseed(\(Double(seed % 100 * 12 + UInt64(round)) / 1300))"))
          try await connection.script(damage)
        }
        #expect(
          try await found(store) == Set(Backfilling.drift(store.rollups).compactMap(Self.subject)),
          "seed \(seed), round \(round): \(damage)")
      }
      try await Backfilling.everything(store.rollups)
      #expect(try await found(store) == [])
      #expect(try await Backfilling.drift(store.rollups).isEmpty)
    }
  }

  /// Each alone and by chance: some rows, or none.
  private static let damages = [
    "DELETE FROM rollup.blood_pressure_rollups WHERE random() < 0.1",
    "DELETE FROM rollup.visit_rollups WHERE period_type = 'Q' AND random() < 0.2",
    "UPDATE rollup.blood_pressure_rollups SET systolic = systolic + 1 WHERE random() < 0.1",
    "UPDATE rollup.blood_pressure_rollups SET assigned_facility_id = NULL WHERE random() < 0.1",
    "UPDATE rollup.blood_pressure_rollups SET recorded_at = recorded_at + interval '1 second' WHERE random() < 0.05",
    "UPDATE rollup.blood_pressure_rollups SET recorded_at = recorded_at - interval '1 second' WHERE random() < 0.05",
    "UPDATE rollup.visit_rollups SET visit_id = gen_random_uuid() WHERE random() < 0.05",
    "UPDATE rollup.visit_rollups SET source = CASE source WHEN 'B' THEN 'V' ELSE 'B' END WHERE random() < 0.05",
    "UPDATE rollup.visit_rollups SET patient_id = gen_random_uuid() WHERE random() < 0.05",
    """
    UPDATE rollup.visit_rollups SET period_start = '2030-06-01' WHERE period_type = 'M' AND random() < 0.05
      AND patient_id NOT IN (SELECT patient_id FROM rollup.visit_rollups WHERE period_start = '2030-06-01')
      AND ctid IN (SELECT min(ctid::text)::tid FROM rollup.visit_rollups GROUP BY patient_id)
    """,
    "DELETE FROM blood_pressures WHERE random() < 0.05",
    "UPDATE blood_pressures SET recorded_at = recorded_at + interval '40 days' WHERE random() < 0.05",
    "UPDATE visits SET deleted_at = now() WHERE random() < 0.1",
    "UPDATE patients SET deleted_at = now() WHERE random() < 0.1",
    "UPDATE patients SET registered_at = '2023-01-01' WHERE random() < 0.2",
    "UPDATE rollup.patient_register SET died_month = '2000-01-01' WHERE random() < 0.2",
    """
    INSERT INTO blood_pressures (patient_id, id, systolic, diastolic, recorded_at)
    SELECT id, gen_random_uuid(), 121, 81, '1962-03-04' FROM patients WHERE random() < 0.2
    """,
  ]

  private static func subject(_ drift: Drift) -> UUID? {
    drift.rollup == "registrations" ? nil : UUID(uuidString: drift.key)
  }

  /// Looked for one by one, and those that are nobody.
  private func found(_ store: Store) async throws -> Set<UUID> {
    let known = try await store.rollups.pool.withConnection { connection in
      try await connection.query(
        """
        SELECT id FROM patients
        UNION SELECT patient_id FROM rollup.blood_pressure_rollups
        UNION SELECT patient_id FROM rollup.visit_rollups
        UNION SELECT patient_id FROM rollup.patient_register
        """
      ).map { try $0.decode(UUID.self) }
    }
    var found: Set<UUID> = []
    for patient in known
    where try await store.rollups.differing(Chunk([patient]), in: .all) != nil {
      found.insert(patient)
    }
    // As one chunk they are the same.
    let together = try await store.rollups.differing(Chunk<UUID>(first: nil, end: nil), in: .all)
    #expect(Set(together?.keys ?? []) == found)
    return found
  }

  /// In Newfoundland clocks went back from 00:01 on 1 November 2009 to 23:01 in October: no instant divides the months.
  @Test func monthsThatOverlapAreToldByTheClock() async throws {
    try await TestDatabase.migrated(timeZone: "America/St_Johns", size: 4) { database, store in
      let patient = UUID()
      try await store.insert(Patient(id: patient, registeredAt: .now, registrationFacilityID: nil))
      // 00:00:30 in November; 23:30 in October, half an hour later; 00:30 in November.
      for (hour, minute, second) in [(2, 30, 30), (3, 0, 0), (4, 0, 0)] {
        let instant = try #require(
          Calendar(identifier: .gregorian).date(
            from: DateComponents(
              timeZone: .gmt, year: 2009, month: 11, day: 1, hour: hour, minute: minute,
              second: second)))
        try await store.record(
          Reading(
            id: UUID(), patientID: patient, facilityID: nil, systolic: 100 + hour, diastolic: 80,
            recordedAt: instant))
      }
      #expect(try await store.rollups.differing(Chunk([patient]), in: .all) == nil)
      #expect(try await Backfilling.drift(store.rollups).isEmpty)
      let rows = try await database.pool.withConnection {
        try await $0.query(
          "SELECT period_name, systolic FROM rollup.blood_pressure_rollups WHERE period_type = 'M' ORDER BY 1"
        ).map { try $0.decode((String, Int).self) }
      }
      #expect(rows.map(\.0) == ["2009-10", "2009-11"] && rows.map(\.1) == [103, 104])
      try await database.pool.withConnection {
        try await $0.script(
          "DELETE FROM rollup.blood_pressure_rollups WHERE period_name = '2009-10'")
      }
      #expect(try await store.rollups.differing(Chunk([patient]), in: .all) != nil)
      try await Backfilling.everything(store.rollups)
      #expect(try await Backfilling.drift(store.rollups).isEmpty)
    }
  }
}
