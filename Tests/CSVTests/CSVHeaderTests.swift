import CSV
import Testing

@Suite("Headers of CSV files")
struct CSVHeaderTests {
  private let required = ["id", "patient_id", "systolic"]
  private let optional = ["recorded_at"]

  @Test("names are found in any order and case, with blanks around them")
  func found() throws {
    let header = try CSVHeader(
      [" SYSTOLIC", "Id ", "patient_id"], required: required, optional: optional)
    #expect(header.width == 3)
    #expect(header.index(of: "systolic") == 0)
    #expect(header.index(of: "recorded_at") == nil)
  }

  @Test("an unknown column names the nearest, and everything is said at once")
  func mismatch() throws {
    let error = #expect(throws: CSVHeader.Mismatch.self) {
      try CSVHeader(["id", "sistolic", "shoe size", "ID"], required: required, optional: optional)
    }
    #expect(
      error?.description
        == "there is no column 'sistolic'; did you mean systolic? there is no column 'shoe size'. "
        + "the column patient_id is missing. the column systolic is missing. the column id is there twice. "
        + "The columns are id, patient_id, systolic, recorded_at.")
  }

  @Test("two letters swapped are one slip")
  func swapped() throws {
    let error = #expect(throws: CSVHeader.Mismatch.self) {
      try CSVHeader(["di", "patient_id", "systolic"], required: required)
    }
    #expect(error?.unknown.first?.nearest == "id")
  }
}
