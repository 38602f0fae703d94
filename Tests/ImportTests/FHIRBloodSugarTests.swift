import Foundation
import Import
import TestSupport
import Testing

/// Which Observations are blood sugars, of which type, and in what unit they are stored.
@Suite struct FHIRBloodSugarTests {
  /// As Synthea and laboratories write one.
  static func observation(
    _ id: String, _ code: String, _ quantity: String, status: String = "final"
  ) -> String {
    """
    {"resourceType":"Observation","id":"\(id)","status":"\(status)",\
    "code":{"coding":[{"system":"http://loinc.org","code":"\(code)","display":"Glucose"}]},\
    "subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"},\
    "effectiveDateTime":"2024-01-10T09:05:00Z","valueQuantity":{\(quantity)}}
    """
  }

  static func quantity(_ value: String, _ unit: String) -> String {
    """
    "value":\(value),"unit":"\(unit)","system":"http://unitsofmeasure.org","code":"\(unit)"
    """
  }

  /// Imports the lines, whose ids are `1`, `2` and so on, and tells what became of each: `value type`, the reason of its
  /// reject, or `nothing`.
  private static func outcomes(of lines: [String]) async throws -> [String] {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try FHIREdgeTests.writeAll(folder)
        try folder.write("Observation.ndjson", lines.joined(separator: "\n"))
        _ = try await folder.importFHIR(store)
        var outcomes = Array(repeating: "nothing", count: lines.count)
        for reject in folder.rejects {
          let fields = reject.split(separator: ",", maxSplits: 3)
          outcomes[try #require(Int(fields[1])) - 1] = fields[3].filter { $0 != "\"" }
        }
        for index in lines.indices {
          let stored = try await database.pool.texts(
            """
            SELECT concat_ws(' ', value, type) FROM blood_sugars
            WHERE id = md5('Observation/' || \(String(index + 1)))::uuid
            """)
          if let stored = stored.first { outcomes[index] = stored }
        }
        return outcomes
      }
    }
  }

  @Test func theCodeSaysTheTypeAndTheUnitSaysTheValue() async throws {
    let unit = "blood sugar: the unit is not mg/dL or mmol/L"
    let percent = "blood sugar: the unit of HbA1c is not %"
    let range = "blood sugar: expected a number above 0, to 2000 (mg/dL, or per cent for hba1c)"
    let none = "blood sugar: there is no valueQuantity with a value"
    let (mass, moles) = ("mg/dL", "mmol/L")
    let cases: [(code: String, quantity: String, expected: String)] = [
      ("1558-6", Self.quantity("126", mass), "126 fasting"),
      ("1521-4", Self.quantity("140.5", mass), "140.5 post_prandial"),
      ("2345-7", Self.quantity("98.25", mass), "98.25 random"),
      ("2339-0", Self.quantity("101", mass), "101 random"),
      ("14749-6", Self.quantity("5.5", moles), "99 random"),
      ("15074-8", Self.quantity("6.3", moles), "114 random"),
      ("4548-4", Self.quantity("6.5", "%"), "6.5 hba1c"),
      // The limits of diabetes are the same in both units, and either unit may come with either code.
      ("1558-6", Self.quantity("7.0", moles), "126 fasting"),
      ("1521-4", Self.quantity("11.1", moles), "200 post_prandial"),
      ("1558-6", Self.quantity("6.1", moles), "110 fasting"),
      ("14749-6", Self.quantity("99", mass), "99 random"),
      // However it is spelt, and by UCUM's code before the unit for people.
      ("2345-7", "\"value\":90,\"unit\":\"mg/dl\"", "90 random"),
      ("2345-7", "\"value\":5,\"unit\":\"mmol / l\"", "90 random"),
      ("2345-7", "\"value\":5,\"unit\":\"mg/dL\",\"code\":\"mmol/L\"", "90 random"),
      (
        "2345-7", "\"value\":90,\"unit\":\"mg/dL\",\"system\":\"urn:x\",\"code\":\"17\"",
        "90 random"
      ),
      ("2345-7", Self.quantity("5", "g/L"), unit), ("2345-7", Self.quantity("7", "%"), unit),
      ("2345-7", "\"value\":7", unit), ("4548-4", Self.quantity("48", "mmol/mol"), percent),
      ("4548-4", Self.quantity("48", mass), percent), ("4548-4", "\"value\":7", percent),
      (
        "2345-7", Self.quantity("600", mass) + ",\"comparator\":\">\"",
        "blood sugar: a value with a comparator is no measurement"
      ),
      ("2345-7", Self.quantity("0", mass), range), ("2345-7", Self.quantity("-5", moles), range),
      ("2345-7", Self.quantity("2000", mass), "2000 random"),
      ("2345-7", Self.quantity("2000.1", mass), range),
      ("2345-7", Self.quantity("111", moles), "2000 random"),
      ("2345-7", Self.quantity("111.5", moles), range),
      ("2345-7", Self.quantity("0.01", moles), range),
      ("2345-7", Self.quantity("1e100", moles), range),
      ("2345-7", "\"unit\":\"mg/dL\"", none),
      ("2345-7", Self.quantity("\"99\"", mass), "valueQuantity.value: expected a number"),
      // Nobody asks what another Observation has for a value.
      ("29463-7", Self.quantity("\"heavy\"", "kg"), "nothing"),
      ("59261-8", Self.quantity("48", "mmol/mol"), "nothing"),
    ]
    let found = try await Self.outcomes(
      of: cases.enumerated().map { Self.observation("\($0 + 1)", $1.code, $1.quantity) })
    for (found, one) in zip(found, cases) {
      #expect(found == one.expected, "\(one.code) \(one.quantity)")
    }
  }

  @Test func ofTwoCodesTheOneThatSaysMoreCounts() async throws {
    let plain = "{\"system\":\"http://loinc.org\",\"code\":\"2345-7\",\"display\":\"Glucose\"}"
    func coded(_ id: String, _ more: String) throws -> String {
      let line = Self.observation(id, "2345-7", Self.quantity("99", "mg/dL"))
      try #require(line.contains(plain))
      return line.replacing(plain, with: "\(plain),\(more)")
    }
    let found = try await Self.outcomes(of: [
      coded("1", #"{"system":"http://loinc.org","code":"1558-6"}"#),
      coded("2", #"{"system":"urn:local","code":"1558-6"}"#),
      coded("3", #"{"system":"http://loinc.org","code":"85354-9"}"#),
    ])
    #expect(
      found == ["99 fasting", "99 random", "systolic: component 8480-6 has no valueQuantity"])
  }

  /// Stored at its encounter's facility, in the rollups, taken out when it was entered in error, also without its value; and
  /// the same import again changes nothing.
  @Test func aBloodSugarIsInTheRollupsUntilItWasEnteredInError() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      func rows() async throws -> [String] {
        try await database.pool.texts(
          """
          SELECT concat_ws(' ', period_type, value, type, blood_sugar_facility_id = md5('Organization/o1')::uuid)
          FROM rollup.blood_sugar_rollups WHERE period_type IN ('M', 'Q')
          """)
      }
      try await ImportFolder.with { folder in
        try FHIREdgeTests.writeAll(folder)
        let line = Self.observation("b1", "1558-6", Self.quantity("7", "mmol/L"))
        try folder.write(
          "Observation.ndjson", line,
          Self.observation("b2", "2345-7", Self.quantity("9", "mg/dL"), status: "registered"),
          FHIREdgeTests.observation("b3"))
        #expect(try await folder.importFHIR(store).rejected == 0)
        #expect(try await rows() == ["M 126 fasting t", "Q 126 fasting t"])
        #expect(try await folder.importFHIR(store).written == 0)
        let emptied = line.replacing("\"final\"", with: "\"entered-in-error\"")
          .replacing("valueQuantity", with: "note")
        try folder.write(
          "Observation.ndjson", emptied, emptied.replacing("b1", with: "b4"),
          FHIREdgeTests.observation("b3"))
        #expect(try await folder.importFHIR(store).written == 1)
        #expect(
          folder.rejects == [
            "Observation.ndjson,2,Observation/b4,"
              + "\"status: it is entered-in-error, has no values, and is not stored\""
          ])
        #expect(try await rows() == [])
        #expect(
          try await database.pool.texts(
            "SELECT concat_ws(' ', value, deleted_at = recorded_at) FROM blood_sugars") == ["126 t"]
        )
        #expect(
          try await database.pool.texts("SELECT systolic::text FROM blood_pressures") == ["140"])
        #expect(try await folder.importFHIR(store).written == 0)
      }
    }
  }
}
