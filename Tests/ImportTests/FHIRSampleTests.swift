import Foundation
import Import
import TestSupport
import Testing

/// The mapping of INDICATORS.md against a computation of its own, in plain Swift over the raw files
/// of a published sample that lies beside the project.
@Suite struct FHIRSampleTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../shared/data/synthea-r4").standardized.path()

  static var isThere: Bool { FileManager.default.fileExists(atPath: folder) }

  @Test(.enabled(if: isThere, "the sample files are not beside the project"))
  func everyRowIsAsTheFilesSay() async throws {
    let expected = try await Sample(Self.folder)
    #expect(expected.readings.count == 5_660 && expected.patients.count == 615)
    try await TestDatabase.migrated(size: 4) { database, store in
      let work = try FHIRImport(Self.folder, ImportOptions(rejects: "/tmp/no-rejects-expected.csv"))
      let report = try await database.pool.withConnection {
        try await work.run(store.rollups, on: $0)
      }
      #expect(report.rejected == 0)
      #expect(
        try await database.pool.texts(
          "SELECT concat_ws('|', id, name, state, district, block) FROM facilities")
          == expected.facilities)
      #expect(
        try await database.pool.texts(
          """
          SELECT concat_ws('|', id, extract(epoch FROM registered_at)::bigint,
            registration_facility_id, assigned_facility_id, hypertensive,
            coalesce(extract(epoch FROM died_at)::bigint::text, '-'), deleted_at)
          FROM patients
          """) == expected.patients)
      #expect(
        try await database.pool.texts(
          """
          SELECT concat_ws('|', id, patient_id, facility_id, systolic, diastolic,
            extract(epoch FROM recorded_at)::bigint, deleted_at)
          FROM blood_pressures
          """) == expected.readings)
      // Every Observation of the sample is one or the other: none is passed over.
      #expect(report.inputs.first { $0.name == "Observation" }?.skipped == 0)
      #expect(
        try await database.pool.texts(
          "SELECT concat_ws('|', id, patient_id, value, type) FROM blood_sugars")
          == expected.sugars)
      #expect(
        try await database.pool.texts(
          """
          SELECT concat_ws('|', id, patient_id, facility_id, extract(epoch FROM visited_at)::bigint,
            deleted_at)
          FROM visits
          """) == expected.visits)

      let again = try await database.pool.withConnection {
        try await work.run(store.rollups, on: $0)
      }
      #expect(again.written == 0)
    }
  }
}

/// The sample's rows as text, computed from its files.
private struct Sample {
  var facilities: [String] = []
  var patients: [String] = []
  var readings: [String] = []
  var visits: [String] = []
  /// The sample has none, as of this writing.
  var sugars: [String] = []

  typealias Resource = [String: Any]

  init(_ folder: String) async throws {
    func load(_ type: String) async throws -> [Resource] {
      try await shell("zcat \(folder)/\(type).ndjson.gz").split(separator: "\n").map {
        try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Resource)
      }
    }
    func id(_ reference: Any?) -> String {
      ((reference as? Resource)?["reference"] as? String).map {
        String($0.split(separator: "/")[1])
      } ?? ""
    }
    let formatter = ISO8601DateFormatter()
    func seconds(_ text: Any?) -> Int {
      Int(formatter.date(from: text as? String ?? "")?.timeIntervalSince1970 ?? .nan)
    }
    for organization in try await load("Organization") {
      let address = (organization["address"] as? [Resource])?[0]
      facilities.append(
        ["id", "name"].map { organization[$0] as? String ?? "" }.joined(separator: "|")
          + "|\(address?["state"] as? String ?? "")|\(address?["city"] as? String ?? "")")
    }
    var encounters: [String: (patient: String, start: Int, facility: String)] = [:]
    var first: [String: (start: Int, id: String)] = [:]
    for encounter in try await load("Encounter") {
      let key = encounter["id"] as? String ?? ""
      let patient = id(encounter["subject"])
      let start = seconds((encounter["period"] as? Resource)?["start"])
      encounters[key] = (patient, start, id(encounter["serviceProvider"]))
      if (start, key) < first[patient] ?? (.max, "") { first[patient] = (start, key) }
    }
    visits = encounters.map { "\($0)|\($1.patient)|\($1.facility)|\($1.start)" }.sorted()
    var diagnosed: [String: (at: Int, id: String, encounter: String)] = [:]
    for condition in try await load("Condition") {
      let patient = id(condition["subject"])
      let one = (
        seconds(condition["recordedDate"] ?? condition["onsetDateTime"]),
        condition["id"] as? String ?? "", id(condition["encounter"])
      )
      if one < diagnosed[patient] ?? (.max, "", "") { diagnosed[patient] = one }
    }
    var assigned: [String: String] = [:]
    for patient in try await load("Patient") {
      let key = patient["id"] as? String ?? ""
      let condition = diagnosed[key]
      let place = encounters[condition?.encounter ?? first[key]?.id ?? ""]?.facility ?? ""
      assigned[key] = place
      let died = patient["deceasedDateTime"].map { String(seconds($0)) } ?? "-"
      patients.append(
        "\(key)|\(condition?.at ?? first[key]?.start ?? 0)|\(place)|\(place)|"
          + "\(condition == nil ? "f" : "t")|\(died)"
      )
    }
    let types = [
      "4548-4": "hba1c", "1558-6": "fasting", "1521-4": "post_prandial", "2345-7": "random",
      "2339-0": "random", "14749-6": "random", "15074-8": "random",
    ]
    for observation in try await load("Observation") {
      let code = ((observation["code"] as? Resource)?["coding"] as? [Resource])?[0]["code"]
      if let type = types[code as? String ?? ""] {
        let quantity = observation["valueQuantity"] as? Resource
        let value = (quantity?["value"] as? NSNumber).map { "\($0)" } ?? "none"
        sugars.append(
          "\(observation["id"] as? String ?? "")|\(id(observation["subject"]))|\(value)|\(type)")
        continue
      }
      let values = (observation["component"] as? [Resource] ?? []).reduce(into: [String: Double]())
      {
        let coding = (($1["code"] as? Resource)?["coding"] as? [Resource])?[0]
        $0[coding?["code"] as? String ?? ""] =
          (($1["valueQuantity"] as? Resource)?["value"] as? NSNumber)?.doubleValue
      }
      func whole(_ code: String) -> Int { Int(floor((values[code] ?? 0) + 0.5)) }
      let patient = id(observation["subject"])
      let place = encounters[id(observation["encounter"])]?.facility ?? assigned[patient] ?? ""
      readings.append(
        "\(observation["id"] as? String ?? "")|\(patient)|\(place)|"
          + "\(whole("8480-6"))|\(whole("8462-4"))|"
          + "\(seconds(observation["effectiveDateTime"]))")
    }
    facilities.sort()
    patients.sort()
    readings.sort()
    sugars.sort()
  }
}
