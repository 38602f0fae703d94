import Foundation
import Hypertension
import PeriodRollups
import Postgres
import TestSupport
import Testing

@testable import RollupStore

/// A programme whose declarations change: heart rate beside the reading, blood sugar as a rollup of its own, with closed and
/// restated periods of before.
@Suite struct SchemaChangeTests {
  // MARK: The programme of before

  /// The declarations before heart rate and blood sugar.
  enum Before {
    static let readings = Source(
      "blood pressure", code: "B", table: "blood_pressures", subject: Column("patient_id", .uuid),
      id: Column("id", .uuid), time: Tables.BloodPressures.recordedAt,
      values: [
        Tables.BloodPressures.facilityID, Tables.BloodPressures.systolic,
        Tables.BloodPressures.diastolic, Tables.BloodPressures.deletedAt,
      ], exists: .isNull(Tables.BloodPressures.deletedAt))

    static let bloodPressure = MostRecent(
      "blood-pressure", table: Rollups.bloodPressure.table, per: Tables.Patients.subject,
      id: Rollups.bloodPressure.id, time: "recorded_at",
      keeping: [
        Tables.BloodPressures.systolic, Tables.BloodPressures.diastolic,
        Column("blood_pressure_facility_id", .uuid),
      ],
      from: [
        .init(
          readings,
          [
            Tables.BloodPressures.systolic, Tables.BloodPressures.diastolic,
            Tables.BloodPressures.facilityID,
          ])
      ], selectedBy: Tables.Patients.assignedFacilityID)

    static let visits = MostRecent(
      "visits", table: Rollups.visits.table, per: Tables.Patients.subject, id: Rollups.visits.id,
      time: "visited_at", keeping: [Column("visit_facility_id", .uuid)],
      from: [
        .init(readings, [Tables.BloodPressures.facilityID]),
        .init(Tables.Visits.source, [Tables.Visits.facilityID]),
      ], selectedBy: Tables.Patients.assignedFacilityID)

    static let catalog = Catalog(
      subject: Tables.Patients.subject, mostRecent: [bloodPressure, visits],
      counts: Rollups.catalog.counts, registers: Rollups.catalog.registers)
  }

  static let span = Partitions.span(fromYear: 2024, throughYear: 2024)

  static func migrator(_ catalog: Catalog) -> Migrator {
    Migrator(
      catalog, places: "facilities",
      published: ["rollup.published_figures", "rollup.published_patients"])
  }

  /// What the database was before migration 0006: nothing of it is on record, and counts name their periods themselves.
  static let older = """
    DROP TRIGGER recorded ON rollup.editions;
    DROP FUNCTION rollup.refuse_unrecorded();
    DROP TABLE rollup.edition_parts, rollup.readiness, blood_sugars;
    ALTER TABLE blood_pressures DROP COLUMN heart_rate;
    DELETE FROM rollup.migrations WHERE name IN ('0006_schema_changes', '0016_guards');
    \(countsOfBefore)
    """

  /// Counts named their periods themselves.
  static let countsOfBefore = """
    ALTER TABLE rollup.registration_rollups
      ADD COLUMN year integer NOT NULL GENERATED ALWAYS AS (extract(year FROM period_start)::integer) STORED,
      ADD COLUMN period_name text NOT NULL GENERATED ALWAYS AS (
        lpad(extract(year FROM period_start)::text, 4, '0') || CASE period_type
          WHEN 'M' THEN '-' || lpad(extract(month FROM period_start)::text, 2, '0')
          WHEN 'Q' THEN 'Q' || extract(quarter FROM period_start)::text
        END) STORED;
    """

