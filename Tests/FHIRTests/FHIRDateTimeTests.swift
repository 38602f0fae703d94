import FHIR
import Testing

@Suite("FHIR times")
struct FHIRDateTimeTests {
  @Test(
    "an offset makes it absolute",
    arguments: [
      ("2018-06-14T19:57:41+00:00", "2018-06-14 19:57:41+00:00"),
      ("2018-06-14T19:57:41.306-03:30", "2018-06-14 19:57:41.306-03:30"),
      ("2024-06-30T20:00:00Z", "2024-06-30 20:00:00+00:00"),
      ("2024-06-30T20:00Z", "2024-06-30 20:00:00+00:00"),
      ("0016-02-29T00:00:00+14:00", "0016-02-29 00:00:00+14:00"),
      ("9999-12-31T23:59:59-14:00", "9999-12-31 23:59:59-14:00"),
    ])
  func absolute(text: String, expected: String) {
    #expect(FHIRDateTime(text) == .absolute(expected))
  }

  @Test(
    "without one it is local, and begins with what is left out",
    arguments: [
      ("2024", "2024-01-01 00:00:00"), ("2024-06", "2024-06-01 00:00:00"),
      ("2024-02-29", "2024-02-29 00:00:00"), ("0001", "0001-01-01 00:00:00"),
      ("2024-06-30T09:15:30", "2024-06-30 09:15:30"),
    ])
  func local(text: String, expected: String) {
    #expect(FHIRDateTime(text) == .local(expected))
  }

  @Test("neither a leap second nor a long fraction is carried into the next period")
  func nothingIsCarried() {
    #expect(FHIRDateTime("2016-12-31T23:59:60Z") == .absolute("2016-12-31 23:59:59.999999+00:00"))
    #expect(
      FHIRDateTime("2024-06-30T23:59:59.9999999+05:30")
        == .absolute("2024-06-30 23:59:59.999999+05:30"))
  }

  @Test(
    "what is no time is none",
    arguments: [
      "", "24", "0000", "10000", "2024-", "2024-13", "2024-00", "2023-02-29", "1900-02-29",
      "2024-04-31",
      "2024-6-1", "2024-06-30T", "2024-06-30T24:00:00Z", "2024-06-30T09:60:00Z",
      "2024-06-30T09:15:61Z",
      "2024-06-30T09:15:00+14:01", "2024-06-30T09:15:00+15:00", "2024-06-30T09:15:00+0530",
      "2024-06-30T09:15:00.Z", "2024-06-30T09:15:00ZZ", "2024-06-30 09:15:00", " 2024",
      "2024-06-30Z", "٢٠٢٤",
    ])
  func none(text: String) {
    #expect(FHIRDateTime(text) == nil)
  }
}
