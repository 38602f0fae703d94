import Foundation
import Postgres
import TestSupport
import Testing

/// The commands as a user meets them, one after the other.
@Suite struct CommandTests {
  /// The client's clock and the server's are elsewhere; the month is that of the reporting time zone.
  @Test(arguments: [false, true])
  func readingsAtTheEndsOfMonthsAreInTheReportingZonesMonths(sourcesOnly: Bool) async throws {
    try await TestDatabase.migrated(timeZone: "Asia/Kolkata", size: 1) { database, _ in
      try await database.pool.withConnection {
        try await $0.script(
          "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Pacific/Kiritimati''', current_database()); END$$"
        )
      }
      let script = """
        set -e
        f=00000000-0000-4000-8000-00000000000f
        p=00000000-0000-4000-8000-00000000000
        echo "id,name,state,district" > f.csv; echo "$f,CHC,Punjab,Bathinda" >> f.csv
        echo "id,registered_at,registration_facility_id,assigned_facility_id" > p.csv
        echo "id,patient_id,facility_id,systolic,diastolic,recorded_at" > r.csv
        # In Kolkata: the last of March, the first of April, the last of June, the first of July.
        n=0; for at in 2024-03-31T18:29:59.999999Z 2024-03-31T18:30:00Z 2024-07-01T00:29:59.999999+06:00 2024-06-30T18:30:00Z; do
          n=$((n+1)); echo "$p$n,2023-01-01T00:00:00Z,$f,$f" >> p.csv; echo "${p}a$n,$p$n,$f,120,70,$at" | sed 's/0a\\([0-9]\\),/a\\1,/' >> r.csv
        done
        rollup import csv --facilities f.csv --patients p.csv --readings r.csv \(sourcesOnly ? "--sources-only" : "") 2>/dev/null
        \(sourcesOnly ? "rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 2>/dev/null" : "true")
        for p in "--month 2024-03" "--month 2024-04" "--month 2024-06" "--month 2024-07" "--quarter 2024Q1" "--quarter 2024Q2" "--quarter 2024Q3"; do
          report district-bp $p --district Bathinda --format csv | awk -F, '$2 == "district" { print $14 }'
        done
        rollup verify 2>/dev/null
        """
      let outcome = await sh(
        script, database.url, ["TZ": "America/Los_Angeles", "PGTZ": "America/Caracas"])
      let counts = outcome.output.split(separator: "\n").joined(separator: " ")
      #expect(counts == "1 1 1 1 1 2 1", "\(outcome)")
      #expect(outcome.status == 0)
    }
  }

