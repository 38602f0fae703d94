import Foundation
import TestSupport
import Testing

/// Closing as a newcomer and a cron meet it: nothing is published by accident.
@Suite struct ClosingCalendarCommandTests {
  /// A programme of the eight months before this one, and one reading dated 1999.
  private static let programme = """
    psql "$DATABASE_URL" -XAtq -v ON_ERROR_STOP=1 <<'END'
    INSERT INTO facilities (id, name, state, district)
    VALUES ('00000000-0000-4000-8000-00000000000f', 'PHC Goniana', 'Punjab', 'Bathinda');
    INSERT INTO patients (id, registered_at, registration_facility_id, assigned_facility_id)
    SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, date_trunc('month', now()) - interval '8 months' + n * interval '1 day',
      '00000000-0000-4000-8000-00000000000f', '00000000-0000-4000-8000-00000000000f'
    FROM generate_series(1, 20) AS n;
    INSERT INTO blood_pressures (patient_id, id, systolic, diastolic, recorded_at)
    SELECT ('00000000-0000-4000-8000-' || lpad((1 + n % 20)::text, 12, '0'))::uuid, gen_random_uuid(), 130, 80, now() - n * interval '1 day'
    FROM generate_series(0, 300) AS n WHERE now() - n * interval '1 day' >= date_trunc('month', now()) - interval '8 months';
    INSERT INTO blood_pressures (patient_id, id, systolic, diastolic, recorded_at)
    VALUES ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000aa', 130, 80, '1999-05-05 12:00Z');
    END
    rollup-backfill --max-latency 0 --from 1999-01 --to "$(date +%Y-%m)" 2>/dev/null || exit 1
    first=$(date -d "$(date +%Y-%m-01) -8 months" +%Y-%m)
    editions() { psql "$DATABASE_URL" -XAtc 'SELECT count(*) FROM rollup.editions'; }
    oldest() { psql "$DATABASE_URL" -XAtc "SELECT to_char(min(period_start), 'YYYY-MM') FROM rollup.editions"; }
    """

  private func run(_ script: String) async throws -> (lines: [String], error: String) {
    try await TestDatabase.migrated(timeZone: "UTC", size: 1) { database, _ in
      let outcome = await sh(Self.programme + "\n" + script, database.url, ["TZ": "UTC"])
      #expect(outcome.status == 0, "\(outcome)")
      return (outcome.output.split(separator: "\n").map(String.init), outcome.error)
    }
  }

  /// The cron line that is shipped, from the first night on. One mistyped date used to close 441 periods.
  @Test func aMistypedDateClosesNothing() async throws {
    let (lines, error) = try await run(
      """
      rollup close --due; echo "undecided $?"; rollup close --through "$first"; echo "through $?"
      rollup close --month "$first"; echo "one $?"; editions
      rollup migrate --first-period "$first" && rollup close --due; echo "too many $?"; editions
      rollup close --due --dry-run | head -1 | cut -d, -f1-4; editions
      rollup close --due --at-most 40; echo "asked for $?"; test "$(oldest)" = "$first" && echo first
      rollup close --due; echo "next night $?"; rollup verify --closed; echo "verified $?"
      rollup close --list | sed -n 2p | grep -c "^$first"; rollup close --month 1999-05; echo "1999 $?"
      rollup status > /dev/null
      """)
    #expect(
      lines == [
        "undecided 77", "through 77", "one 77", "0", "too many 77", "0",
        "period,patients,facilities,cumulative_registrations", "0", "asked for 0", "first",
        "next night 0", "verified 0", "1", "1999 77",
      ], "\(lines) \(error)")
    for words in [
      "it is not decided which period is the first", "dated before it: 1 blood-pressure, 1 visits",
      "one run closes at most 4", "--at-most", "is before", "no period is due",
      "dated before it, and in no figure of a period: 1 blood-pressure",
    ] { #expect(error.contains(words), "\(words): \(error)") }
  }

