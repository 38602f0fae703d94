import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// Promise P5: a figure published last year is provably the figure on file.
@Suite struct DigestTests {
  /// A programme with a closed month and quarter, and a restated month; names that need quotes.
  private func closed(
    _ body: (TestDatabase, Store, _ facility: UUID) async throws -> Void
  ) async throws {
    try await TestDatabase.migrated(timeZone: "Asia/Kolkata", size: 4) { database, store in
      let facilities = [UUID(), UUID()]
      for (number, id) in facilities.enumerated() {
        try await store.save(
          Facility(
            id: id, name: "CHC \"Old, town\" (\(number)) \\", state: "Punjab", district: "Bathinda",
            block: number == 0 ? nil : "Rampura"))
      }
      let patients = (0..<40).map { _ in UUID() }
      for (number, id) in patients.enumerated() {
        try await store.insert(
          Patient(
            id: id, registeredAt: Date(timeIntervalSince1970: 1_700_000_000),
            registrationFacilityID: facilities[number % 2],
            assignedFacilityID: facilities[number % 2]))
        try await store.record(reading(of: id, at: facilities[number % 2], 120 + number))
      }
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(Period(parsing: "2024-05"))
      try await closer.close(Period(parsing: "2024Q2"))
      try await store.record(reading(of: patients[0], at: facilities[0], 190, hours: 30))
      try await closer.restate(Period(parsing: "2024-05"), reason: "a \"late\" phone, synced")
      try await body(database, store, facilities[1])
    }
  }

  /// On 20 May 2024, and so many hours later.
  private func reading(of patient: UUID, at facility: UUID, _ systolic: Int, hours: Double = 0)
    -> Reading
  {
    Reading(
      patientID: patient, facilityID: facility, systolic: systolic, diastolic: 85,
      recordedAt: Date(timeIntervalSince1970: 1_716_200_000 + hours * 3600))
  }

  private func findings(_ store: Store) async throws -> [String] {
    var findings: [String] = []
    try await ClosedVerification(store.rollups, publishing: CarePublication()).run { finding in
      findings.append("\(finding)")
      return true
    }
    return findings
  }

