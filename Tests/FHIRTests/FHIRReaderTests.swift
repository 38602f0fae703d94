import FHIR
import Foundation
import Testing

@Suite("Reading FHIR R4")
struct FHIRReaderTests {
  private let reader = FHIRReader()

  private func read(_ text: String) throws -> Resource? { try reader.read(line: Data(text.utf8)) }

  private func rejection(_ text: String) -> Rejection? {
    #expect(throws: Rejection.self) { try read(text) }
  }

  /// A reading, in which one part is replaced by another.
  private func observation(_ part: String = "", _ other: String = "") -> String {
    let text = """
      {"resourceType":"Observation","id":"o1","status":"final","code":{"coding":[{"system":"urn:x","code":"bp"},\
      {"system":"http://loinc.org","code":"85354-9"}]},"subject":{"reference":"Patient/p1"},\
      "encounter":{"reference":"Encounter/e1"},"effectiveDateTime":"2024-06-30T20:00:00Z","component":[\
      {"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":80}},\
      {"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":120}}]}
      """
    return part.isEmpty ? text : text.replacing(part, with: other)
  }

  private func reading(_ part: String = "", _ other: String = "") throws -> ObservationResource? {
    guard case .observation(let reading) = try read(observation(part, other)) else { return nil }
    return reading
  }

  @Test("a reading")
  func whole() throws {
    let reading = try #require(try reading())
    #expect(reading.id == "o1" && reading.patientID == "p1" && reading.encounterID == "e1")
    #expect(reading.effective == .absolute("2024-06-30 20:00:00+00:00"))
    #expect(reading.systolic == 120 && reading.diastolic == 80 && reading.state == .final)
  }

  @Test(
    "values are rounded half away from zero, in decimal",
    arguments: [
      ("121.5", 121 + 1), ("121.49999999999999999999999999", 121), ("122.5", 123), ("1.2e2", 120),
      ("119.50000000000000000001", 120), ("19.5", 20), ("400.4999", 400), ("120", 120),
      ("20.0", 20),
    ])
  func rounding(value: String, expected: Int) throws {
    #expect(try reading("\"value\":120", "\"value\":\(value)")?.systolic == expected)
  }