  /// Two facilities, twenty patients with readings from April to July 2024; May and its quarter are closed, May restated; July
  /// is open.
  func programme(
    isOlder: Bool = true, _ body: (TestDatabase, RollupStore) async throws -> Void
  ) async throws {
    try await withDatabase { url in
      let pool = Pool(
        ConnectionSettings(conninfo: url, options: ["TimeZone": "America/Caracas"]), size: 12,
        acquireTimeout: .seconds(60))
      let migrator = Self.migrator(Before.catalog)
      _ = try await migrator.run(pool, timeZone: "Asia/Kolkata", partitions: Self.span)
      let store = try await RollupStore(pool, Before.catalog)
      for number in 1...2 {
        try await pool.withConnection {
          try await $0.execute(
            """
            INSERT INTO facilities (id, name, state, district)
            VALUES (\(Self.facility(number)), \("PHC \(number)"), 'Punjab', 'Bathinda')
            """)
        }
      }
      try await store.transaction { tx in
        for number in 1...20 {
          let patient: Values = [
            "id": Bind(Self.patient(number)),
            "registered_at": Bind(Date(timeIntervalSince1970: 1_700_000_000)),
            "registration_facility_id": Bind(Self.facility(number % 2 + 1)),
            "assigned_facility_id": Bind(Self.facility(number % 2 + 1)),
            "hypertensive": Bind(true), "died_at": Bind(Date?.none),
            "deleted_at": Bind(Date?.none),
          ]
          _ = try await SubjectPath<UUID>(in: store).insert(
            Self.patient(number), patient, in: tx)
        }
      }
      let path = SourcePath<UUID>(Before.readings, in: store)
      for number in 0..<80 { try await Self.insert(number, path) }
      let closer = Closer(store, publishing: CarePublication(), author: "a test")
      try await closer.close(Period(parsing: "2024-05"))
      try await closer.close(Period(parsing: "2024Q2"))
      for number in 80..<90 { try await Self.insert(number, path, day: 40) }
      try await closer.restate(Period(parsing: "2024-05"), reason: "late phones")
      if isOlder { try await pool.withConnection { try await $0.script(Self.older) } }
      try await body(TestDatabase(url: url, pool: pool), store)
      await pool.close()
    }
  }

  static func id(_ kind: UInt8, _ number: Int) -> UUID {
    UUID(
      uuid: (
        kind, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, UInt8(number / 256),
        UInt8(number % 256)
      ))
  }
  static func facility(_ number: Int) -> UUID { id(1, number) }
  static func patient(_ number: Int) -> UUID { id(2, number) }

  /// Readings of patients by turns, on days from 10 April 2024 to the end of July.
  static func insert(_ number: Int, _ path: SourcePath<UUID>, day: Int? = nil) async throws {
    let subject = patient(number % 20 + 1)
    let at = 1_712_700_000.0 + Double(day ?? number * 7 % 110) * 86_400 + Double(number) * 60
    _ = try await path.insert(
      id(3, number), of: subject,
      [
        "id": Bind(id(3, number)), "patient_id": Bind(subject),
        "facility_id": Bind(facility(number % 2 + 1)), "systolic": Bind(Int32(110 + number)),
        "diastolic": Bind(Int32(80)), "recorded_at": Bind(Date(timeIntervalSince1970: at)),
        "deleted_at": Bind(Date?.none),
      ])
  }

  // MARK: What is compared

