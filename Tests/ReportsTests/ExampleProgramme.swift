import Foundation
import Hypertension
import PeriodRollups
import Reports
import RollupStore
import TestSupport

/// A programme small enough to count by hand: Kolkata, the second quarter of 2024.
enum ExampleProgramme {
  static func id(_ number: UInt8) -> UUID {
    UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number))
  }

  static func at(_ text: String) throws -> Micros {
    Micros(try Date(text, strategy: .iso8601).timeIntervalSince1970 * 1_000_000)
  }

  static func make() throws -> Programme {
    var programme = Programme(timeZone: "Asia/Kolkata")
    programme.facilities = [
      .init(
        id: id(1), name: "PHC \"Main\", Maur", state: "Punjab", district: "Bathinda", block: "Maur"),
      .init(id: id(2), name: "=CHC", state: "Punjab", district: "Bathinda"),
      .init(id: id(3), name: "SDH", state: "Punjab", district: "Mansa"),
      .init(id: id(4), name: "Gone", state: "Punjab", district: "Mansa", isDeleted: true),
    ]
    func patient(_ number: UInt8, _ facility: UInt8, _ registered: String, died: String? = nil)
      throws
    {
      programme.patients.append(
        .init(
          id: id(number), registeredAt: try at(registered), registrationFacility: id(facility),
          assignedFacility: id(facility), diedAt: try died.map(at)))
    }
    func reading(
      _ number: UInt8, of patient: UInt8, _ systolic: Int, _ diastolic: Int, _ at: String
    ) throws {
      programme.readings.append(
        .init(
          id: id(number), patient: id(patient), systolic: systolic, diastolic: diastolic,
          recordedAt: try Self.at(at)))
    }
    // Under care with a controlled reading in the last second of June in Kolkata.
    try patient(10, 1, "2024-01-10T06:00:00Z")
    try reading(100, of: 10, 150, 95, "2024-05-02T06:00:00Z")
    try reading(101, of: 10, 139, 89, "2024-06-30T18:29:59Z")
    // The reading is in July in Kolkata, so this one missed the visit.
    try patient(11, 1, "2024-02-10T06:00:00Z")
    try reading(102, of: 11, 120, 70, "2024-06-30T18:30:00Z")
    // Visited without a reading.
    try patient(12, 2, "2023-01-10T06:00:00Z")
    programme.visits.append(
      .init(id: id(103), patient: id(12), visitedAt: try at("2024-04-20T06:00:00Z")))
    // Lost, dead, and new.
    try patient(13, 2, "2022-01-10T06:00:00Z")
    try patient(14, 2, "2023-12-10T06:00:00Z", died: "2024-06-30T18:00:00Z")
    try patient(15, 2, "2024-06-01T06:00:00Z")
    try reading(104, of: 15, 140, 80, "2024-06-01T06:00:00Z")
    return programme
  }

  /// Lends a database with the programme in it.
  static func with<T: Sendable>(_ body: (TestDatabase) async throws -> T) async throws -> T {
    let programme = try make()
    return try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) {
      database, store in
      try await programme.record(in: store)
      return try await body(database)
    }
  }
}
