import Foundation
import Import
import TestSupport
import Testing

/// What real exports do: one small folder a rule.
@Suite struct FHIREdgeTests {
  static let organization =
    #"{"resourceType":"Organization","id":"o1","name":"PHC","address":[{"state":"S","city":"C"}]}"#
  static let encounter = encounter("e1", at: "2024-01-10T09:00:00Z")
  static let condition = """
    {"resourceType":"Condition","id":"c1",\
    "code":{"coding":[{"system":"http://snomed.info/sct","code":"59621000"}]},\
    "subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"},\
    "recordedDate":"2024-01"}
    """

  static func encounter(_ id: String, at time: String, facility: String = "o1") -> String {
    """
    {"resourceType":"Encounter","id":"\(id)","subject":{"reference":"Patient/p1"},\
    "period":{"start":"\(time)"},"serviceProvider":{"reference":"Organization/\(facility)"}}
    """
  }

  static func observation(
    _ id: String, status: String = "final", systolic: Double = 139.5, encounter: String = "e1",
    at time: String = "2024-01-10T09:05:00Z"
  ) -> String {
    """
    {"resourceType":"Observation","id":"\(id)","status":"\(status)",\
    "code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},\
    "subject":{"reference":"Patient/p1"},\
    "encounter":{"reference":"Encounter/\(encounter)"},"effectiveDateTime":"\(time)","component":[\
    {"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},\
    "valueQuantity":{"value":\(systolic)}},\
    {"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},\
    "valueQuantity":{"value":80}}]}
    """
  }