  /// An import that did not run.
  @Test func anEmptyMonthIsNotPublishedUnasked() async throws {
    let (lines, error) = try await run(
      """
      month=$(date -d "$(date +%Y-%m-01) -2 months" +%Y-%m)
      psql "$DATABASE_URL" -XAtqc "DELETE FROM blood_pressures WHERE to_char(recorded_at, 'YYYY-MM') = '$month'"
      rollup-backfill --max-latency 0 --from "$month" --to "$month" 2>/dev/null
      rollup close --first-period "$first" --due --at-most 40; echo "due $?"
      rollup close --first-period "$first" --month "$month"; echo "one $?"; editions
      rollup close --first-period "$first" --month "$month" --yes; echo "asked for $?"; editions
      """)
    #expect(lines == ["due 77", "one 77", "0", "asked for 0", "1"], "\(lines) \(error)")
    #expect(error.contains("has no reading, visit or registration at all"), "\(error)")
  }

  /// A dry run says which cells a restatement would change, and changes none.
  @Test func aDryRunOfARestatementNamesItsCells() async throws {
    let (lines, error) = try await run(
      """
      month=$(date -d "$(date +%Y-%m-01) -3 months" +%Y-%m)
      rollup close --first-period "$first" --month "$month" 2>/dev/null || exit 1
      rollup restate --month "$month" --dry-run | wc -l
      echo id,patient_id,facility_id,systolic,diastolic,recorded_at > r.csv
      echo "00000000-0000-4000-8000-0000000000bb,00000000-0000-4000-8000-000000000003,,190,110,$month-28T23:59:00Z" >> r.csv
      rollup import csv --readings r.csv 2>/dev/null
      psql "$DATABASE_URL" -XAtqc "UPDATE facilities SET block = 'Maur'"
      rollup restate --month "$month" --dry-run > cells; cut -d, -f4-7 cells
      editions; rollup restate --month "$month"; echo "no reason $?"
      rollup restate --month "$month" --reason late 2>/dev/null && rollup restate --month "$month" --dry-run | wc -l
      """)
    #expect(
      lines == [
        "1", "facility,figure,from,to", "PHC Goniana,block,,Maur",
        "PHC Goniana,bp_controlled,20,19", "PHC Goniana,bp_uncontrolled,0,1",
        "PHC Goniana,controlled,20,19", "PHC Goniana,uncontrolled,0,1", "1", "no reason 64", "1",
      ], "\(lines) \(error)")
    #expect(error.contains("cells of 1 facilities would change; 20 patients"), "\(error)")
  }

  /// A period that is not over cannot look final, and one that has not begun is none.
  @Test func aReportOfWhatIsNotOverSaysSo() async throws {
    let (lines, error) = try await run(
      """
      now=$(date +%Y)Q$(( ($(date +%-m) + 2) / 3 ))
      report district-bp --quarter $now | head -2 | tail -1 | cut -d, -f1,2
      report district-bp --quarter $now --format json | grep -c "so far: the period ends on"
      report district-bp --quarter 2199Q1; echo "future $?"
      rollup close --list | grep "^$now" | cut -d, -f2
      rollup status 2>&1 | grep -c "$now is not over"
      """)
    #expect(lines.dropFirst() == ["1", "future 64", "not over", "1"], "\(lines) \(error)")
    #expect(error.contains("figures as of today"), "\(error)")
    #expect(
      error.contains("2199Q1 has not begun: it begins on 2199-01-01. The last quarter there is is"))
  }

  @Test(arguments: [
    ("rollup migrate --first-period 1989Q1", 64, "from 1990 on"),
    ("rollup migrate --first-period 2024-W01", 64, "2024Q1"),
    ("rollup migrate --first-period 2190Q1", 64, "a year from now"),
    ("rollup close --quarter 2024Q1 --at-most 3", 64, "--due or --through"),
    ("rollup close --list --yes", 64, "goes alone"),
    ("rollup close --due", 77, "There is no data that would suggest one"),
  ])
  func whatCannotBeDecidedSaysWhatCan(command: String, code: Int32, words: String) async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(command, database.url)
      #expect(outcome.status == code && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.error.contains(words), "\(outcome.error)")
    }
  }
}