  /// The commands of docs/digest.md give the digests that are stored, with psql and sha256sum alone.
  @Test func theDocumentsCommandsGiveTheDigests() async throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../docs/digest.md").standardized
    let document = try String(contentsOf: folder, encoding: .utf8)
    let commands = document.components(separatedBy: "```sh\n").dropFirst().compactMap {
      $0.components(separatedBy: "```").first
    }
    #expect(commands.count == 3)
    try await closed { database, _, facility in
      let expected = try await database.pool.withConnection { connection in
        try await connection.query(
          """
          SELECT (SELECT encode(figures, 'hex') FROM rollup.edition_regions WHERE period_type = 'Q'),
            (SELECT encode(digest, 'hex') FROM rollup.edition_leaves
              WHERE period_type = 'Q' AND part = 'blood-pressure' AND place = \(facility)::text),
            (SELECT encode(digest, 'hex') FROM rollup.editions WHERE period_type = 'Q')
          """
        ).only((String, String, String).self)
      }
      for (command, digest) in zip(commands, [expected.0, expected.1, expected.2]) {
        let outcome = await run(
          ["/bin/sh", "-c", command],
          environment: [
            "URL": database.url, "DISTRICT": "Bathinda",
            "FACILITY": facility.uuidString.lowercased(),
            // No setting of a session may matter.
            "PGTZ": "America/Caracas", "PGDATESTYLE": "German",
            "PGOPTIONS": "-c extra_float_digits=0 -c bytea_output=escape",
          ])
        #expect(outcome.output.hasPrefix(digest), "\(outcome.error)\(command)")
      }
    }
  }

  @Test func whatIsWholeIsWhole() async throws {
    try await closed { database, store, _ in
      #expect(try await findings(store) == [])
      // Neither the order of rows on disk nor a session's settings matter.
      try await database.pool.withConnection { connection in
        try await connection.script(
          "CLUSTER rollup.published_patients USING published_patients_by_edition")
        try await connection.script("VACUUM FULL rollup.edition_leaves")
      }
      let pool = Pool(
        ConnectionSettings(
          conninfo: database.url,
          options: ["TimeZone": "Asia/Tokyo", "DateStyle": "German", "bytea_output": "escape"]))
      #expect(try await findings(Store(pool)) == [])
      await pool.close()
    }
  }

  /// What a superuser changes with the guard switched off, and what verification names.
  private static let tamperings: [(table: String, sql: String, named: [String])] = [
    (
      "published_figures", "UPDATE rollup.published_figures SET controlled = controlled + 1",
      ["figures: the row of facility", "controlled is", "its patients give", "Bathinda (Punjab)"]
    ),
    (
      "published_figures", "UPDATE rollup.published_figures SET facility = 'x'",
      ["figures: the row of"]
    ),
    ("published_figures", "UPDATE rollup.published_figures SET size = 'x'", ["sizes: the row of"]),
    ("published_figures", "DELETE FROM rollup.published_figures", ["is missing among the figures"]),
    (
      "published_patients", "UPDATE rollup.published_patients SET systolic[1] = 250",
      ["patients: the row of facility"]
    ),
    (
      "published_patients",
      "UPDATE rollup.published_patients SET patient_ids[1] = gen_random_uuid()",
      ["patients: the row of facility"]
    ),
    (
      "blood_pressure_rollups_quarters_2024_q2",
      "UPDATE rollup.blood_pressure_rollups SET systolic = 90 WHERE period_type = 'Q' AND patient_id = (SELECT min(patient_id::text)::uuid FROM rollup.blood_pressure_rollups WHERE period_type = 'Q' AND NOT EXISTS (SELECT FROM rollup.blood_pressure_rollups_late AS l WHERE l.patient_id = blood_pressure_rollups.patient_id))",
      ["blood-pressure: rows of facility", "the row of patient", "of other values"]
    ),
    (
      "visit_rollups_quarters_2024_q2",
      "DELETE FROM rollup.visit_rollups WHERE period_type = 'Q'",
      ["visits: rows of facility", "is missing", "and 38 more"]
    ),
    (
      "blood_pressure_rollups_months_2024_05_edition_1",
      "UPDATE rollup.blood_pressure_rollups_months_2024_05_edition_1 SET diastolic = 1",
      ["2024-05, edition 1", "blood-pressure: rows of facility"]
    ),
    (
      "editions", "UPDATE rollup.editions SET closed_by = 'x' WHERE edition = 2",
      ["2024-05, edition 2: its record"]
    ),
    (
      "editions", "UPDATE rollup.editions SET digest = previous WHERE period_type = 'Q'",
      ["2024Q2, edition 1: its record", "2024-05, edition 2: the chain is broken before it"]
    ),
    (
      "editions", "DELETE FROM rollup.editions WHERE period_type = 'Q'",
      ["2024-05, edition 2: the chain is broken before it"]
    ),
    (
      "editions", "DELETE FROM rollup.editions WHERE edition = 2",
      ["2024-05, edition 2: its record is gone"]
    ),
    (
      "editions", "UPDATE rollup.editions SET period_type = 'X' WHERE edition = 2",
      ["of the type 'X', which there is not"]
    ),
    (
      "registration_rollups_quarters_2024_q2",
      "INSERT INTO rollup.registration_rollups (period_type, period_start, registration_facility_id, change) SELECT 'Q', '2024-04-01', id, 3 FROM facilities",
      ["registrations: the count of facility"]
    ),
    (
      "edition_regions", "UPDATE rollup.edition_regions SET digest = figures",
      ["its digest is not that of its places"]
    ),
  ]

  @Test(arguments: tamperings.indices)
  func whatIsTamperedWithIsNamed(number: Int) async throws {
    let (table, sql, named) = Self.tamperings[number]
    try await closed { database, store, _ in
      try await database.pool.withConnection { connection in
        try await connection.script(
          "ALTER TABLE rollup.\(table) DISABLE TRIGGER USER; \(sql); ALTER TABLE rollup.\(table) ENABLE TRIGGER USER"
        )
        let triggers = try await connection.query(
          "SELECT tgname::text FROM pg_trigger WHERE tgrelid = ('rollup.' || \(table))::regclass AND NOT tgisinternal"
        ).map { try $0.decode(String.self) }
        for trigger in triggers {
          try await connection.script(
            "ALTER TABLE rollup.\(table) ENABLE ALWAYS TRIGGER \(trigger)")
        }
      }
      let found = try await findings(store).joined(separator: "\n")
      for words in named { #expect(found.contains(words), "\(sql): \(found)") }
    }
  }

  @Test(arguments: [
    "ALTER TABLE rollup.blood_pressure_rollups_quarters_2024_q2 DISABLE TRIGGER closed",
    "DROP TRIGGER closed_whole ON rollup.visit_rollups_quarters_2024_q2",
    "ALTER TABLE rollup.registration_rollups_quarters_2024_q2 ENABLE TRIGGER closed",
    "ALTER TABLE rollup.blood_pressure_rollups_quarters DETACH PARTITION rollup.blood_pressure_rollups_quarters_2024_q2",
    "DROP TRIGGER kept ON rollup.visit_rollups_months_2024_05_edition_1",
    "ALTER TABLE rollup.published_patients DISABLE TRIGGER published",
    // A guard that is there, but lets pass.
    """
    DROP TRIGGER closed ON rollup.visit_rollups_quarters_2024_q2;
    CREATE TRIGGER closed BEFORE INSERT OR UPDATE OR DELETE ON rollup.visit_rollups_quarters_2024_q2
      FOR EACH ROW WHEN (false) EXECUTE FUNCTION rollup.guard_visit_rollups();
    ALTER TABLE rollup.visit_rollups_quarters_2024_q2 ENABLE ALWAYS TRIGGER closed
    """,
    """
    DROP TRIGGER closed ON rollup.visit_rollups_quarters_2024_q2;
    CREATE TRIGGER closed BEFORE INSERT ON rollup.visit_rollups_quarters_2024_q2
      FOR EACH ROW EXECUTE FUNCTION rollup.guard_visit_rollups();
    ALTER TABLE rollup.visit_rollups_quarters_2024_q2 ENABLE ALWAYS TRIGGER closed
    """,
    """
    CREATE OR REPLACE FUNCTION rollup.guard_visit_rollups() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN RETURN coalesce(new, old); END'
    """,
  ])
  func aMissingGuardIsNamed(sql: String) async throws {
    try await closed { database, store, _ in
      try await database.pool.withConnection { try await $0.script(sql) }
      let found = try await findings(store)
      #expect(found.count == 1, "\(found)")
      #expect(
        ["switched off", "attached", "is not as this version makes it"].contains {
          found.first?.contains($0) == true
        })
    }
  }
}
