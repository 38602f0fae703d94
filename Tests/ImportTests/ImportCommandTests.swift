import Foundation
import TestSupport
import Testing

/// The `rollup import` command as a user meets it: exit codes, messages, memory.
@Suite struct ImportCommandTests {
  private static let program = commandsFolder + "/rollup"

  @Test(arguments: [
    ("gzip Patient.ndjson && truncate -s -6 Patient.ndjson.gz", ["fhir", "."], "ends too early"),
    ("rm *.ndjson", ["fhir", "."], "no file to import"),
    ("echo id,nam > f.csv", ["csv", "--facilities", "f.csv"], "did you mean name?"),
    ("true", ["csv", "--readings", "none.csv"], "no such file"),
  ])
  func aFileThatCannotBeReadIsSixtyFiveAndNothingIsImported(
    commands: String, arguments: [String], message: String
  ) async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      try await ImportFolder.with { folder in
        try FHIREdgeTests.writeAll(folder)
        _ = try await shell("cd \(folder.path) && \(commands)")
        let outcome = await run(
          ["/bin/sh", "-c", "cd \(folder.path) && exec \"$0\" \"$@\"", Self.program, "import"]
            + arguments, environment: ["DATABASE_URL": database.url])
        #expect(outcome.status == 65)
        #expect(outcome.error.contains(message), "\(outcome.error)")
        #expect(outcome.error.contains("Nothing was imported."))
        #expect(outcome.output.isEmpty)
      }
    }
  }

  @Test func memoryStaysFlatHoweverLongTheFiles() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      try await ImportFolder.with { folder in
        // 60 rows of 1 MB each: in the one, a name; in the other, a photo, which is passed over.
        let outcome = await run(
          ["/bin/sh", "-c", Self.measuring, Self.program],
          environment: ["DATABASE_URL": database.url, "FOLDER": folder.path])
        let peaks = outcome.output.split(separator: "\n").compactMap { Int($0) }
        #expect(peaks.count == 2, "\(outcome.error)")
        for kilobytes in peaks { #expect(kilobytes < 64 << 10) }
        #expect(outcome.error.contains("facilities: 60 read, 0 rejected"), "\(outcome.error)")
        #expect(outcome.error.contains("Patient: 60 read, 60 rejected"), "\(outcome.error)")
      }
    }
  }

  /// Prints the most memory, in kB, that each import had.
  private static let measuring = """
    cd "$FOLDER"
    long=$(head -c 1000000 /dev/zero | tr '\\0' x)
    echo id,name > f.csv
    for i in $(seq 60); do
      printf '%s,%s\\n' $i $long >> f.csv
      printf '{"resourceType":"Patient","id":"%s","photo":[{"data":"%s"}]}\\n' $i $long
    done > Patient.ndjson
    measure() {
      "$@" & pid=$!
      while now=$(grep -s VmHWM /proc/$pid/status); do peak=$now; sleep 0.05; done
      wait $pid
      echo "$peak" | tr -dc '0-9\\n'
    }
    measure "$0" import csv --facilities f.csv
    measure "$0" import fhir .
    """
}
