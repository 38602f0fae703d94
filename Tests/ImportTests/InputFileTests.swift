import Foundation
import Import
import TestSupport
import Testing

/// What files are in practice: compressed or not whatever their names say, cut short, put together,
/// with long lines.
@Suite struct InputFileTests {
  private static let patient = #"{"resourceType":"Patient","id":"p1"}"#

  /// Imports `Patient.ndjson` and the encounter that registers the patient, after the shell has
  /// made of the first what the test is about; the file's new name may be another.
  private static func importing(
    _ commands: String,
    then check: (_ work: () async throws -> ImportReport, ImportFolder) async throws -> Void
  ) async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try FHIREdgeTests.writeAll(folder)
        _ = try await shell("cd \(folder.path) && \(commands)")
        try await check({ try await folder.importFHIR(store) }, folder)
        // All or nothing.
        let patients = try await database.pool.texts("SELECT 'row' FROM patients").count
        let facilities = try await database.pool.texts("SELECT 'row' FROM facilities").count
        #expect(patients == facilities)
      }
    }
  }

  @Test(arguments: [
    "gzip Patient.ndjson", "gzip Patient.ndjson && mv Patient.ndjson.gz Patient.ndjson",
    "mv Patient.ndjson Patient.ndjson.gz", "mv Patient.ndjson 1.Patient.ndjson",
    "gzip Patient.ndjson && head -c 4096 /dev/zero >> Patient.ndjson.gz",
    // Two members, cut within a line, as `cat` and parallel compressors leave them.
    "head -c 9 Patient.ndjson | gzip > a && tail -c +10 Patient.ndjson | gzip >> a "
      + "&& mv a Patient.ndjson.gz && rm Patient.ndjson",
    "printf '\\357\\273\\277' > a && sed 's/$/\\r/' Patient.ndjson >> a && mv a Patient.ndjson",
    "(echo; echo '  '; cat Patient.ndjson | tr -d '\\n') > a && mv a Patient.ndjson",
    "touch Encounter-2.ndjson",
  ])
  func whatAFileIsIsToldByItsContent(commands: String) async throws {
    try await Self.importing(commands) { work, folder in
      let report = try await work()
      #expect(report.rejected == 0)
      #expect(report.inputs.first { $0.name == "Patient" }?.read == 1)
    }
  }

  @Test(arguments: [
    ("gzip Patient.ndjson && truncate -s -6 Patient.ndjson.gz", "ends too early, near byte "),
    (
      "gzip Patient.ndjson && truncate -s 12 Patient.ndjson.gz",
      "ends too early, near byte 12 of 12"
    ),
    ("gzip Patient.ndjson && truncate -s 1 Patient.ndjson.gz", "it is empty"),
    ("rm Patient.ndjson && touch Patient.ndjson.gz", "it is empty"),
    ("gzip Patient.ndjson && echo '{}' >> Patient.ndjson.gz", "is damaged, near byte "),
    (
      "gzip Patient.ndjson && printf '\\001' | dd of=Patient.ndjson.gz conv=notrunc bs=1 seek=40",
      "is damaged"
    ),
    ("rm Patient.ndjson && mkdir Patient.ndjson.gz", "it is a folder"),
    ("rm Patient.ndjson && ln -s nowhere Patient.ndjson", "it cannot be opened"),
  ])
  func aFileThatCannotBeReadToItsEndIsNamedAndNothingIsWritten(
    commands: String, message: String
  ) async throws {
    try await Self.importing(commands) { work, folder in
      let failure = await #expect(throws: ImportFailure.self) { try await work() }
      #expect(failure?.description.contains("\(folder.path)/Patient.ndjson") == true)
      #expect(failure?.description.contains(message) == true, "\(failure?.description ?? "")")
    }
  }

  @Test func filesOfATypeAreAllReadInAnyOrderOfTypes() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        // The names are in the order in which nothing is known yet: readings first, facilities
        // last.
        try folder.write("0.Observation.000.ndjson", FHIREdgeTests.observation("b1"))
        try folder.write("0.Observation.1.ndjson", FHIREdgeTests.observation("b2"))
        _ = try await shell("gzip \(folder.path)/0.Observation.1.ndjson")
        try folder.write("1.Patient.ndjson", Self.patient)
        try folder.write("2.Condition.ndjson", FHIREdgeTests.condition)
        try folder.write("3.Encounter.ndjson", FHIREdgeTests.encounter)
        try folder.write("4.Organization.ndjson", FHIREdgeTests.organization)
        try folder.write("Observations.txt", "not ours")
        try folder.write("Immunization.ndjson", "not ours")
        let report = try await folder.importFHIR(store)
        #expect(report.rejected == 0)
        #expect(report.written == 5)
        #expect(
          try await database.pool.texts(
            """
            SELECT concat_ws(' ', p.hypertensive, b.facility_id = p.registration_facility_id)
            FROM blood_pressures AS b JOIN patients AS p ON p.id = b.patient_id
            """) == ["t t", "t t"])
      }
    }
  }

  @Test func aLineOfFiftyMegabytesIsRejectedAndTheNextIsRead() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        try FHIREdgeTests.writeAll(folder)
        _ = try await shell(
          """
          cd \(folder.path)
          (head -c 52428800 /dev/zero | tr '\\0' x; echo; cat Patient.ndjson) > a
          (printf 'id,patient_id,systolic,diastolic\\nb1,'; head -1 a; echo 'b2,p1,120,80') > r.csv
          mv a Patient.ndjson
          """)
        let report = try await folder.importFHIR(store)
        #expect(report.rejected == 1)
        #expect(folder.rejects == ["Patient.ndjson,1,Patient,the line is longer than 4 MiB"])
        #expect(try await folder.importCSV([.readings: "r.csv"], store).rejected == 1)
        #expect(folder.rejects.first == "r.csv,2,readings,a field is longer than 1 MiB")
      }
    }
  }

  @Test func aLineOfManyValuesIsRejectedAndALineOfOneLongValueIsRead() async throws {
    try await TestDatabase.migrated(size: 2) { _, store in
      try await ImportFolder.with { folder in
        try FHIREdgeTests.writeAll(folder)
        let values = String(repeating: "{},", count: 100_000)
        let photo = String(repeating: "A", count: 3 << 20)
        try folder.write(
          "Patient.ndjson", #"{"resourceType":"Patient","id":"p2","name":[\#(values){}]}"#,
          #"{"resourceType":"Patient","id":"p1","photo":[{"data":"\#(photo)"}]}"#)
        let report = try await folder.importFHIR(store)
        #expect(report.rejected == 1)
        #expect(
          folder.rejects == ["Patient.ndjson,1,Patient,the line has more than 100000 values"])
      }
    }
  }
}
