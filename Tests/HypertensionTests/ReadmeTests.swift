import Foundation
import Hypertension
import Postgres
import TestSupport
import Testing

/// The README's example, compiled and run as it stands there.
@Suite struct ReadmeTests {
  @Test func theExampleInTheReadme() async throws {
    try await TestDatabase.migrated { database, _ in
      let url = database.url
      let facility = Facility(name: "PHC Rampura", state: "Punjab", district: "Bathinda")

      // README
      let pool = Pool(ConnectionSettings(conninfo: url), size: 8)
      let store = try await Store(pool)

      let patient = Patient(registeredAt: Date(), registrationFacilityID: facility.id)
      let reading = Reading(
        patientID: patient.id, facilityID: facility.id, systolic: 128, diastolic: 82,
        recordedAt: Date())

      try await store.record(reading)  // in a transaction of its own; the patient may come later

      try await store.transaction { tx in  // in yours: all or nothing
        try await store.save(facility, in: tx)
        try await store.insert(patient, in: tx)
        try await store.record(reading, in: tx)  // sent again: nothing changes
      }
      // README

      let rows = try await pool.withConnection {
        try await $0.query("SELECT count(*) FROM rollup.blood_pressure_rollups").only(Int.self)
      }
      #expect(rows == 2)
      await pool.close()
      let text = try String(contentsOf: URL(filePath: #filePath), encoding: .utf8)
      let example = text.components(separatedBy: "// README\n")[1]
        .split(separator: "\n", omittingEmptySubsequences: false)
        .map { $0.hasPrefix("      ") ? String($0.dropFirst(6)) : String($0) }.joined(
          separator: "\n"
        )
        .trimmingCharacters(in: .whitespacesAndNewlines)
      let readme = try String(
        contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(
          path: "../../README.md"),
        encoding: .utf8)
      #expect(
        readme.contains(example), "the README shows another example than the one that is compiled")
    }
  }
}
