import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import TestSupport
import Testing

/// Blood sugars, heart rates and the quality of data, counted by hand.
@Suite struct MeasurementTests {
  private static let june = "2024-06"

  private func cells(
    _ report: Report, _ pool: Pool, view: ReportView = .published, month: String = june,
    region: RegionChoice = RegionChoice()
  ) async throws -> [String: String] {
    var question = ReportQuestion(try Period(parsing: month))
    question.view = view
    question.region = region
    let table = try await report.make(question, pool)
    return Dictionary(
      uniqueKeysWithValues: zip(table.columns, table.rows[0].cells).map { ($0.name, $1.text) })
  }

  private func sugar(
    _ number: UInt8, of patient: UInt8, _ value: Double, _ kind: BloodSugar.Kind, _ at: String
  ) throws -> BloodSugar {
    BloodSugar(
      id: ExampleProgramme.id(number), patientID: ExampleProgramme.id(patient), facilityID: nil,
      value: value, kind: kind, recordedAt: try Date(at, strategy: .iso8601))
  }

  @Test func theMostRecentBloodSugarOfThePeriodCounts() async throws {
    try await ExampleProgramme.with { database in
      let store = try await Store(database.pool)
      try await store.record([
        sugar(200, of: 10, 199, .random, "2024-06-02T06:00:00Z"),
        sugar(201, of: 10, 300, .postPrandial, "2024-06-03T06:00:00Z"),
        sugar(202, of: 11, 126, .fasting, "2024-06-03T06:00:00Z"),
        sugar(203, of: 12, 6.9, .hba1c, "2024-06-03T06:00:00Z"),
        sugar(204, of: 13, 125.9, .fasting, "2024-06-03T06:00:00Z"),
        // July in Kolkata; and nobody whom the indicators count.
        sugar(205, of: 15, 100, .random, "2024-06-30T18:30:00Z"),
        sugar(206, of: 99, 100, .random, "2024-06-03T06:00:00Z"),
      ])
      let open = try await cells(BloodSugarReport.report, database.pool)
      #expect(open["patients_with_blood_sugar"] == "4")
      #expect(open["sugar_controlled"] == "2" && open["sugar_controlled_rate"] == "50.0")
      #expect(open["sugar_raised"] == "1" && open["sugar_very_high"] == "1")
      #expect(open["sugar_fasting"] == "2" && open["sugar_random"] == "0")

      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(Period(parsing: Self.june))
      try await store.record([sugar(207, of: 14, 90, .random, "2024-06-04T06:00:00Z")])
      try await store.delete(patient: ExampleProgramme.id(12))
      let closed = try await cells(BloodSugarReport.report, database.pool)
      #expect(closed["patients_with_blood_sugar"] == "4" && closed["edition"] == "1")
      let known = try await cells(BloodSugarReport.report, database.pool, view: .knownNow)
      #expect(known["patients_with_blood_sugar"] == "4" && known["sugar_hba1c"] == "0")
      #expect(known["sugar_random"] == "1")
    }
  }

  @Test func heartRatesComeWithTheMostRecentReading() async throws {
    try await ExampleProgramme.with { database in
      let store = try await Store(database.pool)
      for (number, patient, rate) in [(200, 10, 59), (201, 11, 60), (202, 12, 100), (203, 13, 101)]
      {
        try await store.record(
          Reading(
            id: ExampleProgramme.id(UInt8(number)), patientID: ExampleProgramme.id(UInt8(patient)),
            facilityID: nil, systolic: 120, diastolic: 80, heartRate: rate,
            recordedAt: Date("2024-04-10T06:00:00Z", strategy: .iso8601)))
      }
      let april = try await cells(HeartRateReport.report, database.pool, month: "2024-04")
      #expect(april["patients_with_heart_rate"] == "4" && april["patients_with_bp"] == "4")
      #expect(april["heart_rate_below_60"] == "1" && april["heart_rate_above_100"] == "1")
      #expect(april["heart_rate_60_to_100"] == "2" && april["heart_rate_below_60_rate"] == "25.0")
      // A name that two reports have means the same in both.
      let june = try await cells(HeartRateReport.report, database.pool)
      let district = try await cells(DistrictBPReport.report, database.pool)
      #expect(june["patients_with_bp"] == district["patients_with_bp"])
      #expect(june["patients_without_heart_rate"] == district["patients_with_bp"])
    }
  }

  @Test func whatComesLateHasAnAgeAndSilentFacilitiesAreFound() async throws {
    try await ExampleProgramme.with { database in
      let store = try await Store(database.pool)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(Period(parsing: Self.june))
      let visited = ExampleProgramme.id(1)
      func reading(_ number: UInt8, _ at: Date?) -> Reading {
        Reading(
          id: ExampleProgramme.id(number), patientID: ExampleProgramme.id(10), facilityID: visited,
          systolic: 120, diastolic: 80, recordedAt: at)
      }
      try await store.record(reading(210, Date("2024-06-05T06:00:00Z", strategy: .iso8601)))
      try await store.record(reading(211, nil))
      try await store.record(reading(212, Date("1914-06-05T06:00:00Z", strategy: .iso8601)))
      try await store.record(reading(213, Date(timeIntervalSinceNow: 86_400 * 900)))
      try await store.record(reading(214, Date("2024-05-05T06:00:00Z", strategy: .iso8601)))
      let june = try await cells(DataQualityReport.report, database.pool)
      #expect(june["late_arrivals"] == "1" && june["late_over_365_days"] == "1")
      #expect(june["impossible_times"] == "3")
      // Three facilities are not deleted, and the readings of June say not where they were taken.
      #expect(june["facilities_silent"] == "3")
      let may = try await cells(
        DataQualityReport.report, database.pool, month: "2024-05",
        region: RegionChoice(district: "Bathinda"))
      #expect(may["facilities_silent"] == "1" && may["late_arrivals"] == "0")
    }
  }
}