  @Test("values that cannot be true are rejected after rounding, and not told")
  func outOfRange() {
    for value in ["400.5", "19.4999", "-120", "1e30", "0"] {
      let rejection = rejection(observation("\"value\":120", "\"value\":\(value)"))
      #expect(rejection?.description == "Observation/o1: systolic outside 20-400")
    }
    #expect(
      rejection(observation("\"value\":80", "\"value\":9.4"))?.reason == "diastolic outside 10-300")
    #expect(
      rejection(observation("\"value\":80", "\"value\":300.5"))?.reason
        == "diastolic outside 10-300")
  }

  @Test("a value in another unit is no pressure in mmHg; a unit may be missing")
  func units() throws {
    let quantity = "\"system\":\"http://unitsofmeasure.org\",\"code\""
    #expect(
      rejection(observation("\"value\":120", "\"value\":21,\(quantity):\"kPa\""))?.reason
        == "systolic not in mm[Hg]")
    #expect(try reading("\"value\":120", "\"value\":121,\(quantity):\"mm[Hg]\"")?.systolic == 121)
  }

  @Test("what is missing or of the wrong kind is said by its name")
  func missing() {
    let cases = [
      ("\"subject\":{\"reference\":\"Patient/p1\"},", "", "no subject"),
      ("Patient/p1", "Group/g1", "subject is not a reference to a Patient"),
      ("Patient/p1", "#p1", "subject is not a reference to a Patient"),
      ("Patient/p1", "Patient?identifier=9", "subject is not a reference to a Patient"),
      ("{\"reference\":\"Patient/p1\"}", "\"Jane\"", "subject is not an object"),
      ("2024-06-30T20:00:00Z", "last June", "effectiveDateTime is not a FHIR dateTime"),
      ("8480-6", "8480-7", "no systolic value"),
      ("\"value\":80", "\"unit\":\"mmHg\"", "no diastolic value"),
      ("\"value\":80", "\"value\":\"80\"", "component[0].valueQuantity.value is not a number"),
      ("\"status\":\"final\",", "", "no status"), ("\"id\":\"o1\",", "", "no id"),
      ("\"o1\"", "\"Jane Doe\"", "id is not a FHIR id"), ("\"o1\"", "17", "id is not a FHIR id"),
    ]
    for (part, other, reason) in cases {
      #expect(rejection(observation(part, other))?.reason == reason)
    }
  }

  @Test("what has nothing to do with blood pressure is passed over")
  func notOurs() throws {
    for status in ["preliminary", "registered", "cancelled", "unknown"] {
      #expect(try read(observation("\"final\"", "\"\(status)\"")) == nil)
    }
    #expect(try read(observation("85354-9", "8302-2")) == nil)
    #expect(
      try read(observation("http://loinc.org\",\"code\":\"85354-9", "urn:y\",\"code\":\"85354-9"))
        == nil)
    #expect(try read("{\"resourceType\":\"Immunization\",\"id\":\"i\",\"code\":17}") == nil)
    #expect(
      try read(
        "{\"resourceType\":\"Condition\",\"id\":\"c\",\"code\":{\"coding\":[{\"system\":\"http://snomed.info/sct\",\"code\":\"44054006\"}]}}"
      ) == nil)
  }

  @Test("amended and corrected are final; entered in error is a deleted reading")
  func states() throws {
    for status in ["final", "amended", "corrected"] {
      #expect(try reading("\"final\"", "\"\(status)\"")?.state == .final)
    }
    #expect(try reading("\"final\"", "\"entered-in-error\"")?.state == .enteredInError)
  }

  @Test(
    "references in all their forms",
    arguments: [
      "Patient/p1", "Patient/p1/_history/3", "http://host:8080/fhir/Patient/p1",
      "https://host/Patient/p1/_history/1", "urn:uuid:p1",
    ])
  func references(reference: String) throws {
    #expect(try reading("Patient/p1", reference)?.patientID == "p1")
  }

  @Test("a reference to no resource of a file is as good as none")
  func unresolvable() throws {
    for reference in ["#e1", "Encounter?x=1", "EpisodeOfCare/e1", "Encounter/", "e1", ""] {
      #expect(try reading("Encounter/e1", reference)?.encounterID == nil)
    }
    #expect(try reading("\"encounter\":{\"reference\":\"Encounter/e1\"},", "")?.encounterID == nil)
  }

  @Test("the time may be an instant, the start of a period, or missing")
  func effective() throws {
    let given = "\"effectiveDateTime\":\"2024-06-30T20:00:00Z\""
    #expect(
      try reading(given, "\"effectiveInstant\":\"2024-06-01T00:00:00Z\"")?.effective?.text
        == "2024-06-01 00:00:00+00:00")
    #expect(
      try reading(given, "\"effectivePeriod\":{\"start\":\"2024-06\"}")?.effective
        == .local("2024-06-01 00:00:00"))
    #expect(try reading(given, "\"effectivePeriod\":{}")?.effective == nil)
    #expect(
      rejection(observation(given, "\"effectivePeriod\":{\"start\":\"June\"}"))?.reason
        == "effectivePeriod.start is not a FHIR dateTime")
  }

  @Test(
    "a patient: dead with a date, dead without, alive; a list of names is not the name of an Organization"
  )
  func patients() throws {
    func patient(_ more: String) throws -> PatientResource? {
      guard
        case .patient(let patient) = try read("{\"resourceType\":\"Patient\",\"id\":\"p1\"\(more)}")
      else {
        return nil
      }
      return patient
    }
    #expect(
      try patient(",\"deceasedDateTime\":\"2020-03\"")?.deceased == .local("2020-03-01 00:00:00"))
    let undated = try patient(",\"deceasedBoolean\":true")
    #expect(undated?.deceased == nil && undated?.isDeceasedWithoutDate == true)
    let alive = try patient(
      ",\"deceasedBoolean\":false,\"name\":[{\"family\":\"A\"}],\"address\":[{\"city\":\"B\"}]")
    #expect(alive?.deceased == nil && alive?.isDeceasedWithoutDate == false)
  }

  @Test("a facility's district is its address's, else the city; what nobody says is Unknown")
  func organizations() throws {
    func facility(_ more: String) throws -> OrganizationResource? {
      guard
        case .organization(let it) = try read(
          "{\"resourceType\":\"Organization\",\"id\":\"f1\"\(more)}")
      else { return nil }
      return it
    }
    let both = try facility(
      ",\"name\":\"CHC\",\"address\":[{\"state\":\"Punjab\",\"district\":\"Bathinda\",\"city\":\"Goniana\"}]"
    )
    #expect(both?.name == "CHC" && both?.state == "Punjab" && both?.district == "Bathinda")
    #expect(
      try facility(",\"address\":[{\"district\":\" \",\"city\":\"Goniana\"}]")?.district
        == "Goniana")
    for none in ["", ",\"address\":[]", ",\"address\":[{}]"] {
      let unknown = try facility(none)
      #expect(
        unknown?.name == "Unknown" && unknown?.state == "Unknown" && unknown?.district == "Unknown")
    }
    #expect(
      rejection("{\"resourceType\":\"Organization\",\"id\":\"f1\",\"name\":\"a\\u0000\"}")?.reason
        == "name has a NUL character")
  }

  @Test("a diagnosis in any of the codings, with its date, else the onset")
  func conditions() throws {
    func condition(_ more: String) throws -> ConditionResource? {
      guard
        case .condition(let it) = try read(
          "{\"resourceType\":\"Condition\",\"id\":\"c1\",\"code\":{\"coding\":[{\"system\":\"http://hl7.org/fhir/sid/icd-10\",\"code\":\"I10\"},{\"system\":\"http://snomed.info/sct\",\"code\":\"59621000\"}]},\"subject\":{\"reference\":\"Patient/p1\"}\(more)}"
        )
      else { return nil }
      return it
    }
    let both = try condition(
      ",\"recordedDate\":\"2020-01-02\",\"onsetDateTime\":\"2019\",\"encounter\":{\"reference\":\"Encounter/e1\"}"
    )
    #expect(both?.recorded == .local("2020-01-02 00:00:00") && both?.encounterID == "e1")
    #expect(try condition(",\"onsetDateTime\":\"2019\"")?.recorded == .local("2019-01-01 00:00:00"))
    #expect(try condition("")?.recorded == nil)
    #expect(try condition("")?.isRetracted == false)
    #expect(
      try condition(",\"verificationStatus\":{\"coding\":[{\"code\":\"refuted\"}]}")?.isRetracted
        == true)
  }

  @Test("a visit, also without its time or facility")
  func encounters() throws {
    let line =
      "{\"resourceType\":\"Encounter\",\"id\":\"e1\",\"subject\":{\"reference\":\"Patient/p1\"}"
    guard case .encounter(let bare) = try read(line + ",\"status\":\"cancelled\"}") else {
      Issue.record("no encounter")
      return
    }
    #expect(bare.start == nil && bare.serviceProviderID == nil && bare.isRetracted)
    let whole = try read(
      line
        + ",\"status\":\"finished\",\"period\":{\"start\":\"2024-06-30T20:00:00Z\"},\"serviceProvider\":{\"reference\":\"Organization/f1\"}}"
    )
    guard case .encounter(let visit) = whole else {
      Issue.record("no encounter")
      return
    }
    #expect(visit.patientID == "p1" && visit.serviceProviderID == "f1" && !visit.isRetracted)
    #expect(visit.start == .absolute("2024-06-30 20:00:00+00:00"))
  }

  @Test("a line that is no JSON says where, and nothing of what is there")
  func malformed() {
    let line = observation()
    for (text, reason) in [
      (String(line.dropLast()), "malformed JSON at column \(line.utf8.count)"),
      (line + "x", "malformed JSON at column \(line.utf8.count + 1)"),
      ("", "malformed JSON at column 1"), ("[]", "the line is not an object"),
      ("{\"resourceType\":\"Patient\\q\"}", "malformed JSON at column 25"),
      ("{}", "no resourceType"), ("{\"resourceType\":3}", "resourceType is not a string"),
    ] { #expect(rejection(text)?.reason == reason) }
    #expect(throws: Rejection.self) { try reader.read(line: Data([0x7B, 0xFF, 0x7D])) }
  }

  @Test("nothing a line says, but its id, is in the reason, wherever it is cut or damaged")
  func noValues() {
    let line = Array(observation("p1", "Zaphod").replacing("120", with: "123.25").utf8)
    for place in line.indices {
      for bytes in [Array(line[..<place]), line[..<place] + [0x21] + line[(place + 1)...]] {
        do {
          _ = try reader.read(line: Data(bytes))
        } catch {
          #expect(!error.description.contains("Zaphod") && !error.description.contains("123.25"))
        }
      }
    }
  }
}
