import Foundation
import Import
import TestSupport
import Testing

/// What an Observation's fields mean: one reading each, of one import.
@Suite struct FHIRReadingTests {
  /// Imports an Observation for each replacement in
  /// ``FHIREdgeTests/observation(_:status:systolic:encounter:at:)``, the ids `1`, `2` and so on,
  /// and tells what became of each: the given column, or the reason of its reject.
  private static func outcomes(
    of changes: [(part: String, other: String)], _ column: String
  ) async throws -> [String] {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try FHIREdgeTests.writeAll(folder)
        let lines = try changes.enumerated().map { index, change in
          let line = FHIREdgeTests.observation("\(index + 1)")
          try #require(line.contains(change.part), "\(change.part)")
          return line.replacing(change.part, with: change.other)
        }
        try folder.write("Observation.ndjson", lines.joined(separator: "\n"))
        _ = try await folder.importFHIR(store)
        var outcomes = Array(repeating: "nothing", count: changes.count)
        for reject in folder.rejects {
          let fields = reject.split(separator: ",", maxSplits: 3)
          outcomes[try #require(Int(fields[1])) - 1] = String(fields[3])
        }
        for index in changes.indices {
          let stored = try await database.pool.texts(
            """
            SELECT coalesce(\(unescaped: column), 'none') FROM blood_pressures
            WHERE id = md5('Observation/' || \(String(index + 1)))::uuid
            """)
          if let stored = stored.first { outcomes[index] = stored }
        }
        return outcomes
      }
    }
  }

  @Test func pressuresAreRoundedInDecimalAndJudgedByTheRoundedValue() async throws {
    let tooHigh = "systolic: expected 20 to 400 mmHg"
    let none = "systolic: component 8480-6 has no valueQuantity"
    let value = "\"valueQuantity\":{\"value\":139.5}"
    func quantity(_ more: String) -> String { "\"valueQuantity\":{\"value\":121,\(more)}" }
    let unit = "systolic: the unit is not mm[Hg]"
    let cases = [
      ("139.5", "119.5", "120"), ("139.5", "139.49999999999999999", "139"),
      ("139.5", "139.4\(String(repeating: "9", count: 80))", "139"),
      ("139.5", "1e2", "100"), ("139.5", "1.395E2", "140"), ("139.5", "19.5", "20"),
      ("139.5", "400.4999", "400"), ("139.5", "400.5", tooHigh), ("139.5", "19.4999", tooHigh),
      ("139.5", "-140", tooHigh), ("139.5", "1e30", tooHigh),
      ("139.5", "1e400", "the resource has a value that cannot be read"),
      ("139.5", "\"140\"", "component.0.valueQuantity.value: expected a number"),
      (value, "\"valueInteger\":140", none), (value, "\"valueString\":\"140\"", none),
      (value, "\"valueQuantity\":{\"unit\":\"mmHg\"}", none), ("8480-6", "8480-7", none),
      (value, quantity("\"unit\":\"mmHg\""), "121"),
      (value, quantity("\"system\":\"http://unitsofmeasure.org\",\"code\":\"mm[Hg]\""), "121"),
      (value, quantity("\"unit\":\"mmHg\",\"system\":\"urn:x\",\"code\":\"17\""), "121"),
      (value, quantity("\"unit\":\"kPa\""), unit), (value, quantity("\"code\":\"kPa\""), unit),
      (
        value, quantity("\"comparator\":\">\""),
        "systolic: a value with a comparator is no measurement"
      ),
    ]
    let found = try await Self.outcomes(of: cases.map { ($0.0, $0.1) }, "systolic::text")
    for (found, (_, change, expected)) in zip(found, cases) {
      #expect(found == expected, "\(change)")
    }
  }

  @Test func aReadingIsFromWheneverItWasTakenAndStoredWhenNobodySays() async throws {
    let given = "\"effectiveDateTime\":\"2024-01-10T09:05:00Z\""
    let issued = "\"issued\":\"2024-01-11T00:00:00Z\""
    let cases = [
      (given, "\"effectiveInstant\":\"2024-01-09T09:05:00.5Z\",\(issued)", "2024-01-09 09:05:00.5"),
      (
        given, "\"effectivePeriod\":{\"start\":\"2024-01-08T09:05:00Z\",\"end\":\"2024-02\"}",
        "2024-01-08 09:05:00"
      ),
      (given, issued, "none"), (given, "\(given),\(issued)", "2024-01-10 09:05:00"),
      (given, "\"effectivePeriod\":{}", "none"), (given, "\"effectiveDateTime\":null", "none"),
      (
        given, "\"effectivePeriod\":{\"start\":\"June\"}",
        "effectivePeriod.start: expected a date or a time such as 2024-06-30T09:15:00+05:30"
      ),
    ]
    let found = try await Self.outcomes(
      of: cases.map { ($0.0, $0.1) }, "(recorded_at AT TIME ZONE 'UTC')::text")
    for (found, (_, change, expected)) in zip(found, cases) {
      #expect(found == expected, "\(change)")
    }
  }

  @Test func referencesAreReadInAllTheirForms() async throws {
    let part = "Patient/p1"
    let wrong = "subject: expected a reference such as Patient/17"
    let cases = [
      (part, "Patient/p1/_history/3", "t"), (part, "http://host:8080/fhir/Patient/p1", "t"),
      (part, "https://host/Patient/p1/_history/1", "t"), (part, "urn:uuid:p1", "t"),
      (part, "#p1", "subject: contained resources are not read"),
      (part, "Patient?identifier=p1", wrong), (part, "Group/p1", wrong), (part, "p1", wrong),
      (part, "Patient/", wrong), (part, "Patient/p 1", wrong),
      ("\"Patient/p1\"", "\"urn:uuid:p1\",\"type\":\"Group\"", wrong),
      ("\"reference\":\"Patient/p1\"", "\"display\":\"Jane\"", "subject: it is missing"),
      ("{\"reference\":\"Patient/p1\"}", "\"Jane\"", "subject: expected an object"),
      ("Encounter/e1", "#e1", "encounter: contained resources are not read"),
      ("\"reference\":\"Encounter/e1\"", "\"display\":\"OPD\"", "t"),
    ]
    let found = try await Self.outcomes(
      of: cases.map { ($0.0, $0.1) }, "left((patient_id = md5('Patient/p1')::uuid)::text, 1)")
    for (found, (_, change, expected)) in zip(found, cases) {
      #expect(found == expected, "\(change)")
    }
  }

  @Test func nothingOfAPatientButIDsIsInTheRejects() async throws {
    try await TestDatabase.migrated(size: 2) { _, store in
      try await ImportFolder.with { folder in
        try FHIREdgeTests.writeAll(folder)
        // A line cut at every place, with a letter put in at every place, and with its id a name.
        let line = FHIREdgeTests.observation("b1", systolic: 123.25)
          .replacing("Patient/p1", with: "Patient/Zaphod")
        let places = Array(line.indices.enumerated().filter { $0.offset % 7 == 0 }.map(\.element))
        try folder.write(
          "Observation.ndjson", places.map { String(line[..<$0]) }.joined(separator: "\n"),
          places.map { line[..<$0] + "!" + line[$0...] }.joined(separator: "\n"),
          line.replacing("\"b1\"", with: "\"Zaphod Beeblebrox\""),
          line.replacing("123.25", with: "999.25"), line.replacing("2024-01-10T09", with: "1999!"))
        let report = try await folder.importFHIR(store)
        #expect(report.rejected > places.count)
        for reject in folder.rejects {
          #expect(
            !["Zaphod", "123.25", "999.25", "1999", "2024-01-10"].contains { reject.contains($0) },
            "\(reject)")
        }
      }
    }
  }
}