  /// Everything that was published or rests on it, but for the new record of what digests are over.
  func published(_ pool: Pool) async throws -> [String] {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT 'edition ' || e FROM rollup.editions AS e
        UNION ALL SELECT 'leaf ' || l FROM rollup.edition_leaves AS l
        UNION ALL SELECT 'region ' || g FROM rollup.edition_regions AS g
        UNION ALL SELECT 'figure ' || f FROM rollup.published_figures AS f
        UNION ALL SELECT 'patients ' || p FROM rollup.published_patients AS p
        ORDER BY 1
        """
      ).map { try $0.decode(String.self) }
    }
  }

  /// The rows of closed periods, without columns that came later.
  func closedRows(_ pool: Pool) async throws -> [String] {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT (to_jsonb(r) - 'heart_rate')::text FROM rollup.blood_pressure_rollups AS r
        WHERE (period_type, period_start) IN (('M', '2024-05-01'), ('Q', '2024-04-01'))
        UNION ALL SELECT to_jsonb(r)::text FROM rollup.visit_rollups AS r
        WHERE (period_type, period_start) IN (('M', '2024-05-01'), ('Q', '2024-04-01'))
        ORDER BY 1
        """
      ).map { try $0.decode(String.self) }
    }
  }

  func lateAndLedger(_ pool: Pool) async throws -> [Int] {
    let (readings, visits, entries) = try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT (SELECT count(*) FROM rollup.blood_pressure_rollups_late),
          (SELECT count(*) FROM rollup.visit_rollups_late), (SELECT count(*) FROM rollup.late_arrivals)
        """
      ).only((Int, Int, Int).self)
    }
    return [readings, visits, entries]
  }

  /// Of blood pressures and visits, as text.
  func lateRows(_ pool: Pool) async throws -> Set<String> {
    try await pool.withConnection { connection in
      Set(
        try await connection.query(
          """
          SELECT 'reading ' || l::text FROM rollup.blood_pressure_rollups_late AS l
          UNION ALL SELECT 'visit ' || l::text FROM rollup.visit_rollups_late AS l
          """
        ).map { try $0.decode(String.self) })
    }
  }

  func findings(_ store: RollupStore) async throws -> [String] {
    var findings: [String] = []
    try await ClosedVerification(store, publishing: CarePublication()).run { finding in
      findings.append("\(finding)")
      return true
    }
    return findings
  }

  func knownNow(_ store: RollupStore) async throws -> [Drift] {
    var drift: [Drift] = []
    for chunk in try await store.chunks(of: 1000, keyedBy: UUID.self) {
      drift += try await store.verify(chunk, in: .all, asKnownNow: true)
    }
    return drift
  }

  func mend(_ columns: [Column], of rollup: MostRecent, _ store: RollupStore) async throws
    -> Int
  {
    var written = 0
    for chunk in try await store.chunks(of: 7, keyedBy: UUID.self) {
      written += try await store.transaction { tx in
        try await store.mend(columns, of: rollup, chunk, in: .all, in: tx).written
      }
    }
    return written
  }

  func execute(_ sql: String, _ pool: Pool) async throws {
    try await pool.withConnection { try await $0.script(sql) }
  }

  func count(_ sql: String, _ pool: Pool) async throws -> Int {
    try await pool.withConnection { try await $0.query(Query(text: sql)).only(Int.self) }
  }

  // MARK: What is not done

  @Test func whatCannotBeAddedOrChangedIsRefused() async throws {
    try await TestDatabase.migrated(size: 2) { database, _ in
      func plan(_ rollup: MostRecent) async throws {
        let catalog = Catalog(
          subject: Tables.Patients.subject, mostRecent: [rollup, Rollups.visits],
          counts: Rollups.catalog.counts, registers: Rollups.catalog.registers)
        _ = try await Self.migrator(catalog).plan(database.pool, partitions: Self.span)
      }
      let source = Source(
        "blood pressure", code: "B", table: "blood_pressures",
        subject: Column("patient_id", .uuid), id: Column("id", .uuid),
        time: Tables.BloodPressures.recordedAt, values: [Column("systolic", .numeric)])
      let retyped = await #expect(throws: SchemaPlan.Refusal.self) {
        try await plan(
          MostRecent(
            "blood-pressure", table: Rollups.bloodPressure.table, per: Tables.Patients.subject,
            id: Rollups.bloodPressure.id, time: "recorded_at",
            keeping: [Column("systolic", .numeric)],
            from: [.init(source, [Column("systolic", .numeric)])]))
      }
      #expect(
        retyped?.description.contains("declare a new column beside it, such as systolic_numeric")
          == true)
      let twoSources = await #expect(throws: SchemaPlan.Refusal.self) {
        try await plan(
          MostRecent(
            "blood-pressure", table: Rollups.bloodPressure.table, per: Tables.Patients.subject,
            id: Rollups.bloodPressure.id, time: "recorded_at", keeping: [],
            from: [.init(Before.readings, []), .init(Tables.Visits.source, [])]))
      }
      #expect(twoSources?.description.contains("declare a new rollup") == true)
    }
  }

  /// The program that is older than the database writes, but may not close.
  @Test func aProgramOfBeforeMayNotClose() async throws {
    try await programme { database, old in
      _ = try await Migrator.programme.run(database.pool, partitions: Self.span)
      let error = await #expect(throws: PostgresError.self) {
        try await execute(
          """
          INSERT INTO rollup.editions VALUES ('M', '2024-04-01', 1, 4, '2024-04', 'UTC', 1, now(), 'x', NULL, NULL, '')
          """, database.pool)
      }
      #expect(error?.sqlState == .olderProgram)
    }
  }
}
