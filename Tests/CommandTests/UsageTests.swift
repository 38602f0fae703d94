import Foundation
import TestSupport
import Testing

/// What every command understands, and what it says of what it does not.
@Suite struct UsageTests {
  /// An unknown name is told before anything that is missing.
  @Test(arguments: [
    (
      "report trend --quater 2024Q2",
      "'report trend' has no option '--quater'. The nearest is '--quarter'."
    ),
    ("report trend --quater=2024Q2", "'--quater'. The nearest is '--quarter'."),
    ("rollup restate --quater 2024Q2", "'--quater'. The nearest is '--quarter'."),
    ("rollup-backfill --form 2020-01", "'--form'. The nearest is '--from'."),
    (
      "rollup token create --nme x",
      "'rollup token create' has no option '--nme'. The nearest is '--name'."
    ),
    ("rollup import csv --readigns r.csv", "The nearest is '--readings'."),
    ("rollup close -quarter 2024Q2", "'-quarter'. The nearest is '--quarter'."),
    ("rollup close --due --xyzzyplugh", "has no option '--xyzzyplugh'."),
    ("rollup clsoe --due", "'clsoe' is not a command of 'rollup'. The nearest is 'close'."),
    ("rollup help clsoe", "'clsoe' is not a command of 'rollup'. The nearest is 'close'."),
    ("rollup db stat", "'stat' is not a command of 'rollup db'."),
    ("report distrct-bp --quarter 2024Q2", "The nearest is 'district-bp'."),
    ("reminders nigth", "The nearest is 'night'."),
    // A value that begins with a dash is none.
    (
      "rollup restate --quarter 2024Q2 --reason --late",
      "If it is the value, write --reason=--late."
    ),
    ("rollup migrate --grace -3", "write --grace=-3"),
    ("rollup restate --quarter --reason x", "'--quarter' needs a value before '--reason'."),
    // What exists is ArgumentParser's to judge.
    ("rollup restate --quarter 2024Q2", "name the reason"),
    ("report trend", "2024Q2"), ("rollup verify --limit", "Missing value for '--limit <limit>'"),
  ])
  func whatDoesNotExistIsNamedFirst(command: String, words: String) async {
    let outcome = await sh(command, "postgresql:///nowhere")
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.error.contains(words), "\(outcome.error)")
  }

  /// A value after `=` may begin with a dash, and what follows `--` is no option.
  @Test func whatExistsIsTaken() async {
    let outcome = await sh(
      "rollup restate --quarter 2024Q2 --reason=--late; rollup jobs retry -- 1",
      "postgresql:///nowhere?host=/nowhere")
    #expect(outcome.status == 69 && !outcome.error.contains("option"), "\(outcome)")
  }

  /// Of each program: the version everywhere, `--quiet` everywhere, completion in its help.
  @Test(arguments: ["rollup", "rollup-backfill", "report"])
  func everyCommandHasItsCommonOptions(program: String) async throws {
    let dump = await sh("\(program) --experimental-dump-help", "").output
    let root = try JSONDecoder().decode(Shape.self, from: Data(dump.utf8)).command
    let leaves = root.leaves([])
    #expect(leaves.count >= (program == "rollup-backfill" ? 1 : 12))
    for (path, command) in leaves {
      #expect(command.arguments?.contains { $0.valueName == "quiet" } == true, "\(path)")
    }
    let versions = leaves.map { "\(([program] + $0.path).joined(separator: " ")) --version" }
    let outcome = await sh(versions.joined(separator: " && "), "postgresql:///nowhere")
    #expect(outcome.status == 0)
    #expect(Set(outcome.output.split(separator: "\n")) == ["1.0.0-beta"], "\(outcome)")
    let help = await sh("\(program) --help | tr -s '\\n ' ' '", "").output
    #expect(help.contains("--generate-completion-script"), "\(help)")
  }

  private struct Shape: Decodable {
    struct Command: Decodable {
      struct Argument: Decodable { let valueName: String? }
      let commandName: String
      let subcommands: [Command]?
      let arguments: [Argument]?

      func leaves(_ path: [String]) -> [(path: [String], command: Command)] {
        // ArgumentParser adds 'help'.
        let own = (subcommands ?? []).filter { $0.commandName != "help" }
        guard !own.isEmpty else { return [(path, self)] }
        return own.flatMap { $0.leaves(path + [$0.commandName]) }
      }
    }
    let command: Command
  }

  /// Progress and notes are left out; data, errors and exit codes are as always.
  @Test func quietIsQuietButForErrors() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        rollup sample-data --patients 50 --from 2024-01 --to 2024-12 --quiet && rollup status --quiet >/dev/null
        rollup verify --quiet >/dev/null; echo "verify $?"
        rollup-backfill --from 0001-01 --to 9999-12 --quiet && rollup verify --quiet && rollup close --month 2024-01 --first-period 2024-01 --quiet
        report trend --month 2024-06 --quiet | head -c 6; echo; rollup close --month 2024-01 --quiet; echo "again $?"
        """, database.url)
      #expect(outcome.output == "verify 1\nperiod\nagain 77\n", "\(outcome)")
      let said = outcome.error.split(separator: "\n")
      #expect(
        said.count == 2 && said[0].contains("rows differ") && said[1].contains("closed"), "\(said)")
    }
  }

  /// What the command says to do next ends clean.
  @Test func sampleDatasAdviceEndsInACleanVerification() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        rollup sample-data --patients 600 --from 2023-01 --to 2024-12 2>said
        advice=$(sed -n "s/.*Next: '\\([^']*\\)'.*/\\1/p" said); echo "$advice" | cut -d' ' -f1-2; $advice 2>/dev/null; echo $?
        rollup verify >&2; echo $?; grep -c 'wrong dates on purpose' said
        rollup restate --quarter 2024Q1 --reason x 2>/dev/null; rollup close --quarter 2024Q1 --first-period 2024Q1 --quiet
        rollup restate --quarter 2024Q1 --reason x 2>&1 | tail -1 | cut -d, -f1-2
        """, database.url)
      #expect(
        outcome.output == "rollup-backfill --from\n0\n0\n1\nrestated 2024Q1, edition 2\n",
        "\(outcome)")
    }
  }

  /// The same of an import that leaves the rollups to a backfill.
  @Test func anImportOfSourcesAloneNamesTheMonthsOfAllThatIsThere() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        f=00000000-0000-4000-8000-00000000000f; p=00000000-0000-4000-8000-000000000001
        echo "id,name,state,district" > f.csv; echo "$f,CHC,Punjab,Bathinda" >> f.csv
        echo "id,registered_at,registration_facility_id,assigned_facility_id" > p.csv; echo "$p,2023-05-01T00:00:00Z,$f,$f" >> p.csv
        echo "id,patient_id,facility_id,systolic,diastolic,recorded_at" > r.csv
        echo "00000000-0000-4000-8000-0000000000a1,$p,$f,120,70,2062-07-01T00:00:00Z" >> r.csv
        rollup import csv --facilities f.csv --patients p.csv --readings r.csv --sources-only 2>&1 | grep -o 'rollup-backfill[^,]*'
        """, database.url)
      #expect(outcome.output == "rollup-backfill --from 2023-05 --to 2062-07'\n", "\(outcome)")
    }
  }

  /// "Nobody is registered" is said when nobody is, whatever figures are asked for; never of a list.
  @Test func onlyWhereNobodyIsRegisteredIsItSaid() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        f=00000000-0000-4000-8000-00000000000f; p=00000000-0000-4000-8000-000000000001
        echo "id,name,state,district" > f.csv; echo "$f,CHC,Punjab,Bathinda" >> f.csv
        echo "id,registered_at,registration_facility_id,assigned_facility_id" > p.csv; echo "$p,2024-01-01T00:00:00Z,$f,$f" >> p.csv
        rollup import csv --facilities f.csv --patients p.csv --quiet
        for asked in "trend --month 2024-06 --figures controlled_rate" "district-bp --month 2024-06 --figures controlled,dead" \\
          "district-bp --month 2024-06 --patients dead" "recall --state Punjab"; do report $asked 2>&1 >/dev/null; done
        echo; report trend --month 2023-06 --figures controlled_rate 2>&1 >/dev/null
        report blood-sugar --month 2024-06 2>&1 >/dev/null
        """, database.url)
      let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(
        lines.count == 4 && lines[0].isEmpty && lines[1].contains("nobody is registered"),
        "\(outcome)")
      #expect(lines[2].contains("nothing that this report counts was recorded"), "\(outcome)")
    }
  }
}