  static func writeAll(_ folder: ImportFolder) throws {
    try folder.write("Organization.ndjson", organization)
    try folder.write("Patient.ndjson", #"{"resourceType":"Patient","id":"p1"}"#)
    try folder.write("Condition.ndjson", condition)
    try folder.write("Encounter.ndjson", encounter)
  }

  @Test func textIDsAndPartialDates() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try Self.writeAll(folder)
        try folder.write("Observation.ndjson", Self.observation("b1"))
        #expect(try await folder.importFHIR(store).rejected == 0)
        #expect(folder.rejects.isEmpty)
      }
      // A month alone begins in the reporting time zone.
      #expect(
        try await database.pool.texts(
          """
          SELECT concat_ws(' ', id = md5('Patient/p1')::uuid,
            registered_at AT TIME ZONE 'Asia/Kolkata', hypertensive,
            registration_facility_id = md5('Organization/o1')::uuid)
          FROM patients
          """) == ["t 2024-01-01 00:00:00 t t"])
      #expect(
        try await database.pool.texts(
          "SELECT concat_ws(' ', systolic, diastolic) FROM blood_pressures")
          == ["140 80"])
      #expect(
        try await database.pool.texts(
          "SELECT concat(period_type, period_start) FROM rollup.blood_pressure_rollups")
          == ["M2024-01-01", "Q2024-01-01"])
    }
  }

  @Test func ofTwoLinesWithOneIDTheLaterCounts() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try Self.writeAll(folder)
        try folder.write(
          "Observation.ndjson", Self.observation("b1", systolic: 120),
          Self.observation("b1", systolic: 130))
        try folder.write("Observation-2.ndjson", Self.observation("b2", systolic: 150))
        _ = try await folder.importFHIR(store)
        #expect(
          try await database.pool.texts("SELECT systolic::text FROM blood_pressures") == [
            "130", "150",
          ])
      }
    }
  }

  @Test func enteredInErrorIsADeletedReading() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try Self.writeAll(folder)
        try folder.write("Observation.ndjson", Self.observation("b1"))
        _ = try await folder.importFHIR(store)
        try folder.write(
          "Observation.ndjson", Self.observation("b1", status: "entered-in-error"),
          Self.observation("b2", status: "preliminary"))
        let report = try await folder.importFHIR(store)
        #expect(report.written == 1)
        #expect(try await folder.importFHIR(store).written == 0)
        #expect(
          try await database.pool.texts(
            "SELECT (deleted_at = recorded_at)::text FROM blood_pressures") == ["true"])
        #expect(
          try await database.pool.texts("SELECT 'row' FROM rollup.blood_pressure_rollups").isEmpty)
      }
    }
  }

  @Test func aReadingEnteredInErrorGoesAlsoWhenItsValuesAreTakenOut() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try Self.writeAll(folder)
        try folder.write("Observation.ndjson", Self.observation("b1"))
        _ = try await folder.importFHIR(store)
        func emptied(_ id: String) -> String {
          Self.observation(id, status: "entered-in-error")
            .replacing("\"effectiveDateTime\":\"2024-01-10T09:05:00Z\",", with: "")
            .replacing("valueQuantity", with: "dataAbsentReason")
        }
        try folder.write("Observation.ndjson", emptied("b1"), emptied("b2"))
        #expect(try await folder.importFHIR(store).written == 1)
        #expect(
          folder.rejects == [
            "Observation.ndjson,2,Observation/b2,"
              + "\"status: it is entered-in-error, has no values, and is not stored\""
          ])
        #expect(
          try await database.pool.texts(
            "SELECT concat_ws(' ', systolic, deleted_at = recorded_at) FROM blood_pressures")
            == ["140 t"])
        #expect(
          try await database.pool.texts("SELECT 'row' FROM rollup.blood_pressure_rollups").isEmpty)
        #expect(try await folder.importFHIR(store).written == 0)
      }
    }
  }

  @Test func anEncounterEnteredInErrorIsADeletedVisit() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try Self.writeAll(folder)
        let other = Self.encounter("e2", at: "2023-12-10T09:00:00Z")
        func status(_ status: String, _ line: String) -> String {
          line.replacing("\"id\":", with: "\"status\":\"\(status)\",\"id\":")
        }
        func visits() async throws -> [String] {
          try await database.pool.texts(
            """
            SELECT concat_ws(' ', to_char(visited_at, 'MM'), deleted_at = visited_at) FROM visits
            UNION ALL
            SELECT 'rollup ' || period_start FROM rollup.visit_rollups WHERE period_type = 'M'
            """)
        }
        try folder.write(
          "Encounter.ndjson", status("planned", Self.encounter), status("finished", other))
        _ = try await folder.importFHIR(store)
        let both = ["01", "12", "rollup 2023-12-01", "rollup 2024-01-01"]
        #expect(try await visits() == both)
        // Corrected, and the correction corrected.
        try folder.write("Encounter.ndjson", Self.encounter, status("entered-in-error", other))
        #expect(try await folder.importFHIR(store).written == 1)
        #expect(try await visits() == ["01", "12 t", "rollup 2024-01-01"])
        #expect(try await folder.importFHIR(store).written == 0)
        try folder.write("Encounter.ndjson", Self.encounter, other)
        #expect(try await folder.importFHIR(store).written == 1)
        #expect(try await visits() == both)
        // It is nobody's registration either.
        try folder.write("Condition.ndjson", "")
        try folder.write("Encounter.ndjson", Self.encounter, status("entered-in-error", other))
        _ = try await folder.importFHIR(store)
        #expect(
          try await database.pool.texts("SELECT to_char(registered_at, 'YYYY-MM') FROM patients")
            == ["2024-01"])
      }
    }
  }

  @Test(arguments: ["entered-in-error", "refuted"])
  func aConditionThatIsTakenBackIsNoDiagnosis(status: String) async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try Self.writeAll(folder)
        let retracted = Self.condition.replacing(
          "\"id\":",
          with: """
            "verificationStatus":{"coding":[{"code":"\(status)",\
            "system":"http://terminology.hl7.org/CodeSystem/condition-ver-status"}]},"id":
            """)
        // Of two lines with one id the later counts, also when it takes the earlier back.
        try folder.write("Condition.ndjson", Self.condition, retracted)
        #expect(try await folder.importFHIR(store).rejected == 0)
        #expect(
          try await database.pool.texts("SELECT hypertensive::text FROM patients") == ["false"])
      }
    }
  }

  @Test func anObservationWithoutAnythingOptionalIsAReading() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try Self.writeAll(folder)
        try folder.write(
          "Observation.ndjson",
          Self.observation("b1")
            .replacing("\"encounter\":{\"reference\":\"Encounter/e1\"},", with: "")
            .replacing("\"effectiveDateTime\":\"2024-01-10T09:05:00Z\",", with: ""))
        #expect(try await folder.importFHIR(store).rejected == 0)
        #expect(
          try await database.pool.texts(
            """
            SELECT concat_ws(' ', systolic, facility_id = md5('Organization/o1')::uuid, recorded_at)
            FROM blood_pressures
            """) == ["140 t"])
        #expect(
          try await database.pool.texts("SELECT 'row' FROM rollup.blood_pressure_rollups").isEmpty)
      }
    }
  }

  @Test func readingsMayComeBeforeTheirPatient() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try folder.write("Observation.ndjson", Self.observation("b1"))
        #expect(try await folder.importFHIR(store).written == 1)
        #expect(
          try await database.pool.texts("SELECT 'row' FROM rollup.blood_pressure_rollups").isEmpty)
        try Self.writeAll(folder)
        #expect(try await folder.importFHIR(store).rejected == 0)
        #expect(
          try await database.pool.texts("SELECT 'row' FROM rollup.blood_pressure_rollups").count
            == 2)
      }
    }
  }

  @Test func whatCannotBeReadIsRejectedWithItsPlace() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try Self.writeAll(folder)
        try folder.write(
          "Encounter.ndjson", Self.encounter, Self.encounter("e2", at: "2024-02-01", facility: "o9")
        )
        try folder.write(
          "Observation.ndjson", "{", "", Self.observation("b1", systolic: 401),
          Self.observation("b2", encounter: "e2"), Self.observation("b3", at: "yesterday"),
          Self.observation("b4"), #"{"resourceType":"Patient","id":"p1"}"#,
          Self.observation("b5", at: "0016-01-10"))
        let report = try await folder.importFHIR(store)
        #expect(report.rejected == 6)
        #expect(
          folder.rejects.map { $0.split(separator: ",").prefix(3).joined(separator: " ") } == [
            "Observation.ndjson 1 Observation", "Observation.ndjson 3 Observation/b1",
            "Observation.ndjson 5 Observation/b3", "Observation.ndjson 7 Observation/p1",
            "Encounter.ndjson 2 Encounter/e2", "Observation.ndjson 4 Observation/b2",
          ])
        #expect(
          try await database.pool.texts(
            "SELECT extract(year FROM recorded_at)::text FROM blood_pressures")
            == ["16", "2024"])
      }
    }
  }
}
