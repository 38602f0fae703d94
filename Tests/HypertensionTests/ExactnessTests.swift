import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// Promise P2: after any history of concurrent operations the rollups equal the plain query over the sources.
///
/// `ROLLUP_SEEDS=100` runs more histories, `ROLLUP_SEED=7` one of them again.
@Suite(.serialized) struct ExactnessTests {
  static let seeds = TestSupport.seeds(4)

  @Test(arguments: seeds)
  func concurrentHistoriesEndExact(seed: UInt64) async throws {
    try await TestDatabase.migrated { database, store in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<8 {
          group.addTask {
            var history = RandomHistory(store, seed: seed &* 1000 &+ UInt64(writer))
            for _ in 0..<50 { try await history.step() }
          }
        }
        // A backfill all the while, over everything and in small chunks.
        group.addTask {
          for _ in 0..<8 {
            try await Backfilling.everything(store.rollups)
            try await Task.sleep(for: .milliseconds(20))
          }
        }
        try await group.waitForAll()
      }
      let drift = try await Backfilling.drift(store.rollups)
      #expect(drift.isEmpty, "seed \(seed): \(drift.prefix(5))")
      try await PlainQuery.compare(database.pool, timeZone: "Asia/Kolkata", seed: seed)
    }
  }

  @Test(arguments: seeds.few)
  func aLoneHistoryIsExactAfterEveryStep(seed: UInt64) async throws {
    try await TestDatabase.migrated(timeZone: "America/St_Johns", size: 2) { database, store in
      var history = RandomHistory(store, seed: seed, patients: 3, rows: 4)
      for step in 0..<80 {
        try await history.step()
        let drift = try await Backfilling.drift(store.rollups)
        #expect(drift.isEmpty, "seed \(seed), step \(step): \(drift.prefix(3))")
        if !drift.isEmpty { return }
      }
    }
  }

  @Test func aBackfillMendsRollupsCorruptedInEveryWay() async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      var history = RandomHistory(store, seed: 99, patients: 8, rows: 40)
      for _ in 0..<300 { try await history.step() }
      try await database.pool.withConnection { connection in
        try await connection.script(
          """
          -- missing, wrong value, stale, orphan, wrong period
          DELETE FROM rollup.blood_pressure_rollups WHERE period_type = 'M' AND systolic % 3 = 0;
          UPDATE rollup.blood_pressure_rollups SET systolic = 1 WHERE systolic % 3 = 1;
          UPDATE rollup.visit_rollups SET visited_at = visited_at + interval '1 hour', visit_id = gen_random_uuid()
          WHERE period_type = 'Q';
          INSERT INTO rollup.blood_pressure_rollups (patient_id, period_type, period_start, recorded_at, blood_pressure_id, systolic, diastolic, year, period_name)
          VALUES (gen_random_uuid(), 'M', '2024-05-01', '2024-05-02', gen_random_uuid(), 120, 80, 2024, '2024-05');
          UPDATE rollup.visit_rollups SET period_start = '2024-12-01' WHERE period_type = 'M' AND period_start = '2024-04-01';
          DELETE FROM rollup.patient_register WHERE registered_month < '2024-04-01';
          UPDATE rollup.patient_register SET died_month = '2000-01-01';
          INSERT INTO rollup.registration_rollups (period_type, period_start, registration_facility_id, change)
          VALUES ('M', '2024-04-01', gen_random_uuid(), 3);
          """)
      }
      let before = try await Backfilling.drift(store.rollups)
      #expect(Set(before.map(\.kind)) == Set(Drift.Kind.allCases))
      try await Backfilling.everything(store.rollups)
      #expect(try await Backfilling.drift(store.rollups).isEmpty)
      let again = try await Backfilling.everything(store.rollups)
      #expect(again.written == 0 && again.removed == 0, "a second backfill rewrites nothing")
      #expect(try await misnamedPeriods(database.pool) == 0)
    }
  }

  /// Rows whose `year` or `period_name` is not that of their period.
  private func misnamedPeriods(_ pool: Pool) async throws -> Int {
    try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT count(*)
        FROM (
          SELECT period_type, period_start, year, period_name FROM rollup.blood_pressure_rollups
          UNION ALL
          SELECT period_type, period_start, year, period_name FROM rollup.visit_rollups
        ) AS r
        WHERE (year, period_name) IS DISTINCT FROM (
          extract(year FROM period_start)::integer,
          CASE period_type WHEN 'M' THEN left(period_start::text, 7)
            ELSE left(period_start::text, 4) || 'Q' || extract(quarter FROM period_start)::text END)
        """
      ).only(Int.self)
    }
  }
}

/// The backfill and verification, over everything.
enum Backfilling {
  @discardableResult
  static func everything(_ store: RollupStore) async throws -> Derived {
    var derived = Derived()
    for chunk in try await store.chunks(of: 3, keyedBy: UUID.self) {
      derived =
        derived
        + (try await store.derive(
          chunk, in: .all, rollups: store.catalog.mostRecent, registers: store.catalog.registers))
    }
    for count in store.catalog.counts {
      derived = derived + (try await store.derive(count, in: .all))
    }
    return derived
  }

  static func drift(_ store: RollupStore) async throws -> [Drift] {
    var drift: [Drift] = []
    for chunk in try await store.chunks(of: 1000, keyedBy: UUID.self) {
      drift += try await store.verify(chunk, in: .all)
    }
    return drift + (try await store.verifyCounts(in: .all))
  }
}

/// The oracle: plain SQL over the sources, written here by hand and sharing nothing with the declarations.
enum PlainQuery {
  static func compare(_ pool: Pool, timeZone: String, seed: UInt64) async throws {
    let counts: [(String, Int)] = try await pool.withConnection { connection in
      var counts: [(String, Int)] = []
      for (name, sql) in queries(timeZone) {
        let difference = Query(
          text:
            "SELECT count(*) FROM ((\(sql.0) EXCEPT ALL \(sql.1)) UNION ALL (\(sql.1) EXCEPT ALL \(sql.0))) AS d"
        )
        counts.append((name, try await connection.query(difference).only(Int.self)))
      }
      return counts
    }
    for (name, count) in counts {
      #expect(count == 0, "seed \(seed): \(name) differs from the plain query")
    }
  }

  private static func queries(_ zone: String) -> [(String, (String, String))] {
    let possible = "at > '0001-01-02 00:00+00' AND at < '9999-12-31 00:00+00'"
    func period(_ unit: String) -> String {
      "date_trunc('\(unit)', at AT TIME ZONE '\(zone)')::date"
    }
    let readings =
      "SELECT patient_id, id, recorded_at AS at, 'B' AS source, facility_id, systolic, diastolic, heart_rate FROM blood_pressures WHERE deleted_at IS NULL"
    let visits =
      "SELECT patient_id, id, visited_at AS at, 'V' AS source, facility_id, NULL::int, NULL::int, NULL::int FROM visits WHERE deleted_at IS NULL"
    func plain(_ events: String, _ type: String, _ unit: String, _ columns: String) -> String {
      """
      (SELECT DISTINCT ON (patient_id, \(period(unit))) '\(type)', patient_id, \(period(unit)), at, e.id, \(columns),
        k.registration_facility_id, k.assigned_facility_id
      FROM (\(events)) AS e JOIN patients AS k ON k.id = e.patient_id AND k.deleted_at IS NULL
      WHERE \(possible)
      ORDER BY patient_id, \(period(unit)), at DESC, e.id DESC, source DESC)
      """
    }
    func both(_ events: String, _ columns: String) -> String {
      "(\(plain(events, "M", "month", columns)) UNION ALL \(plain(events, "Q", "quarter", columns)))"
    }
    return [
      (
        "blood-pressure",
        (
          both(readings, "systolic, diastolic, heart_rate, facility_id"),
          """
          SELECT period_type::text, patient_id, period_start, recorded_at, blood_pressure_id, systolic, diastolic, heart_rate,
            blood_pressure_facility_id, registration_facility_id, assigned_facility_id FROM rollup.blood_pressure_rollups
          """
        )
      ),
      (
        "blood-sugar",
        (
          both(
            "SELECT patient_id, id, recorded_at AS at, 'S' AS source, facility_id, value, type FROM blood_sugars WHERE deleted_at IS NULL",
            "value, type, facility_id"),
          """
          SELECT period_type::text, patient_id, period_start, recorded_at, blood_sugar_id, value, type,
            blood_sugar_facility_id, registration_facility_id, assigned_facility_id FROM rollup.blood_sugar_rollups
          """
        )
      ),
      (
        "visits",
        (
          both("\(readings) UNION ALL \(visits)", "source, facility_id"),
          """
          SELECT period_type::text, patient_id, period_start, visited_at, visit_id, source::text, visit_facility_id,
            registration_facility_id, assigned_facility_id FROM rollup.visit_rollups
          """
        )
      ),
      (
        "registrations",
        (
          """
          SELECT 'M', date_trunc('month', registered_at AT TIME ZONE '\(zone)')::date, registration_facility_id, count(*)
          FROM (SELECT *, registered_at AS at FROM patients) AS p
          WHERE hypertensive AND deleted_at IS NULL AND registration_facility_id IS NOT NULL AND \(possible) GROUP BY 2, 3
          """,
          """
          SELECT 'M', period_start, registration_facility_id, sum(change)::bigint FROM rollup.registration_rollups
          WHERE period_type = 'M' GROUP BY 2, 3 HAVING sum(change) <> 0
          """
        )
      ),
    ]
  }
}
