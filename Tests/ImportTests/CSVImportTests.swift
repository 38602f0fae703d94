import Foundation
import Import
import TestSupport
import Testing

@Suite struct CSVImportTests {
  @Test func theTemplateImportsAndAgainChangesNothing() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        #expect(try CSVImport.writeTemplates(to: folder.path).count == 5)
        let files = Dictionary(
          uniqueKeysWithValues: CSVKind.allCases.map { ($0, $0.rawValue + ".csv") })
        let report = try await folder.importCSV(files, store)
        #expect(report.written == 10)
        #expect(report.rejected == 0)
        #expect(try await folder.importCSV(files, store).written == 0)
        // A time without an offset is local; no facility is the assigned one.
        #expect(
          try await database.pool.texts(
            """
            SELECT concat_ws(' ', systolic, recorded_at AT TIME ZONE 'Asia/Kolkata',
              facility_id = md5('Facility/F001')::uuid)
            FROM blood_pressures
            """) == ["132 2024-02-14 10:05:00 t", "148 2024-01-15 09:35:00 t"])
      }
    }
  }

  @Test func badValuesAreRejectedByLineAndColumn() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try folder.write(
          "r.csv", "\u{FEFF}patient_id,id,systolic,diastolic,recorded_at,facility_id",
          "P1,B1,139.5,79.4,0016-01-01,", "P1,B2,401,80,2024-01-01,", "P1,B3,140,80,2024-02-30,",
          "P1,B4,140,80,,F9", "P1,B5", "P1,B6,140,80,,", "P1,B6,141,80,,")
        let report = try await folder.importCSV([.readings: "r.csv"], store)
        #expect(report.rejected == 4)
        #expect(
          folder.rejects.map { $0.split(separator: ",")[1...2].joined(separator: " ") } == [
            "3 readings/B2", "4 readings/B3", "6 readings/B5", "5 readings/B4",
          ])
        #expect(
          try await database.pool.texts(
            "SELECT concat_ws('/', systolic, diastolic) FROM blood_pressures")
            == ["140/79", "141/80"])
      }
    }
  }

  @Test func pressuresAreRoundedInDecimalAndJudgedByTheRoundedValue() async throws {
    let cases = [
      ("119.5", "120"), ("139.49999999999999999", "139"), ("1e2", "100"), ("+120.", "120"),
      ("19.5", "20"), ("400.4999", "400"), ("400.5", nil), ("19.4999", nil), ("0x78", nil),
      ("120/80", nil), ("120 mmHg", nil), ("\"139,5\"", nil), ("nan", nil), ("1e400", nil),
      ("-120", nil), (".", nil),
    ]
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        let rows = cases.enumerated().map { "\($0),P,\($1.0),80" }
        try folder.write("r.csv", "id,patient_id,systolic,diastolic", rows.joined(separator: "\n"))
        _ = try await folder.importCSV([.readings: "r.csv"], store)
        let refused = cases.indices.filter { cases[$0].1 == nil }
        #expect(
          folder.rejects
            == refused.map { "r.csv,\($0 + 2),readings/\($0),systolic: expected 20 to 400 mmHg" })
        #expect(
          try await database.pool.texts("SELECT systolic::text FROM blood_pressures")
            == cases.compactMap(\.1).sorted())
      }
    }
  }

  @Test(arguments: [
    ("id,patient_id,facility,systolic,diastolic", "did you mean facility_id?"),
    ("id,patient_id,sistolic,diastolic", "did you mean systolic? the column systolic is missing."),
    ("id,patient_id,systolic", "the column diastolic is missing"),
    ("id,id,patient_id,systolic,diastolic", "the column id is there twice"),
    ("id,ID ,patient_id,systolic,diastolic", "the column id is there twice"),
    ("id,patient_id,systolic,diastolic,", "a column has no name"),
    ("\"id,patient_id,systolic,diastolic\nB1,P1,120,80", "a quote is never closed"),
    ("id,patient\"_id,systolic,diastolic\nB1,P1,120,80", "a quote is inside a field"),
    ("id;patient_id;systolic;diastolic\nB1;P1;120;80", "it has none of id, patient_id"),
    ("B1,Zaphod,120,80", "it has none of id, patient_id"), ("", "it is empty"),
  ])
  func aHeaderThatIsNotUnderstoodIsAFailure(header: String, message: String) async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try folder.write("r.csv", header)
        let failure = await #expect(throws: ImportFailure.self) {
          try await folder.importCSV([.readings: "r.csv"], store)
        }
        #expect(failure?.description.contains(message) == true, "\(failure?.description ?? "")")
        #expect(failure?.description.contains("Zaphod") == false)
        #expect(try await database.pool.texts("SELECT 'row' FROM blood_pressures").isEmpty)
      }
    }
  }

  @Test func aHeaderThatIsNoTextIsAFailure() async throws {
    try await TestDatabase.migrated(size: 2) { _, store in
      try await ImportFolder.with { folder in
        _ = try await shell(
          "printf 'id,patient_id,systolic,\\377\\nB1,P1,120,80\\n' > \(folder.path)/r.csv")
        let failure = await #expect(throws: ImportFailure.self) {
          try await folder.importCSV([.readings: "r.csv"], store)
        }
        #expect(failure?.description.contains("r.csv, line 1") == true)
        #expect(failure?.description.contains("field 4 is not UTF-8") == true)
      }
    }
  }
}
