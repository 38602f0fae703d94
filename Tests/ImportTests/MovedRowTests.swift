import Foundation
import Hypertension
import Import
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// A reading that comes under another patient than before is that patient's, and counts once.
@Suite struct MovedRowTests {
  private static let header = "id,patient_id,systolic,diastolic,recorded_at"

  private func holders(_ database: TestDatabase) async throws -> [String] {
    try await database.pool.texts(
      """
      SELECT concat_ws(' ', b.id = md5('Reading/R1')::uuid,
        CASE b.patient_id WHEN md5('Patient/A')::uuid THEN 'A' WHEN md5('Patient/B')::uuid THEN 'B' END,
        systolic, CASE WHEN b.deleted_at IS NOT NULL THEN 'deleted' END,
        (SELECT count(*) FROM rollup.blood_pressure_rollups AS r WHERE r.patient_id = b.patient_id))
      FROM blood_pressures AS b
      """)
  }

  @Test func aReadingThatIsSentAgainForTheSurvivorOfAMergeIsTheSurvivors() async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      try await ImportFolder.with { folder in
        try folder.write("p.csv", "id,registered_at", "A,2024-01-01", "B,2024-01-01")
        try folder.write("1.csv", Self.header, "R1,A,150,90,2024-05-02")
        try folder.write("2.csv", Self.header, "R1,B,140,90,2024-05-02")
        _ = try await folder.importCSV([.patients: "p.csv", .readings: "1.csv"], store)
        let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
        try await closer.close(Period(parsing: "2024-05"))
        let report = try await folder.importCSV([.readings: "2.csv"], store)
        #expect(report.tables.first { $0.name == "readings" }?.moved == 1)
        #expect(report.rejected == 0)
        // The month is closed and keeps its row; the quarter is open and follows.
        #expect(try await holders(database) == ["t B 140 1"])
        #expect(
          try await database.pool.texts(
            """
            SELECT concat_ws(' ', change, effect,
              CASE subject_id WHEN md5('Patient/A')::uuid THEN 'A' ELSE 'B' END)
            FROM rollup.late_arrivals
            """) == ["edit within B", "reassign in B", "reassign out A"])
        // The same again changes nothing.
        let again = try await folder.importCSV([.readings: "2.csv"], store)
        #expect(again.written == 0 && again.tables.allSatisfy { $0.moved == 0 })
      }
    }
  }

  /// As older versions left them.
  @Test func aSecondRowOfOneIDIsMarkedDeleted() async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      try await ImportFolder.with { folder in
        try folder.write("p.csv", "id,registered_at", "A,2024-01-01", "B,2024-01-01")
        try folder.write("1.csv", Self.header, "R1,A,150,90,2024-05-02")
        try folder.write("2.csv", Self.header, "R1,B,150,90,2024-05-02")
        _ = try await folder.importCSV([.patients: "p.csv", .readings: "1.csv"], store)
        let (id, b) = try await database.pool.withConnection {
          try await $0.query("SELECT md5('Reading/R1')::uuid, md5('Patient/B')::uuid").only(
            (UUID, UUID).self)
        }
        let twin = Reading(
          id: id, patientID: b, facilityID: nil, systolic: 150, diastolic: 90,
          recordedAt: ISO8601DateFormatter().date(from: "2024-05-01T18:30:00Z"))
        try await store.record(twin)
        _ = try await folder.importCSV([.readings: "2.csv"], store)
        #expect(try await holders(database) == ["t A 150 deleted 0", "t B 150 2"])
        #expect(try await folder.importCSV([.readings: "2.csv"], store).written == 0)
      }
    }
  }

  @Test(arguments: [false, true])
  func ofTwoPatientsInOneImportTheLaterHasItAndTheOtherIsNamed(sourcesOnly: Bool) async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      try await ImportFolder.with { folder in
        try folder.write(
          "1.csv", Self.header, "R1,A,150,90,2024-05-02", "R2,A,151,90,2024-05-02",
          "R1,B,140,90,2024-05-02", "R1,B,141,90,2024-05-02")
        let report = try await folder.importCSV([.readings: "1.csv"], store)
        #expect(report.rejected == 1)
        #expect(
          folder.rejects == [
            "1.csv,2,readings/R1,\"id: it comes again for another patient in line 5, which counts\""
          ])
        #expect(try await holders(database) == ["f A 151 0", "t B 141 0"])
        // Back again, with the sources alone too.
        try folder.write("2.csv", Self.header, "R1,A,150,90,2024-05-02")
        let work = CSVImport(
          [.readings: folder.path + "/2.csv"],
          ImportOptions(sourcesOnly: sourcesOnly, rejects: folder.path + "/rejects.csv"))
        let moved = try await store.rollups.pool.withConnection {
          try await work.run(store.rollups, on: $0)
        }
        #expect(moved.tables.map(\.moved).reduce(0, +) == 1)
        #expect(try await holders(database) == ["f A 151 0", "t A 150 0"])
      }
    }
  }
}
