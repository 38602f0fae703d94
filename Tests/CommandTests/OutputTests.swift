import Foundation
import Output
import TestSupport
import Testing

/// What a program could not write it does not pass over.
@Suite struct OutputTests {
  /// A full disk, a closed stream: exit code 73 and one sentence. A reader that has gone: no message.
  @Test func whatCannotBeWrittenIsSaid() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        rollup sample-data --patients 100 --from 2024-01 --to 2024-12 --quiet
        rollup-backfill --from 2024-01 --to 2024-12 --quiet
        rollup close --month 2024-01 --first-period 2024-01 --quiet
        p=$(report district-bp --month 2024-01 --patients assigned_patients | sed -n 2p | cut -d, -f7)
        echo id,patient_id,facility_id,systolic,diastolic,recorded_at > r.csv
        echo "00000000-0000-4000-8000-000000000009,$p,,119,70,2024-01-30T12:00:00Z" >> r.csv
        rollup import csv --readings r.csv --quiet
        reminders create --patients 1 --organizations 1
        while read -r command; do
          $command >/dev/full 2>err </dev/null; [ $? = 73 ] && [ "$(grep -c 'cannot write standard output: the disk is full' err)" = 1 ] || { echo "full: $command"; cat err; }
          $command >&- 2>err </dev/null; [ $? = 73 ] && grep -q 'cannot write standard output: it is closed' err || { echo "closed: $command"; cat err; }
          { $command 2>err </dev/null; echo $? >code; } | true; [ "$(cat code)" = 141 ] && ! grep -q 'cannot write' err || { echo "pipe: $command, $(cat code)"; cat err; }
          $command >/dev/null 2>/dev/full </dev/null || echo "no messages: $command"
        done <<END
        rollup --help
        rollup --version
        rollup help close
        rollup --generate-completion-script bash
        rollup late --list
        rollup late
        rollup digest --all
        rollup status
        rollup close --list
        rollup token list
        rollup token create --name x --all
        rollup jobs list
        rollup graph
        rollup db url
        rollup explain blood-pressure
        rollup migrate --plan
        rollup-backfill --help
        rollup-backfill --from 2024-01 --dry-run
        report --help
        report list
        report list trend
        report district-bp --quarter 2024Q1
        report district-bp --quarter 2024Q1 --format xlsx
        report district-bp --quarter 2024Q1 --format html
        reminders --help
        reminders graph
        END
        """, database.url)
      #expect(outcome.output.isEmpty && outcome.status == 0, "\(outcome)")
    }
  }

  /// Nor does a verification that found something end as if it had found nothing.
  @Test func aDifferenceThatCannotBePrintedIsNoSuccess() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        rollup sample-data --patients 100 --from 2024-01 --to 2024-12 --quiet
        rollup verify >/dev/full 2>err; echo $?; grep -c 'cannot write standard output' err
        { rollup verify --quiet 2>err; echo $? >code; } | true; cat code; grep -c 'rows differ' err
        rollup verify --quiet 2>err | head -1
        """, database.url)
      #expect(
        outcome.output == "73\n1\n1\n1\nkind,rollup,period,key,expected,actual\n", "\(outcome)")
    }
  }

  /// Files: a folder that is missing or may not be written, a path that is a folder, a full disk; nothing is left behind.
  @Test func filesThatCannotBeWrittenAreNamedWithTheReason() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        mkdir folder; echo old > file
        for to in none/x.csv folder folder/ /dev/full file/x.csv; do
          report trend --month 2024-06 --format csv --output $to 2>&1 >/dev/null | grep cannot | sed 's/.*cannot write //;s/[.] .*//'
          report trend --month 2024-06 --format csv --output $to 2>/dev/null; echo $?
        done
        rollup import csv --template file 2>&1; echo $?; rollup import csv --template file/more 2>&1; echo $?
        echo id,patient_id > r.csv; echo x >> r.csv
        ls -A folder; ls -A | wc -l
        """, database.url)
      #expect(
        outcome.output == """
          none/x.csv: there is no such file or folder
          73
          folder: it is a folder
          73
          folder/: it is a folder
          73
          /dev/full: the disk is full
          73
          file/x.csv: a part of its path is not a folder
          73
          rollup: cannot write file: it is a file, not a folder. Name another.
          73
          rollup: cannot write file/more: a part of its path is not a folder. Make the folder first, or name another file.
          73
          3

          """, "\(outcome)")
    }
  }

  /// A device and a pipe are written, and stay what they are; a link stays one.
  @Test func whatIsNoPlainFileStaysWhatItIs() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        mkfifo pipe; cat pipe > read & report trend --month 2024-06 --format csv --output pipe --quiet; wait
        [ -p pipe ] && head -c 7 read; echo
        echo old > file.csv; ln -s file.csv link.csv; report trend --month 2024-06 --output link.csv --quiet
        [ -L link.csv ] && head -c 7 file.csv; echo; ls -A
        """, database.url)
      #expect(outcome.output == "period,\nperiod,\nfile.csv\nlink.csv\npipe\nread\n", "\(outcome)")
    }
  }

  /// Lists of patients, in files and on the way to them, are for their owner alone; figures are not.
  @Test func listsAreTheirOwnersAlone() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        umask 022; echo old > list.xlsx; chmod 644 list.xlsx
        report district-bp --month 2024-06 --patients dead --output list.csv --quiet
        report district-bp --month 2024-06 --patients dead --output list.xlsx --quiet
        report district-bp --month 2024-06 --output figures.csv --quiet
        stat -c '%a %n' *
        """, database.url)
      #expect(
        outcome.output == "644 figures.csv\n600 list.csv\n600 list.xlsx\n", "\(outcome)")
    }
  }

  /// The file has the format that its name says; a format that contradicts it is refused, and so is a name that says nothing.
  @Test func theFormatFollowsTheFilesName() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        for ending in csv json ndjson md txt html xlsx; do
          report trend --month 2024-06 --output x.$ending --quiet || echo failed; head -c 2 x.$ending | head -1 | tr -dc '[:print:]'; echo
        done
        for bad in "--output x.pdf" "--format csv --output x.xlsx" "--format xlsx --output x.csv" "--format json --output X.CSV"; do
          report trend --month 2024-06 $bad 2>>err; echo $?
        done
        report trend --month 2024-06 --format csv --output x.txt --quiet; head -c 6 x.txt; cat err >&2
        """, database.url)
      #expect(
        outcome.output
          == "pe\n{\n{\"\n# \nTr\n<!\nPK\n64\n64\n64\n64\nperiod", "\(outcome)")
      #expect(outcome.error.contains("'x.xlsx' is a name for xlsx"), "\(outcome.error)")
    }
  }

  /// Escape sequences, C1 controls and marks that turn the line reach no terminal; a file keeps them.
  @Test func namesCannotMoveTheCursor() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        psql "$DATABASE_URL" -Xqc "INSERT INTO facilities (id, name, state, district)
          VALUES ('00000000-0000-4000-8000-00000000000f', E'a\\u001b[31mb\\u009bc\\u202ed\\u007f', 'S', E'D\\u001b]0;x\\u0007')"
        for format in csv json ndjson markdown html table fhir; do
          NO_COLOR=1 script -qec "report district-bp --month 2024-06 --format $format" shown >/dev/null
          tr -d '\\r' <shown | grep -v '^Script' >plain
          LC_ALL=C grep -qP '[\\x00-\\x08\\x0b-\\x1f\\x7f]|\\xc2[\\x80-\\x9f]|\\xe2\\x80[\\xaa-\\xae]' plain && echo "$format"
        done
        NO_COLOR=1 script -qec "report district-bp --month 2024-06 --district 'X$(printf '\\033')[2J'" shown | LC_ALL=C grep -cP '\\x1b'
        report district-bp --month 2024-06 --output x.csv --quiet; LC_ALL=C grep -cP '\\x1b\\[31m' x.csv
        """, database.url)
      #expect(outcome.output == "0\n1\n", "\(outcome)")
    }
  }

  @Test(arguments: [
    (ENOSPC, "the disk is full"), (EACCES, "permission is denied"), (EISDIR, "it is a folder"),
    (ENOENT, "there is no such file or folder"),
  ])
  func everyFailureSaysWhatToDo(code: Int32, words: String) {
    let said = OutputFailure("x.csv", code: code).description
    #expect(said.hasPrefix("cannot write x.csv: \(words). ") && said.hasSuffix("."))
  }

  /// Foundation's own words do not name the reason.
  @Test func foundationsErrorsAreSaidInOurWords() throws {
    func reason(_ body: () throws -> Void) -> String {
      do { try body() } catch { return FileReason.words(error) }
      return "nothing was thrown"
    }
    let folder = NSTemporaryDirectory()
    #expect(
      reason { _ = try Data(contentsOf: URL(fileURLWithPath: "/nowhere/x")) }
        == "there is no such file or folder")
    #expect(reason { _ = try Data(contentsOf: URL(fileURLWithPath: folder)) } == "it is a folder")
    let file = folder + "/latin-\(UUID().uuidString)"
    try Data([0xE9, 0x20]).write(to: URL(fileURLWithPath: file))
    defer { try? FileManager.default.removeItem(atPath: file) }
    #expect(
      reason { _ = try String(contentsOfFile: file, encoding: .utf8) } == "it is not UTF-8 text")
    #expect(
      reason {
        try FileManager.default.createDirectory(
          atPath: file + "/x", withIntermediateDirectories: true)
      } == "a part of its path is not a folder")
  }
}
