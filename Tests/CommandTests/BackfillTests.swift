import Foundation
import Postgres
import TestSupport
import Testing

/// A backfill whose workers are killed, cut off, or fail, on several machines as far as the database can tell.
@Suite struct BackfillTests {
  /// `kill -9` again and again, writers on all the while: the run completes, each chunk is done once.
  @Test(arguments: ["never", "always"])
  func killedWorkersAreTakenOverFrom(load: String) async throws {
    try await programme { url, pool in
      let outcome = await sh(
        """
        rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --chunk 20 --load \(load) --workers 1 --lease 1 --max-rate 40 2>begun & first=$!
        until grep -q '^run' begun; do sleep 0.05; done; catch $first; kill -9 $first
        run=$(sed -n 's/^run \\([0-9]*\\);.*/\\1/p' begun)
        (for i in 1 2 3; do rollup import csv --readings "$READINGS"; sed -i "s/,8$i,/,8$((i + 1)),/" "$READINGS"; done 2>/dev/null) & writer=$!
        for delay in 0.15 0.4 0.25 0.6 0.1 0.33 0.5 0.2 0.7 0.28 0.45 0.36; do
          rollup-backfill --max-latency 0 --join $run --lease 1 --max-rate 100 2>/dev/null & a=$!
          rollup-backfill --max-latency 0 --join $run --lease 1 --max-rate 100 2>/dev/null & b=$!
          sleep $delay; catch $a; kill -9 $a; sleep 0.1; kill -9 $b; wait $a $b
        done
        rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --chunk 20 --load \(load) --lease 1; echo "again $?"
        wait $writer; rollup verify --from 2023-01 --to 2024-12; echo "verified $?"
        """, url)
      #expect(outcome.output.contains("again 0"), "\(outcome)")
      #expect(outcome.output.contains("verified 0"), "\(outcome)")
      let (left, done, retried) = try await pool.withConnection {
        try await $0.query(
          """
          SELECT count(*) FILTER (WHERE state <> 'done'), count(*) FILTER (WHERE state = 'done'),
            count(*) FILTER (WHERE attempts > 1)
          FROM rollup.jobs WHERE run = 1
          """
        ).only((Int, Int, Int).self)
      }
      #expect(
        left == 0 && done > 20 && retried > 0, "\(left) left, \(done) done, \(retried) retried")
    }
  }

  /// Empty periods are loaded beside writers and readers, and what comes of it is what comes of mending them; nothing of it
  /// is left, and a partition is like any other.
  @Test func emptyPeriodsAreLoaded() async throws {
    try await programme { url, pool in
      let outcome = await sh(
        """
        psql "$DATABASE_URL" -Xqc "INSERT INTO rollup.visit_rollups (patient_id, period_type, period_start, visited_at, visit_id, source, year, period_name)
          SELECT id, 'M', '2024-03-01', '2024-03-05', gen_random_uuid(), 'V', 2024, '2024-03' FROM patients LIMIT 1"
        psql "$DATABASE_URL" -Xqc "BEGIN; SELECT count(*) FROM rollup.blood_pressure_rollups; SELECT pg_sleep(2); COMMIT" >reader & reader=$!
        rollup import csv --readings "$READINGS" 2>/dev/null & writer=$!
        rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --chunk 300 --load always; echo "backfilled $?"
        wait $reader; wait $writer; echo "written $?"
        rollup verify --from 2023-01 --to 2024-12; echo "verified $?"
        rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --load always 2>&1 | tail -1 | sed 's/.*: //'
        """, url)
      #expect(
        outcome.output
          == "backfilled 0\nwritten 0\nverified 0\n0 rows written, 0 removed\n", "\(outcome)")
      let (loaded, left) = try await pool.withConnection {
        try await $0.query(
          """
          SELECT (SELECT array_agg(DISTINCT arguments->>'what') FROM rollup.jobs WHERE run = 1 AND arguments->>'what' ~ '^attach'),
            (SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_load\\_%' AND relkind IN ('r', 'p'))
          """
        ).only(([String], Int).self)
      }
      #expect(left == 0)
      // Of months and quarters all but those with a row, which the import may also have been first to write.
      #expect(loaded.count >= 60)
      #expect(!loaded.contains("attach 2024-03 of visits"))
      #expect(loaded.contains("attach 2023Q2 of blood-pressure"))
      let odd = try await pool.withConnection {
        try await $0.query(
          """
          SELECT format('%s %s %s %s', i.inhparent::regclass, pg_get_userbyid(c.relowner), c.reloptions,
            (SELECT array_agg(regexp_replace(pg_get_indexdef(x.indexrelid), 'INDEX \\S+ ON \\S+', '')
                || (x.indisvalid)::text || EXISTS (SELECT FROM pg_inherits WHERE inhrelid = x.indexrelid)::text
              ORDER BY 1) FROM pg_index AS x WHERE x.indrelid = c.oid)) AS form
          FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
          WHERE c.relkind = 'r' AND c.relname ~ '^(blood_pressure|visit)_rollups_(months|quarters)_2'
          GROUP BY 1
          """
        ).map { try $0.decode(String.self) }
      }
      #expect(odd.count == 4, "a form for the partitions of each table: \(odd)")
    }
  }

  /// What was loaded is read with plans for what it holds from the first statement on, and what else was filled soon after;
  /// a run that finds nothing to do has nothing looked at.
  @Test func whatIsFilledIsAnalyzed() async throws {
    try await programme { url, pool in
      // When the server does so itself is another matter.
      func looks() async throws -> (unknown: [String], loaded: Int, looks: Int) {
        try await pool.withConnection {
          try await $0.query(
            """
            SELECT coalesce(array_agg(c.relname::text) FILTER (
                WHERE pg_relation_size(c.oid) > 0 AND (c.reltuples < 0 OR s.relation IS NULL)), '{}'),
              count(*) FILTER (WHERE c.reltuples >= 0 AND pg_stat_get_analyze_count(c.oid) > 0
                AND c.relname ~ '^(blood_pressure|visit)_rollups_(months|quarters)_202[34]'),
              sum(pg_stat_get_analyze_count(c.oid))::bigint
            FROM pg_class AS c LEFT JOIN (SELECT DISTINCT starelid FROM pg_statistic) AS s (relation) ON s.relation = c.oid
            WHERE c.relnamespace = 'rollup'::regnamespace AND c.relkind = 'r' AND c.relname ~ '_rollups_|_register$'
            """
          ).only(([String], Int, Int).self)
        }
      }
      let backfill = "rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --load always"
      #expect(await sh(backfill, url).status == 0)
      let first = try await looks()
      #expect(first.unknown.isEmpty && first.loaded == 64, "\(first)")
      #expect(await sh(backfill, url).status == 0)
      let again = try await looks()
      #expect(again.looks == first.looks, "\(again)")
    }
  }

  /// It rests when commits take long, says so, and comes to its end.
  @Test func itRestsForWriters() async throws {
    try await programme { url, pool in
      let outcome = await sh(
        """
        rollup-backfill --from 2023-01 --to 2024-12 --chunk 50 --max-rate 200 --max-latency 0.001 --log-format json
        rollup verify --from 2023-01 --to 2024-12; echo "verified $?"
        """, url)
      #expect(outcome.error.contains("\"resting\":\"a commit takes"), "\(outcome)")
      #expect(outcome.output == "verified 0\n", "\(outcome)")
    }
  }

  /// What a backfill that was given up has loaded goes with it, whether another is begun or not.
  @Test(arguments: [
    "--from 2023-01 --to 2024-12 --chunk 50 --load always --anew --lease 1", "--give-up 1",
  ])
  func whatWasGivenUpIsRemoved(options: String) async throws {
    try await programme { url, pool in
      let outcome = await sh(
        """
        rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --chunk 50 --load always --workers 1 --max-rate 100 2>first & killed=$!
        until grep -q '^run' first; do sleep 0.02; done; sleep 0.6; kill -9 $killed
        rollup-backfill --max-latency 0 \(options); echo "given up $?"
        rollup verify --from 2023-01 --to 2024-12 >differences; echo "verified $?"
        rollup status | cut -d, -f1-3
        """, url)
      let isAnew = options.contains("--anew")
      #expect(
        outcome.output.hasPrefix("given up 0\nverified \(isAnew ? 0 : 1)\n"), "\(outcome)")
      #expect(outcome.output.contains("1,backfill,given up"), "\(outcome)")
      let left = try await pool.withConnection {
        try await $0.query(
          "SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_load\\_%' AND relkind IN ('r', 'p')"
        ).only(Int.self)
      }
      // The one that was killed may have been loading a chunk when its tables were to go.
      #expect(left == 0, "\(outcome)")
    }
  }

  /// A worker that is cut off in the middle of a chunk, as by a broken network: the others finish it, once.
  @Test func aWorkerThatIsCutOffIsTakenOverFrom() async throws {
    try await programme { url, pool in
      let outcome = await sh(
        """
        rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --chunk 25 --workers 1 --lease 1 --max-rate 500 2>first & cut=$!
        until grep -q '^run' first; do sleep 0.02; done; catch $cut
        run=$(sed -n 's/^run \\([0-9]*\\);.*/\\1/p' first)
        rollup-backfill --max-latency 0 --join $run --lease 1 --workers 1 & a=$!
        rollup-backfill --max-latency 0 --join $run --lease 1 --workers 1; echo "joined $?"; wait $a; echo "joined $?"
        kill -CONT $cut; wait $cut; echo "cut off $?"
        rollup verify --from 2023-01 --to 2024-12; echo "verified $?"
        """, url)
      #expect(outcome.output.contains("joined 0\njoined 0"), "\(outcome)")
      #expect(outcome.output.contains("cut off 0"), "\(outcome)")
      #expect(outcome.output.contains("verified 0"), "\(outcome)")
      let (left, most) = try await pool.withConnection {
        try await $0.query(
          "SELECT count(*) FILTER (WHERE state <> 'done'), max(attempts)::bigint FROM rollup.jobs WHERE run = 1"
        ).only((Int, Int).self)
      }
      #expect(left == 0 && most >= 2)
    }
  }

  /// A chunk that fails is tried again, set aside and reported; the rest goes on; when the cause is gone it is done.
  @Test func aChunkThatFailsIsSetAside() async throws {
    try await programme { url, pool in
      try await pool.withConnection {
        try await $0.script(
          """
          CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''no room''; END';
          CREATE TRIGGER spoil BEFORE INSERT ON rollup.patient_register FOR EACH ROW
            WHEN (new.patient_id < '10000000-0000-0000-0000-000000000000') EXECUTE FUNCTION spoil();
          """)
      }
      let outcome = await sh(
        """
        rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --chunk 100; echo "failed $?"
        rollup status | cut -d, -f2,3,10 | tail -1
        """, url)
      #expect(outcome.output.contains("failed 1\nbackfill,failed,"), "\(outcome)")
      #expect(outcome.error.contains("set aside after 5 failures: chunk 1"), "\(outcome.error)")
      #expect(outcome.error.contains("--resume"))
      try await pool.withConnection {
        try await $0.script("DROP TRIGGER spoil ON rollup.patient_register")
      }
      let resumed = await sh(
        "rollup-backfill --max-latency 0 --resume && rollup verify --from 2023-01 --to 2024-12 && rollup status | cut -d, -f2,3 | tail -1",
        url)
      #expect(resumed.status == 0 && resumed.output == "backfill,finished\n", "\(resumed)")
    }
  }

  /// A scope is mended, and nothing outside it.
  @Test(arguments: ["--district", "--state", "--facility", "--patient", "--only"])
  func nothingOutsideTheScopeIsTouched(option: String) async throws {
    try await programme { url, pool in
      let value = try await pool.withConnection {
        try await $0.query(
          """
          SELECT (CASE \(option) WHEN '--district' THEN f.district WHEN '--state' THEN f.state
            WHEN '--facility' THEN f.id::text WHEN '--patient' THEN p.id::text ELSE 'visits,patients' END)
          FROM patients AS p JOIN facilities AS f ON f.id = p.assigned_facility_id
          JOIN blood_pressures AS b ON b.patient_id = p.id
          WHERE b.deleted_at IS NULL AND p.deleted_at IS NULL AND b.recorded_at BETWEEN '2023-02-01' AND '2024-11-01'
          ORDER BY p.id LIMIT 1
          """
        ).only(String.self)
      }
      let dry = await sh(
        "rollup-backfill --from 2023-01 --to 2024-12 \(option) '\(value)' --dry-run", url)
      #expect(dry.status == 0 && dry.output.contains(value.split(separator: ",")[0]), "\(dry)")
      let outcome = await sh(
        "rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 \(option) '\(value)'", url)
      #expect(outcome.status == 0, "\(outcome)")
      let strays = try await pool.withConnection {
        try await $0.query(
          """
          SELECT count(*) FILTER (WHERE is_in), count(*) FILTER (WHERE NOT is_in)
          FROM (
            SELECT (CASE \(option) WHEN '--district' THEN f.district = \(value) WHEN '--state' THEN f.state = \(value)
              WHEN '--facility' THEN f.id::text = \(value) WHEN '--patient' THEN p.id::text = \(value) ELSE r.kind = 'v' END) AS is_in
            FROM (
              SELECT patient_id, 'b' AS kind FROM rollup.blood_pressure_rollups
              UNION ALL SELECT patient_id, 'v' FROM rollup.visit_rollups
            ) AS r
            JOIN patients AS p ON p.id = r.patient_id
            LEFT JOIN facilities AS f ON f.id = p.assigned_facility_id
          ) AS t
          """
        ).only((Int, Int).self)
      }
      #expect(strays.0 > 0 && strays.1 == 0, "\(option): \(strays)")
    }
  }

  /// Drift is listed by kind with keys, counted in a sample, mended by the backfill's own code, and verified to be gone.
  @Test func whatDiffersIsMended() async throws {
    try await programme { url, pool in
      #expect(
        await sh("rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12", url).status == 0)
      try await pool.withConnection {
        try await $0.script(
          """
          DELETE FROM rollup.blood_pressure_rollups WHERE systolic % 7 = 0;
          UPDATE rollup.blood_pressure_rollups SET diastolic = 1 WHERE systolic % 7 = 1;
          UPDATE rollup.visit_rollups SET visit_id = gen_random_uuid() WHERE period_type = 'Q';
          UPDATE rollup.visit_rollups SET patient_id = gen_random_uuid() WHERE period_start = '2024-05-01';
          DELETE FROM rollup.registration_rollups;
          """)
      }
      let outcome = await sh(
        """
        verify() { rollup verify --from 2023-01 --to 2024-12 "$@"; echo "exit $?"; }
        verify --chunk 50 --workers 3 --limit 100000 | cut -d, -f1,2 | sort | uniq -c | sed 's/ *[0-9]* //' | tr '\n' ';'
        verify --sample 10% --limit 0; verify --repair --limit 0; verify; verify --sample 5%
        rollup verify --chunk 1 --from 2024-06 --to 2024-06 & pid=$!
        until rollup status | grep -q verify,running; do sleep 0.1; done; kill -INT $pid; wait $pid; echo "interrupted $?"
        rollup status | sed -n 2p | cut -d, -f2,3
        """, url)
      let lines = outcome.output.split(separator: "\n").map(String.init)
      #expect(
        lines.first
          == "exit 1;kind,rollup;missing,blood-pressure;missing,visits;orphan,visits;stale,visits;wrong value,blood-pressure;wrong value,registrations;exit 1",
        "\(outcome)")
      #expect(
        Array(lines.dropFirst()) == [
          "exit 0", "exit 0", "exit 0", "interrupted 130", "verify,stopped",
        ],
        "\(outcome)")
    }
  }

  // MARK: Parts

  /// A migrated database with an invented programme, and no rollup of it yet.
  private func programme(_ body: (_ url: String, _ pool: Pool) async throws -> Void) async throws {
    try await TestDatabase.migrated(size: 2) { database, _ in
      let made = await sh(
        "rollup sample-data --patients 1000 --seed 1 --from 2023-01 --to 2024-12", database.url)
      #expect(made.status == 0, "\(made)")
      try await body(database.url, database.pool)
    }
  }

  private func sh(_ script: String, _ url: String) async -> (
    status: Int32, output: String, error: String
  ) {
    let readings = """
      READINGS=$PWD/readings.csv; echo id,patient_id,facility_id,systolic,diastolic,recorded_at > "$READINGS"
      """
    let fill = """
      rollup status >/dev/null 2>&1; psql "$DATABASE_URL" -XAtF, -c "SELECT gen_random_uuid(), id, '', 130, 81, '2024-03-05T10:00:00Z' FROM patients LIMIT 300" >> "$READINGS"
      """
    // Stops a worker that has a chunk in hand.
    let catching = """
      catch() {
        while kill -STOP $1 2>/dev/null; do
          sleep 0.05
          psql "$DATABASE_URL" -XAtc "SELECT 'in hand' FROM rollup.jobs WHERE state = 'taken' AND worker LIKE '%-$1-%'" | grep -q . && return
          kill -CONT $1; sleep 0.02
        done
      }
      """
    let prepared =
      (script.contains("$READINGS") ? "\(readings); \(fill)" : "true") + "\n" + catching
    return await TestSupport.sh("\(prepared)\n\(script)", url)
  }
}
