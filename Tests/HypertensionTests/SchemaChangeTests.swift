import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Synchronization
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

  private static let span = Partitions.span(fromYear: 2024, throughYear: 2024)

  private static func migrator(_ catalog: Catalog) -> Migrator {
    Migrator(
      catalog, places: "facilities",
      published: ["rollup.published_figures", "rollup.published_patients"])
  }

  /// What the database was before migration 0006: nothing of it is on record, and counts name their periods themselves.
  private static let older = """
    DROP TRIGGER recorded ON rollup.editions;
    DROP FUNCTION rollup.refuse_unrecorded();
    DROP TABLE rollup.edition_parts, rollup.readiness, blood_sugars;
    ALTER TABLE blood_pressures DROP COLUMN heart_rate;
    DELETE FROM rollup.migrations WHERE name = '0006_schema_changes';
    \(countsOfBefore)
    """

  /// Counts named their periods themselves.
  private static let countsOfBefore = """
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
  private func programme(
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

  private static func id(_ kind: UInt8, _ number: Int) -> UUID {
    UUID(
      uuid: (
        kind, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, UInt8(number / 256),
        UInt8(number % 256)
      ))
  }
  private static func facility(_ number: Int) -> UUID { id(1, number) }
  private static func patient(_ number: Int) -> UUID { id(2, number) }

  /// Readings of patients by turns, on days from 10 April 2024 to the end of July.
  private static func insert(_ number: Int, _ path: SourcePath<UUID>, day: Int? = nil) async throws
  {
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
  private func published(_ pool: Pool) async throws -> [String] {
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
  private func closedRows(_ pool: Pool) async throws -> [String] {
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

  private func lateAndLedger(_ pool: Pool) async throws -> [Int] {
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
  private func lateRows(_ pool: Pool) async throws -> Set<String> {
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

  private func findings(_ store: RollupStore) async throws -> [String] {
    var findings: [String] = []
    try await ClosedVerification(store, publishing: CarePublication()).run { finding in
      findings.append("\(finding)")
      return true
    }
    return findings
  }

  private func knownNow(_ store: RollupStore) async throws -> [Drift] {
    var drift: [Drift] = []
    for chunk in try await store.chunks(of: 1000, keyedBy: UUID.self) {
      drift += try await store.verify(chunk, in: .all, asKnownNow: true)
    }
    return drift
  }

  private func mend(_ columns: [Column], of rollup: MostRecent, _ store: RollupStore) async throws
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

  private func execute(_ sql: String, _ pool: Pool) async throws {
    try await pool.withConnection { try await $0.script(sql) }
  }

  private func count(_ sql: String, _ pool: Pool) async throws -> Int {
    try await pool.withConnection { try await $0.query(Query(text: sql)).only(Int.self) }
  }

  // MARK: Adding

  @Test func aColumnAndARollupAreAddedToAClosedProgramme() async throws {
    try await programme { database, old in
      let pool = database.pool
      let (before, rows) = (try await published(pool), try await closedRows(pool))
      _ = try await Migrator.programme.run(pool, partitions: Self.span)
      let store = try await RollupStore(pool, Rollups.catalog)
      #expect(try await Migrator.programme.plan(pool, partitions: Self.span).steps.count == 1)
      #expect(try await published(pool) == before)
      #expect(try await closedRows(pool) == rows)
      #expect(try await findings(store) == [])
      #expect(try await Backfilling.drift(store) == [])

      // The application fills its table, by whatever SQL.
      try await execute(
        """
        UPDATE blood_pressures SET heart_rate = 50 + systolic % 40;
        INSERT INTO blood_sugars (patient_id, id, facility_id, value, type, recorded_at)
        SELECT patient_id, id, facility_id, systolic / 10.0, 'fasting', recorded_at FROM blood_pressures
        """, pool)
      let late = try await lateAndLedger(pool)
      let unfilled = try await store.readiness().filter { !$0.isFilled }.map(\.item)
      #expect(unfilled == [ReadinessItem("blood-pressure", .column, "heart_rate")])
      let drift = try await Backfilling.drift(store)
      #expect(drift.contains { $0.rollup == "blood-pressure" && $0.kind == .wrongValue })
      #expect(drift.contains { $0.rollup == "blood-sugar" && $0.kind == .missing })
      #expect(try await knownNow(store) == [], "a column that an edition does not have is no drift")

      let filled = try await mend(
        [Tables.BloodPressures.heartRate], of: Rollups.bloodPressure, store)
      #expect(filled > 0)
      #expect(
        try await mend([Tables.BloodPressures.heartRate], of: Rollups.bloodPressure, store) == 0)
      #expect(try await Backfilling.drift(store).allSatisfy { $0.rollup == "blood-sugar" })
      try await Backfilling.everything(store)
      #expect(try await Backfilling.drift(store) == [])
      #expect(try await lateAndLedger(pool) == late, "nothing of it is late, or in the ledger")
      #expect(try await closedRows(pool) == rows)
      #expect(try await published(pool) == before)
      #expect(try await findings(store) == [])
      // Blood sugar is in no edition: its rows of closed periods are there to be read.
      let sugars =
        "SELECT count(*) FROM rollup.blood_sugar_rollups WHERE period_type = 'Q' AND period_start = '2024-04-01'"
      #expect(try await count(sugars, pool) == 20)

      try await theWritePathKeepsToTheEditions(store, pool)

      let closer = Closer(store, publishing: CarePublication(), author: "a test")
      try await closer.restate(
        Period(parsing: "2024Q2"), reason: "with heart rates and blood sugars")
      #expect(try await findings(store) == [])
      #expect(try await knownNow(store) == [])
      #expect(try await Backfilling.drift(store) == [])
      let without = """
        SELECT count(*) FROM rollup.blood_pressure_rollups AS r JOIN blood_pressures AS b
          ON (b.patient_id, b.id) = (r.patient_id, r.blood_pressure_id)
        WHERE r.period_type = 'Q' AND r.period_start = '2024-04-01' AND r.heart_rate IS DISTINCT FROM b.heart_rate
        """
      #expect(try await count(without, pool) == 0, "the restatement has taken the column in")
      // And blood sugar is closed now.
      await #expect(throws: PostgresError.self) {
        try await execute(
          "UPDATE rollup.blood_sugar_rollups SET value = 1 WHERE period_type = 'Q' AND period_start = '2024-04-01'",
          pool)
      }
      #expect(Set(try await published(pool)).isSuperset(of: before))
    }
  }

  /// A reading that differs in its heart rate only is, for the closed quarter, the same reading.
  private func theWritePathKeepsToTheEditions(_ store: RollupStore, _ pool: Pool) async throws {
    let entries = try await lateAndLedger(pool)[2]
    let domain = try await Store(pool)
    let closed = try await pool.withConnection {
      try await $0.query(
        """
        SELECT b.id, b.patient_id, b.facility_id, b.systolic, b.diastolic, b.recorded_at
        FROM blood_pressures AS b JOIN rollup.blood_pressure_rollups AS r ON r.blood_pressure_id = b.id
        WHERE r.period_type = 'M' AND r.period_start = '2024-05-01' LIMIT 2
        """)
    }
    var readings = try closed.map { row in
      Reading(
        id: try row.decode(0, as: UUID.self), patientID: try row.decode(1, as: UUID.self),
        facilityID: try row.decode(2, as: UUID?.self), systolic: try row.decode(3, as: Int.self),
        diastolic: try row.decode(4, as: Int.self), heartRate: 99,
        recordedAt: try row.decode(5, as: Date?.self))
    }
    let late = try await lateRows(pool)
    #expect(try await domain.record(readings[0]) == .changed)
    #expect(try await domain.record([readings[1]]).changed == 1)
    #expect(try await lateAndLedger(pool)[2] == entries, "no entry in the ledger")
    #expect(try await lateRows(pool).subtracting(late) == [], "and no late row")
    #expect(try await knownNow(store) == [])
    let taken =
      "SELECT count(*) FROM rollup.blood_pressure_rollups_late WHERE heart_rate IS NOT NULL"
    #expect(try await count(taken, pool) == 0)
    // In one batch a change of the heart rate, and one that closed periods know.
    readings[0].heartRate = 98
    readings[1].diastolic += 1
    #expect(try await domain.record(readings).changed == 2)
    #expect(try await lateAndLedger(pool)[2] == entries + 2, "of the second, month and quarter")
    #expect(
      try await lateRows(pool).subtracting(late).allSatisfy {
        $0.contains("\(readings[1].patientID)".lowercased())
      })
    readings[0].systolic += 1
    try await domain.record(readings[0])
    #expect(try await lateAndLedger(pool)[2] == entries + 4, "one for each, month and quarter")
    readings[0].systolic -= 1
    try await domain.record(readings[0])
    let same = try await lateRows(pool).subtracting(late)
    #expect(
      same.allSatisfy { !$0.contains("\(readings[0].patientID)".lowercased()) },
      "put right again it is as it was published")
    readings[0].systolic += 1
    try await domain.record(readings[0])
    let again = entries + 8
    try await domain.record(
      BloodSugar(
        patientID: Self.patient(1), facilityID: nil, value: 7.5, kind: .hba1c,
        recordedAt: Date(timeIntervalSince1970: 1_717_100_000)))
    #expect(try await lateAndLedger(pool)[2] == again, "the quarter is open for blood sugar")
    #expect(try await knownNow(store) == [])
    #expect(try await Backfilling.drift(store) == [])
    #expect(try await findings(store) == [])
  }

  /// What migration 0006 puts on record of older editions is what their closing would have.
  @Test func olderEditionsAreGivenTheColumnsOfTheirTime() async throws {
    func parts(_ pool: Pool) async throws -> [String] {
      try await pool.withConnection { connection in
        try await connection.query("SELECT p::text FROM rollup.edition_parts AS p ORDER BY 1").map {
          try $0.decode(String.self)
        }
      }
    }
    try await programme(isOlder: false) { database, _ in
      let pool = database.pool
      let recorded = try await parts(pool)
      #expect(recorded.count == 3 * 6)
      try await execute(Self.older, pool)
      _ = try await Migrator.programme.run(pool, partitions: Self.span)
      #expect(try await parts(pool) == recorded)
    }
  }

  @Test func aPlanSaysEverythingAndDoesNothing() async throws {
    try await programme { database, _ in
      let pool = database.pool
      let state = """
        SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM (
          SELECT c.relname, a.attname, a.attnotnull, c.relowner, c.relacl::text FROM pg_class AS c
          LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid
          WHERE c.relnamespace IN ('rollup'::regnamespace, 'public'::regnamespace)
        ) AS t
        """
      func fingerprint() async throws -> String {
        try await pool.withConnection { try await $0.query(Query(text: state)).only(String.self) }
      }
      let before = try await fingerprint()
      let plan = try await Migrator.programme.plan(pool, partitions: Self.span)
      #expect(try await fingerprint() == before)
      for line in [
        "-- Migrations/0006_schema_changes.sql", "ADD COLUMN heart_rate integer",
        "ALTER TABLE rollup.blood_pressure_rollups ADD COLUMN heart_rate integer;",
        "ALTER TABLE rollup.blood_pressure_rollups_late ADD COLUMN heart_rate integer;",
        "LOCK TABLE rollup.blood_pressure_rollups, rollup.blood_pressure_rollups_late IN ACCESS EXCLUSIVE MODE;",
        "SET LOCAL lock_timeout = '300ms';",
        "CREATE TABLE IF NOT EXISTS rollup.blood_sugar_rollups (",
        "ALTER COLUMN year DROP NOT NULL",
        "CREATE TABLE rollup.blood_sugar_rollups_months_2024_06",
      ] { #expect(plan.description.contains(line), "\(line)") }

      // Run by psql, it is what the migration does; rights are given every time.
      let file = NSTemporaryDirectory() + "/plan-\(UUID().uuidString).sql"
      // A file's checksum is a parameter; what it stands for is said beside it.
      try plan.description
        .replacing("VALUES ($1, sha256(convert_to($2, 'UTF8')))", with: "VALUES ('x', '')")
        .write(toFile: file, atomically: true, encoding: .utf8)
      let outcome = await run(
        ["/bin/sh", "-c", "psql -XAtq -v ON_ERROR_STOP=1 -f \(file) '\(database.url)'"])
      #expect(outcome.status == 0, "\(outcome.error)")
      try await execute("DELETE FROM rollup.migrations WHERE name = 'x'", pool)
      let mine = Migrator.programme.migrations.last { $0.name.hasPrefix("0006") }
      try await pool.withConnection { connection in
        try await connection.execute(
          """
          INSERT INTO rollup.migrations (name, checksum)
          VALUES (\(mine?.name ?? ""), sha256(convert_to(\(mine?.sql ?? ""), 'UTF8')))
          """)
      }
      let rest = try await Migrator.programme.plan(pool, partitions: Self.span)
      #expect(rest.steps.map(\.name) == ["give the roles their rights, as every time"])
    }
  }

  // MARK: Beside others

  /// Writers of the program of before go on, and a report that takes its time is waited for; nobody waits for long.
  @Test func writersGoOnWhileALongReaderIsWaitedFor() async throws {
    try await programme(isOlder: false) { database, old in
      let pool = database.pool
      let path = SourcePath<UUID>(Before.readings, in: old)
      let isOver = Flag()
      let reader = try await database.connect()
      let holds = Flag()
      try await withThrowingTaskGroup(of: Duration.self) { group in
        group.addTask {
          try await reader.transaction { tx in
            _ = try await tx.query("SELECT count(*) FROM rollup.blood_pressure_rollups")
            holds.set()
            try await Task.sleep(for: .seconds(6))
          }
          return .zero
        }
        for writer in 0..<4 {
          group.addTask {
            var number = 1000 + writer
            while !isOver.isSet {
              try await Self.insert(number, path)
              number += 4
            }
            #expect(number > 1020 + writer, "it has written \((number - 1000) / 4)")
            return .zero
          }
        }
        // The server knows since when somebody waits for a lock, however busy the machine.
        let watcher = try await database.connect()
        group.addTask {
          var longest = 0.0
          while !isOver.isSet {
            let waited = try await watcher.query(
              """
              SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0)::double precision
              FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
              WHERE NOT l.granted AND l.locktype = 'relation' AND a.datname = current_database()
              """
            ).only(Double.self)
            longest = max(longest, waited)
            try await Task.sleep(for: .milliseconds(20))
          }
          await watcher.close()
          return .seconds(longest)
        }
        while !holds.isSet { try await Task.sleep(for: .milliseconds(10)) }
        let began = ContinuousClock.now
        _ = try await Migrator.programme.run(pool, partitions: Self.span)
        #expect(.now - began > .seconds(1.5), "the reader was in the way")
        isOver.set()
        var longest = Duration.zero
        for try await duration in group { longest = max(longest, duration) }
        #expect(longest < .seconds(3), "somebody waited for \(longest)")
      }
      await reader.close()
      let store = try await RollupStore(pool, Rollups.catalog)
      #expect(try await Backfilling.drift(store) == [])
      #expect(try await findings(store) == [])
    }
  }

  /// What is in the way of a numbered migration.
  enum InTheWay: String, CaseIterable, Sendable {
    case reader = "SELECT count(*) FROM blood_pressures"
    case writer = "UPDATE blood_pressures SET updated_at = now() WHERE systolic = 110"
  }

  /// The numbered files lock the application's own tables (0006 adds a column to one). A database of the first five files, with
  /// writers at work and a transaction that takes its time, is brought to today's: nobody waits for long, and everything that
  /// was written is there.
  @Test(arguments: InTheWay.allCases)
  func writersGoOnWhileNumberedMigrationsAreApplied(inTheWay: InTheWay) async throws {
    try await withDatabase { url in
      let pool = Pool(ConnectionSettings(conninfo: url), size: 12, acquireTimeout: .seconds(60))
      let old = try await Self.programmeOfFiveFiles(pool)
      let columns = "SELECT count(*) FROM pg_attribute WHERE attname = 'heart_rate'"
      #expect(try await count(columns, pool) == 0)
      let path = SourcePath<UUID>(Before.readings, in: old)
      for number in 0..<40 { try await Self.insert(number, path) }
      let (isOver, holds, isApplied) = (Flag(), Flag(), Flag())
      let written = Count(40)
      try await withThrowingTaskGroup(of: Duration.self) { group in
        group.addTask {
          try await pool.transaction(.readCommitted) { tx in
            _ = try await tx.query(Query(text: inTheWay.rawValue))
            holds.set()
            try await Task.sleep(for: .seconds(2.5))
            #expect(!isApplied.isSet, "it must wait for the transaction")
          }
          return .zero
        }
        for writer in 0..<4 {
          group.addTask {
            var (longest, number) = (Duration.zero, 1000 + writer)
            while !isOver.isSet {
              let began = ContinuousClock.now
              if writer == 0 {
                // By whatever SQL the application has.
                try await pool.withConnection {
                  _ = try await $0.execute(
                    "UPDATE blood_pressures SET deleted_at = NULL WHERE id = \(Self.id(3, 5))")
                }
              } else {
                try await Self.insert(number, path)
                written.increment()
              }
              longest = max(longest, .now - began)
              number += 4
            }
            return longest
          }
        }
        while !holds.isSet { try await Task.sleep(for: .milliseconds(10)) }
        let outcome = try await Migrator.programme.run(pool, partitions: Self.span) { step in
          if step == "apply 0006_schema_changes" { isApplied.set() }
        }
        #expect(outcome.applied.first == "0006_schema_changes")
        isOver.set()
        var longest = Duration.zero
        for try await duration in group { longest = max(longest, duration) }
        #expect(longest < .seconds(1.5), "a writer waited for \(longest)")
      }
      #expect(isApplied.isSet)
      #expect(
        try await count("SELECT count(*) FROM blood_pressures", pool) == written.value)
      #expect(written.value > 200)
      let store = try await RollupStore(pool, Rollups.catalog)
      // The patients were entered by hand, and are in no register yet.
      let drift = try await Backfilling.drift(store)
      #expect(drift.allSatisfy { ["registrations", "patients"].contains($0.rollup) }, "\(drift)")
      #expect(try await Migrator.programme.plan(pool, partitions: Self.span).steps.count == 1)
      await pool.close()
    }
  }

  /// As it was before 0006: five files, the declarations and the form of counts of then, and twenty patients.
  private static func programmeOfFiveFiles(_ pool: Pool) async throws -> RollupStore {
    let files = Migrator.programme.migrations.filter { $0.name < "0006" }
    let migrator = Migrator(
      Before.catalog, places: "facilities",
      published: ["rollup.published_figures", "rollup.published_patients"], migrations: files)
    let plan = try await migrator.plan(pool, timeZone: "Asia/Kolkata", partitions: span)
    // Readiness is on record since 0006, and rights are of today's tables.
    let later = ["note what is not filled yet", "give the roles their rights, as every time"]
    for step in plan.steps where !later.contains(step.name) {
      try await pool.withConnection { try await step.run(on: $0) }
    }
    try await pool.withConnection { try await $0.script(countsOfBefore) }
    try await pool.withConnection { connection in
      try await connection.execute(
        """
        INSERT INTO patients (id, registered_at, registration_facility_id, assigned_facility_id)
        SELECT p, '2023-11-15', f, f
        FROM unnest(\((1...20).map(patient))) AS p, (SELECT \(facility(1))::uuid AS f) AS f
        """)
    }
    return try await RollupStore(pool, Before.catalog)
  }

  /// A migration that is killed after any of its steps is gone on with, and ends where one does that is not.
  @Test func aKilledMigrationIsGoneOnWith() async throws {
    let shape = """
      SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM (
        SELECT c.relname, c.relkind, a.attname, a.attnotnull, format_type(a.atttypid, a.atttypmod), i.indisvalid
        FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
        WHERE c.relnamespace IN ('rollup'::regnamespace, 'public'::regnamespace)
      ) AS t
      """
    let migrator = Migrator.programme
    try await programme { database, _ in
      // Indexes that are declared and not there, so that there are steps outside of transactions.
      let pool = database.pool
      try await execute(Self.withoutIndexes, pool)
      var steps = 0
      while true {
        let plan = try await migrator.plan(pool, partitions: Self.span)
        guard plan.steps.count > 1, let step = plan.steps.first else { break }
        if step.name.hasPrefix("index registration_rollups_months_2024_03") {
          // Killed in the middle, it leaves an index that is not valid.
          try await pool.withConnection { try await step.run(on: $0) }
          try await execute(
            """
            UPDATE pg_index SET indisvalid = false
            WHERE indexrelid = 'rollup.registration_rollups_months_2024_03_by_registration_facility_id'::regclass
            """, pool)
          let next = try await migrator.plan(pool, partitions: Self.span).steps[0]
          #expect(
            next.name == "drop registration_rollups_months_2024_03_by_registration_facility_id")
          try await pool.withConnection { try await next.run(on: $0) }
          let again = try await migrator.plan(pool, partitions: Self.span).steps[0]
          #expect(again.name == step.name)
        }
        try await pool.withConnection { try await step.run(on: $0) }
        steps += 1
        try #require(steps < 500)
      }
      #expect(steps > 40)
      let killed = try await pool.withConnection {
        try await $0.query(Query(text: shape)).only(String.self)
      }
      try await programme { other, _ in
        try await execute(Self.withoutIndexes, other.pool)
        _ = try await migrator.run(other.pool, partitions: Self.span)
        let whole = try await other.pool.withConnection {
          try await $0.query(Query(text: shape)).only(String.self)
        }
        #expect(killed == whole)
        let store = try await RollupStore(other.pool, Rollups.catalog)
        #expect(try await findings(store) == [])
        #expect(try await Backfilling.drift(store) == [])
      }
    }
  }

  private static let withoutIndexes =
    "DROP INDEX rollup.registration_rollups_by_group, rollup.visit_rollups_late_by_period"

  // MARK: Renaming and removing

  @Test func aColumnIsRenamedAndDigestsHold() async throws {
    try await programme { database, _ in
      let pool = database.pool
      let before = try await published(pool)
      let renamed = MostRecent(
        "blood-pressure", table: Rollups.bloodPressure.table, per: Tables.Patients.subject,
        id: Rollups.bloodPressure.id, time: "recorded_at",
        keeping: [
          Column("systolic_mmhg", .integer, formerly: "systolic"), Tables.BloodPressures.diastolic,
          Column("blood_pressure_facility_id", .uuid),
        ], from: Before.bloodPressure.inputs, selectedBy: Tables.Patients.assignedFacilityID)
      let catalog = Catalog(
        subject: Tables.Patients.subject, mostRecent: [renamed, Before.visits],
        counts: Rollups.catalog.counts, registers: Rollups.catalog.registers)
      let migrator = Self.migrator(catalog)
      _ = try await migrator.run(pool, partitions: Self.span)
      #expect(try await migrator.plan(pool, partitions: Self.span).steps.count == 1)
      let store = try await RollupStore(pool, catalog)
      #expect(try await published(pool) == before)
      #expect(try await findings(store) == [])
      #expect(try await knownNow(store) == [])
      try await Backfilling.everything(store)
      #expect(try await Backfilling.drift(store) == [])
      let path = SourcePath<UUID>(Before.readings, in: store)
      for number in 90..<120 { try await Self.insert(number, path) }
      #expect(try await Backfilling.drift(store) == [])
      #expect(try await knownNow(store) == [])
      #expect(try await findings(store) == [])
      // And what it was called before is not there any more.
      let left = """
        SELECT count(*) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relname LIKE 'blood_pressure_rollups%' AND a.attname = 'systolic'
        """
      #expect(try await count(left, pool) == 0)
    }
  }

  @Test func aColumnThatEditionsHaveStaysUntilNoneDoes() async throws {
    try await programme { database, _ in
      let pool = database.pool
      let before = try await published(pool)
      let without = MostRecent(
        "blood-pressure", table: Rollups.bloodPressure.table, per: Tables.Patients.subject,
        id: Rollups.bloodPressure.id, time: "recorded_at",
        keeping: [Tables.BloodPressures.systolic, Tables.BloodPressures.diastolic],
        from: [
          .init(
            Before.readings, [Tables.BloodPressures.systolic, Tables.BloodPressures.diastolic])
        ], selectedBy: Tables.Patients.assignedFacilityID)
      let catalog = Catalog(
        subject: Tables.Patients.subject, mostRecent: [without, Before.visits],
        counts: Rollups.catalog.counts, registers: Rollups.catalog.registers)
      let migrator = Self.migrator(catalog)
      let outcome = try await migrator.run(pool, partitions: Self.span, dropping: true)
      #expect(
        outcome.remarks.contains {
          $0.contains("blood_pressure_facility_id") && $0.contains("stays")
        },
        "\(outcome.remarks)")
      let store = try await RollupStore(pool, catalog)
      #expect(try await published(pool) == before)
      #expect(try await findings(store) == [])
      let path = SourcePath<UUID>(Before.readings, in: store)
      for number in 90..<120 { try await Self.insert(number, path) }
      #expect(try await knownNow(store) == [])
      #expect(try await Backfilling.drift(store) == [])
      let closer = Closer(store, publishing: CarePublication(), author: "a test")
      try await closer.restate(Period(parsing: "2024Q2"), reason: "late phones")
      #expect(try await findings(store) == [], "edition 1 has the column, edition 2 has not")
      #expect(try await knownNow(store) == [])
    }
  }

  @Test func aColumnThatNoEditionHasIsDropped() async throws {
    try await TestDatabase.migrated(size: 4) { database, _ in
      let pool = database.pool
      let catalog = Catalog(
        subject: Tables.Patients.subject,
        mostRecent: [Before.bloodPressure, Rollups.visits, Rollups.bloodSugar],
        counts: Rollups.catalog.counts, registers: Rollups.catalog.registers)
      let migrator = Self.migrator(catalog)
      let kept = try await migrator.run(pool, partitions: Self.span)
      #expect(kept.remarks.contains { $0.contains("heart_rate") && $0.contains("--drop") })
      // The program of before heart rate writes, while its column is there and after.
      let store = try await RollupStore(pool, catalog)
      let path = SourcePath<UUID>(Before.readings, in: store)
      for number in 0..<10 { try await Self.insert(number, path) }
      let dropped = try await migrator.run(pool, partitions: Self.span, dropping: true)
      #expect(dropped.remarks == [])
      for number in 10..<20 { try await Self.insert(number, path) }
      #expect(try await Backfilling.drift(store) == [])
      #expect(try await migrator.plan(pool, partitions: Self.span, dropping: true).steps.count == 1)
    }
  }

  @Test func aRollupThatEditionsRestOnStaysAndOneWithoutIsDropped() async throws {
    try await programme { database, _ in
      let pool = database.pool
      _ = try await Migrator.programme.run(pool, partitions: Self.span)
      let catalog = Catalog(
        subject: Tables.Patients.subject, mostRecent: [Rollups.bloodPressure],
        counts: Rollups.catalog.counts, registers: Rollups.catalog.registers)
      let migrator = Self.migrator(catalog)
      let plan = try await migrator.plan(pool, partitions: Self.span)
      #expect(plan.steps.count == 1 && plan.remarks.count == 3, "\(plan.remarks)")
      let outcome = try await migrator.run(pool, partitions: Self.span, dropping: true)
      #expect(outcome.remarks.count == 1 && outcome.remarks[0].contains("rollup.visit_rollups"))
      #expect(
        try await count(
          "SELECT count(*) FROM pg_class WHERE relname LIKE 'blood_sugar_rollups%'", pool)
          == 0)
      let store = try await RollupStore(pool, catalog)
      #expect(try await findings(store) == [], "the visits of editions can still be verified")
      let names = try await store.readiness().map(\.item.rollup)
      #expect(!names.contains("blood-sugar"))
    }
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

/// Something that has happened.
private final class Flag: Sendable {
  private let value = Mutex(false)
  var isSet: Bool { value.withLock { $0 } }
  func set() { value.withLock { $0 = true } }
}

/// How often something has happened.
private final class Count: Sendable {
  private let count: Mutex<Int>
  init(_ start: Int) { count = Mutex(start) }
  var value: Int { count.withLock { $0 } }
  func increment() { count.withLock { $0 += 1 } }
}
