import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// What a writer of the application's could do by SQL to closed periods (DESIGN.md, P3 to P5): by SQL of its own it
/// neither passes the ledger by, nor has an invented patient published.
@Suite struct ForgedWriteTests {
  private static let patient = UUID()
  private static let facility = UUID()

  /// One patient with a reading of 10 and one of 20 March 2024; February and March of 2024 and their quarter are closed.
  private func closed(
    _ body: (_ store: Store, _ writer: Pool, _ database: TestDatabase) async throws -> Void
  ) async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      try await store.save(
        Facility(id: Self.facility, name: "PHC Goniana", state: "Punjab", district: "Bathinda"))
      try await store.insert(
        Patient(
          id: Self.patient, registeredAt: Self.day(-300), registrationFacilityID: Self.facility))
      for day in [10, 20] { try await store.record(Self.reading(day)) }
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      for name in ["2024-02", "2024-03", "2024Q1"] { try await closer.close(Period(parsing: name)) }
      let writer = Pool(
        ConnectionSettings(
          conninfo: database.url, options: ["role": RollupRole.writer.rawValue]), size: 2)
      try await body(store, writer, database)
      await writer.close()
    }
  }

  private static func day(_ day: Int) -> Date {
    // 1 March 2024 in the morning, of Kolkata.
    Date(timeIntervalSince1970: 1_709_265_600 + Double(day - 1) * 86_400)
  }

  private static func reading(_ day: Int, systolic: Int = 150) -> Reading {
    Reading(
      id: UUID(), patientID: patient, facilityID: facility, systolic: systolic, diastolic: 80,
      recordedAt: self.day(day))
  }

  private static func insert(_ patient: String = "'\(ForgedWriteTests.patient)'", day: Int = 25)
    -> String
  {
    """
    INSERT INTO rollup.blood_pressure_rollups
      (patient_id, period_type, period_start, recorded_at, blood_pressure_id, systolic, diastolic, year, period_name)
    VALUES (\(patient), 'M', '2024-03-01', '2024-03-\(day) 06:00Z', gen_random_uuid(), 110, 70, 2024, '2024-03')
    """
  }

  private func count(_ sql: String, _ pool: Pool) async throws -> Int {
    try await pool.withConnection { try await $0.query(Query(text: sql)).only(Int.self) }
  }

  private func findings(_ store: Store) async throws -> [String] {
    var findings: [String] = []
    try await ClosedVerification(store.rollups, publishing: CarePublication()).run { finding in
      findings.append("\(finding)")
      return true
    }
    return findings
  }

  private static let entries = "SELECT count(*) FROM rollup.late_arrivals"

  // MARK: The ledger

  @Test(arguments: ["", "change", "backfill", "repair", "destroy"])
  func anInsertByHandIsInTheLedgerWhateverTheSessionSaysItIsDoing(doing: String) async throws {
    try await closed { store, writer, database in
      try await writer.withConnection {
        try await $0.script("SET rollup.doing = '\(doing)'; \(Self.insert())")
      }
      #expect(try await count(Self.entries, database.pool) == 1)
      // Nobody but a backfill's login calls it one; the others cannot choose the word.
      let change = try await database.pool.withConnection {
        try await $0.query("SELECT change FROM rollup.late_arrivals").only(String.self)
      }
      #expect(change == (doing == "backfill" ? "backfill" : "insert"), "the login is a superuser's")
      #expect(try await count("SELECT count(*) FROM rollup.diversions", database.pool) == 0)
      #expect(try await findings(store) == [])
    }
  }

  @Test func aLosingInsertByHandIsInTheLedgerToo() async throws {
    try await closed { _, writer, database in
      try await writer.withConnection {
        try await $0.script("SET rollup.doing = 'change'; \(Self.insert(day: 2))")
      }
      #expect(try await count(Self.entries, database.pool) == 1)
    }
  }

  @Test func aSubtransactionDoesNotMakeAReadingOldEnoughToPass() async throws {
    try await closed { _, writer, database in
      try await writer.withConnection { connection in
        try await connection.script(
          """
          BEGIN; SET LOCAL rollup.doing = 'change'; SAVEPOINT s;
          INSERT INTO blood_pressures (patient_id, id, systolic, diastolic, recorded_at)
          VALUES ('\(Self.patient)', '00000000-0000-4000-8000-000000000001', 110, 70, '2024-03-02 06:00Z');
          RELEASE s;
          INSERT INTO rollup.blood_pressure_rollups
            (patient_id, period_type, period_start, recorded_at, blood_pressure_id, systolic, diastolic, year, period_name)
          VALUES ('\(Self.patient)', 'M', '2024-03-01', '2024-03-02 06:00Z', '00000000-0000-4000-8000-000000000001', 110, 70,
            2024, '2024-03');
          COMMIT;
          """)
      }
      #expect(try await count(Self.entries, database.pool) == 1)
    }
  }

  @Test(arguments: ["", "change", "backfill"])
  func updatesAndDeletesAreRefusedWhateverTheSessionSaysItIsDoing(doing: String) async throws {
    try await closed { store, writer, _ in
      for sql in [
        "UPDATE rollup.blood_pressure_rollups SET systolic = 1 WHERE period_start = '2024-03-01'",
        "DELETE FROM rollup.blood_pressure_rollups WHERE period_start = '2024-03-01'",
        "DELETE FROM rollup.registration_rollups WHERE period_start <= '2024-03-01'; DELETE FROM rollup.visit_rollups",
      ] {
        try await #expect {
          try await writer.withConnection {
            try await $0.script("SET rollup.doing = '\(doing)'; \(sql)")
          }
        } throws: { ($0 as? PostgresError)?.sqlState == .closedPeriod }
      }
      #expect(try await findings(store) == [])
    }
  }

  @Test func anEntryIsMadeAlsoWhereTheSequenceHasFallenBehind() async throws {
    try await closed { store, _, database in
      for day in 21...25 { try await store.record(Self.reading(day)) }
      try await database.pool.withConnection {
        try await $0.script("ALTER TABLE rollup.late_arrivals ALTER COLUMN number RESTART WITH 1")
      }
      for day in 26...30 { try await store.record(Self.reading(day)) }
      #expect(try await count(Self.entries, database.pool) == 20, "a month's and a quarter's each")
      var listed = 0
      try await LateArrivals(period: nil, district: nil, state: nil, includingTakenIn: true)
        .entries(database.pool) { _ in listed += 1 }
      #expect(listed == 20)
      #expect(try await findings(store) == [])
    }
  }

  @Test(arguments: [
    """
    INSERT INTO rollup.late_arrivals (number, change, effect, source, subject_id, row_id, period_type, period_start)
    OVERRIDING SYSTEM VALUE VALUES (9000, 'x', 'in', 'B', gen_random_uuid(), 'x', 'M', '2024-03-01')
    """,
    """
    INSERT INTO rollup.late_arrivals (arrived_at, change, effect, source, subject_id, row_id, period_type, period_start)
    VALUES ('2020-01-01', 'x', 'in', 'B', gen_random_uuid(), 'x', 'M', '2024-03-01')
    """,
    """
    INSERT INTO rollup.late_arrivals (transaction, change, effect, source, subject_id, row_id, period_type, period_start)
    VALUES ('1', 'x', 'in', 'B', gen_random_uuid(), 'x', 'M', '2024-03-01')
    """,
    "DELETE FROM rollup.late_arrivals", "UPDATE rollup.late_arrivals SET change = 'x'",
    "INSERT INTO rollup.blood_pressure_rollups_late (patient_id, period_type, period_start) VALUES (gen_random_uuid(), 'M', '2024-03-01')",
    "DELETE FROM rollup.blood_pressure_rollups_late",
    "UPDATE rollup.blood_pressure_rollups_late SET systolic = 1",
    "INSERT INTO rollup.registration_rollups_late (period_type, period_start, registration_facility_id, change) VALUES ('M', '2024-03-01', gen_random_uuid(), 100)",
    "INSERT INTO rollup.diversions DEFAULT VALUES", "DELETE FROM rollup.diversions",
    "SELECT rollup.enter_diversion()", "SELECT nextval('rollup.late_arrivals_number_seq')",
    "SELECT setval('rollup.late_arrivals_number_seq', 1)",
    """
    INSERT INTO rollup.late_arrivals (change, effect, source, subject_id, row_id, period_type, period_start)
    VALUES ('zzz', 'within', 'B', gen_random_uuid(), 'x', 'M', '2024-03-01')
    """,
    "INSERT INTO rollup.registration_rollups (period_type, period_start, registration_facility_id, change) VALUES ('Q', '2024-01-01', gen_random_uuid(), 9223372036854775807)",
  ])
  func theDatabasesColumnsAndLateRowsAreNotTheWriters(sql: String) async throws {
    try await closed { store, writer, _ in
      try await store.record(Self.reading(25))
      await #expect(throws: PostgresError.self) {
        try await writer.withConnection { try await $0.script(sql) }
      }
    }
  }

  /// An application's login often owns its tables, and so decides what runs when they are read.
  @Test func whoOwnsTheSourcesRunsNothingAsTheOwner() async throws {
    try await closed { store, writer, database in
      try await database.pool.withConnection { connection in
        try await connection.script(
          """
          CREATE TABLE public.ran_as (who text); GRANT INSERT ON public.ran_as TO PUBLIC;
          CREATE FUNCTION public.note(value integer) RETURNS boolean LANGUAGE plpgsql AS
            'BEGIN INSERT INTO public.ran_as VALUES (current_user); RETURN true; END';
          ALTER TABLE blood_pressures ENABLE ROW LEVEL SECURITY;
          CREATE POLICY mine ON blood_pressures USING (public.note(systolic));
          ALTER TABLE facilities ENABLE ROW LEVEL SECURITY;
          CREATE POLICY mine ON facilities USING (public.note(1));
          """)
      }
      try await store.record(Self.reading(25))
      let late = Self.reading(27)
      let path = try await Store(writer)
      try await path.record(late)
      try await path.delete(Reading.self, late.id, of: Self.patient)
      let server = Pool(
        ConnectionSettings(
          conninfo: database.url, options: ["role": RollupRole.server.rawValue]), size: 1)
      try await server.withConnection {
        try await $0.script(
          "SELECT rollup.circumstances(); SELECT FROM rollup_reach.facilities")
      }
      await server.close()
      let ran = try await database.pool.withConnection {
        try await $0.query("SELECT DISTINCT who FROM public.ran_as ORDER BY 1").map {
          try $0.decode(String.self)
        }
      }
      #expect(ran == [RollupRole.deriver.rawValue, RollupRole.writer.rawValue])
    }
  }

  /// A schema with the name of the role that a function runs as is none of ours.
  @Test func aSchemaOfTheDeriversNameIsNotLookedInto() async throws {
    try await closed { _, writer, database in
      try await database.pool.withConnection { connection in
        try await connection.script(
          """
          CREATE SCHEMA rollup_deriver; GRANT USAGE ON SCHEMA rollup_deriver TO PUBLIC;
          CREATE VIEW rollup_deriver.blood_pressures AS
            SELECT patient_id, gen_random_uuid() AS id, facility_id, 250 AS systolic, 140 AS diastolic, heart_rate,
              recorded_at + interval '1 day' AS recorded_at, deleted_at, created_at, updated_at
            FROM public.blood_pressures;
          GRANT SELECT ON rollup_deriver.blood_pressures TO PUBLIC;
          """)
      }
      try await writer.withConnection {
        try await $0.script(
          "SELECT rollup.settle_blood_pressure_rollups(ARRAY['\(Self.patient)']::uuid[], ARRAY['2024-03-01', '2024-01-01']::date[])"
        )
      }
      #expect(
        try await count("SELECT count(*) FROM rollup.blood_pressure_rollups_late", database.pool)
          == 0)
    }
  }

  // MARK: Restating and closing

  @Test func aRestatementRefusesWhatTheSourcesDoNotSay() async throws {
    try await closed { store, writer, database in
      try await writer.withConnection {
        try await $0.script(
          """
          \(Self.insert());
          INSERT INTO rollup.registration_rollups (period_type, period_start, registration_facility_id, change)
          VALUES ('M', '2024-03-01', '\(Self.facility)', 100);
          """)
      }
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      let march = try Period(parsing: "2024-03")
      try await #expect {
        try await closer.restate(march, reason: "late phones")
      } throws: { error in
        guard case Closing.Refusal.differs(march, rows: 2, let examples, true) = error else {
          return false
        }
        return examples.contains { $0.contains(Self.patient.uuidString.lowercased()) }
      }
      // What the sources say is what is published once the late rows are repaired.
      let settled = try await store.rollups.transaction { tx in
        try await store.rollups.repairLateRows(
          of: [Self.patient.uuidString.lowercased()], in: tx)
      }
      #expect(settled == 0)
      #expect(
        try await count("SELECT count(*) FROM rollup.blood_pressure_rollups_late", database.pool)
          == 0)
    }
  }

  @Test func anInventedPatientIsRepairedAway() async throws {
    try await closed { store, writer, database in
      let nobody = UUID().uuidString.lowercased()
      try await writer.withConnection { try await $0.script(Self.insert("'\(nobody)'")) }
      _ = try await store.rollups.transaction { tx in
        try await store.rollups.repairLateRows(of: [nobody], in: tx)
      }
      #expect(
        try await count("SELECT count(*) FROM rollup.blood_pressure_rollups_late", database.pool)
          == 0)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.restate(Period(parsing: "2024-03"), reason: "somebody invented a patient")
    }
  }

  @Test func aPeriodDoesNotCloseWhereRowsAreNotWhatTheSourcesSay() async throws {
    try await closed { store, writer, database in
      // Past the library: no rollup row.
      try await writer.withConnection {
        try await $0.script(
          """
          INSERT INTO blood_pressures (patient_id, id, systolic, diastolic, recorded_at)
          VALUES ('\(Self.patient)', gen_random_uuid(), 110, 70, '2024-04-02 06:00Z')
          """)
      }
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      let april = try Period(parsing: "2024-04")
      try await #expect {
        try await closer.close(april)
      } throws: { error in
        guard case Closing.Refusal.differs(april, rows: 4, _, false) = error else { return false }
        return true
      }
      _ = try await Backfilling.everything(store.rollups)
      try await closer.close(april)
      #expect(try await findings(store) == [])
    }
  }

  @Test(arguments: [
    "DELETE FROM rollup.late_arrivals", "DELETE FROM rollup.late_arrivals WHERE source = 'B'",
  ])
  func anEmptiedLedgerIsFound(sql: String) async throws {
    try await closed { store, _, database in
      try await store.record(Self.reading(25))
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      #expect(try await findings(store) == [])
      for restates in [false, true] {
        if restates { try await closer.restate(Period(parsing: "2024-03"), reason: "late phones") }
        let found = try await database.pool.transaction { tx in
          try await tx.script(sql)
          return try await tx.query("SELECT count(*) FROM rollup.late_arrivals").only(Int.self)
        }
        #expect(found == 0)
        let findings = try await findings(store)
        #expect(
          findings.contains {
            $0.contains("2024-03") && $0.contains("ledger")
              && $0.contains(Self.patient.uuidString.lowercased())
          }, "\(findings)")
      }
    }
  }

  // MARK: Odd values

  @Test func noValueOfTheSourcesKeepsAPeriodFromClosing() async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      try await database.pool.withConnection { connection in
        try await connection.script(
          """
          INSERT INTO facilities (id, name, state, district, block, size)
          SELECT gen_random_uuid(), repeat(w, 20000), repeat(w, 16000), repeat(w, 16000), repeat(w, 16000), repeat(w, 9000)
          FROM unnest(ARRAY['ä', 'ab c', E'\\n', E'\\x01', '"', '-']) AS w;
          INSERT INTO facilities (id, name, state, district) VALUES (gen_random_uuid(), '', '', '');
          INSERT INTO patients (id, registered_at, registration_facility_id, assigned_facility_id, died_at)
          SELECT gen_random_uuid(), r, f.id, f.id, d
          FROM facilities AS f,
            unnest(ARRAY['2023-01-01', '-infinity', 'infinity', '4000-01-01 BC', '294000-01-01', NULL]::timestamptz[]) AS r,
            unnest(ARRAY[NULL, '2024-03-02', '-infinity', 'infinity', '294000-01-01']::timestamptz[]) AS d;
          INSERT INTO blood_pressures (patient_id, id, facility_id, systolic, diastolic, heart_rate, recorded_at)
          SELECT p.id, gen_random_uuid(), gen_random_uuid(), v, -v, v, t
          FROM patients AS p,
            unnest(ARRAY[40000, -40000, 2147483647, -2147483647, 0]) AS v,
            unnest(ARRAY['2024-03-05', '2024-02-28', 'infinity', '-infinity', '0016-03-01', NULL]::timestamptz[]) AS t;
          INSERT INTO blood_sugars (patient_id, id, value, type, recorded_at)
          SELECT id, gen_random_uuid(), v, 'random', '2024-03-05'
          FROM patients, unnest(ARRAY['NaN', 'Infinity', '1e-1000', repeat('9', 5000)]::numeric[]) AS v
          """)
      }
      _ = try await Backfilling.everything(store.rollups)
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      for name in ["2024-02", "2024-03", "2024Q1"] { try await closer.close(Period(parsing: name)) }
      #expect(try await findings(store) == [])
      let (pressure, name) = try await database.pool.withConnection {
        try await $0.query(
          """
          SELECT max(s), (SELECT max(length(district)) FROM rollup.published_figures)
          FROM rollup.published_patients, unnest(systolic) AS s
          """
        ).only((Int16, Int).self)
      }
      #expect(pressure == 32767 && name == 200)
    }
  }
}