  /// `| head` closes the pipe: nobody is told of it.
  @Test(arguments: ["rollup explain blood-pressure", "report district-bp --quarter 2024Q2"])
  func aReaderThatHasSeenEnoughIsNoError(command: String) async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh("\(command) | head -1", database.url)
      #expect(outcome.status == 0)
      #expect(outcome.output.split(separator: "\n").count == 1)
      #expect(
        !outcome.error.contains("rror") && !outcome.error.contains("rash"), "\(outcome.error)")
    }
  }

  @Test(arguments: ["INT", "TERM"])
  func aBackfillThatIsInterruptedHasDoneWholeChunksAndCanGoOn(signal: String) async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      try await database.pool.withConnection {
        try await $0.script(
          """
          INSERT INTO patients (id, registered_at, registration_facility_id, assigned_facility_id)
          SELECT gen_random_uuid(), '2023-01-01', f, f FROM (SELECT gen_random_uuid() AS f) AS f, generate_series(1, 2000);
          INSERT INTO blood_pressures (patient_id, id, systolic, diastolic, recorded_at)
          SELECT id, gen_random_uuid(), 120, 80, '2024-05-05' FROM patients;
          """)
      }
      let outcome = await sh(
        """
        log=$(mktemp); rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --chunk 8 2>$log & pid=$!
        until grep -q "^run" $log; do sleep 0.02; done; sleep 0.2
        kill -\(signal) $pid; wait $pid; echo $?; cat $log >&2
        rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --chunk 8; rollup verify; echo $?
        """, database.url)
      let codes = outcome.output.split(separator: "\n")
      #expect(codes.last == "0", "\(outcome)")
      #expect(codes.first == "130" || codes.first == "143", "\(outcome)")
      #expect(outcome.error.contains("goes on with what is left"), "\(outcome.error)")
      #expect(outcome.error.contains("going on with run 1"), "\(outcome.error)")
    }
  }

  @Test(arguments: [
    ("rollup close --quarter 2024Q5", 64, "2024Q2"), ("rollup close", 64, "--due"),
    ("rollup close --month 2999-01", 77, "A period closes when it is over"),
    ("rollup restate --quarter 2024Q2 --reason x", 77, "rollup close"),
    ("rollup digest --quarter 2024Q2", 77, "is not closed"),
    ("rollup late --period 2024Q2", 77, "is not closed"),
    ("report district-bp --quarter 2024Q2 --edition 1", 77, "is not closed"),
    ("report district-bp --quarter 2024Q2 --compare", 77, "is not closed"),
    ("report district-bp --quarter 2024Q2 --patients contrlled", 64, "controlled"),
    ("rollup digest --file /nowhere.csv", 65, "cannot be read"),
    ("rollup migrate --time-zone Asia/Kolkatta", 64, "Asia/Kolkata"),
    ("rollup migrate --grace=-3", 64, "0 to 3650"), ("rollup verify --chunk 0", 64, "at least 1"),
  ])
  func whatCannotBeDoneSaysWhatCan(command: String, code: Int32, words: String) async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(command, database.url)
      #expect(outcome.status == code)
      #expect(outcome.error.contains(words), "\(outcome.error)")
      #expect(outcome.output.isEmpty)
    }
  }

  /// Closing, refusal of a second closing, late data, the digest of the published file, a restatement, verification.
  @Test func aQuarterIsClosedPublishedAndRestated() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        set -e; exec 2>errors
        rollup sample-data --patients 300 --seed 1 --from 2023-01 --to 2024-12
        rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12
        rollup close --first-period 2023Q1 --through 2024Q1
        rollup close --quarter 2024Q2
        rollup close --quarter 2024Q2 || echo "again $?"
        d=$(report district-bp --quarter 2024Q2 | awk -F, '$2 == "district" { print $4; exit }')
        report district-bp --quarter 2024Q2 --district "$d" --raw > d.csv
        rollup digest --quarter 2024Q2 --district "$d" | grep -cF "$(rollup digest --file d.csv)"
        p=$(report district-bp --quarter 2024Q2 --patients assigned_patients | sed -n 2p | cut -d, -f7)
        echo id,patient_id,facility_id,systolic,diastolic,recorded_at > r.csv
        echo "00000000-0000-4000-8000-000000000009,$p,,119,70,2024-06-30T12:00:00Z" >> r.csv
        rollup import csv --readings r.csv
        rollup late --period 2024Q2 | grep -c "2024Q2,reading,insert,in,1,1"
        report district-bp --quarter 2024Q2 --district "$d" --raw | cmp - d.csv && echo same
        rollup restate --quarter 2024Q2 --reason "a late phone"
        report district-bp --quarter 2024Q2 --district "$d" --raw --edition 1 | cmp - d.csv && echo same
        rollup late --period 2024Q2
        rollup digest --all | tail -1 | cut -d" " -f1-3
        rollup verify --from 2023-01 --to 2024-12 && rollup verify --closed && echo whole
        """, database.url)
      let lines = outcome.output.split(separator: "\n").map(String.init)
      #expect(
        lines == ["again 77", "1", "1", "same", "same", "2024Q2 edition 2", "whole"], "\(outcome)")
    }
  }

  /// Each role runs the commands that are its own, and is refused the others' with what it lacks.
  @Test func everyRoleHasItsCommands() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        as() { role=$1; shift; PGOPTIONS="-c role=rollup_$role" "$@" 2>>errors; echo "$role $2 $?" >> codes; }
        rollup sample-data --patients 200 --seed 1 --from 2023-01 --to 2024-12 2>/dev/null
        as closer rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12
        as closer rollup verify --from 2023-01 --to 2024-12
        as closer rollup close --first-period 2023Q1 --through 2024Q2
        as reporter report district-bp --quarter 2024Q2 --output closed.csv
        as reporter report district-bp --quarter 2024Q2 --patients controlled --output list.csv
        as reporter report district-bp --quarter 2024Q2 --compare --output compare.csv
        as reporter report district-bp --month 2024-08 --output open.csv
        as reporter rollup digest --quarter 2024Q2 > /dev/null
        p=$(sed -n 2p list.csv | cut -d, -f7)
        echo id,patient_id,facility_id,systolic,diastolic,recorded_at > r.csv
        echo "00000000-0000-4000-8000-000000000009,$p,,119,70,2024-06-30T12:00:00Z" >> r.csv
        as writer rollup import csv --readings r.csv
        as closer rollup late --period 2024Q2 > /dev/null
        as closer rollup restate --quarter 2024Q2 --reason late
        as closer rollup verify --closed
        as writer rollup close --quarter 2024Q3
        as reporter rollup close --quarter 2024Q3
        as reporter rollup import csv --readings r.csv
        as reporter rollup verify
        wc -l < closed.csv | xargs test 3 -le && cat codes; cat errors >&2
        """, database.url)
      let codes = outcome.output.split(separator: "\n").map(String.init)
      let allowed = codes.prefix { !$0.hasPrefix("writer close") }
      #expect(allowed.count == 12 && allowed.allSatisfy { $0.hasSuffix(" 0") }, "\(outcome)")
      #expect(codes.count == 16)
      #expect(codes.suffix(4).allSatisfy { $0.hasSuffix(" 77") }, "\(codes)")
      #expect(outcome.error.contains("permission denied"), "\(outcome.error)")
    }
  }
}
