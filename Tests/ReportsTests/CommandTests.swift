import Foundation
import TestSupport
import Testing

/// The `report` command as a user meets it: exit codes, messages, files.
@Suite struct CommandTests {
  private func report(_ arguments: [String], _ url: String) -> (
    status: Int32, output: String, error: String
  ) {
    // The tests' own program lies beside the commands.
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent()
      .appendingPathComponent("report").path
    return run(
      [program, "district-bp"] + arguments, environment: ["DATABASE_URL": url, "TZ": "Asia/Tokyo"])
  }

  @Test(arguments: [
    ([], "2024Q2"), (["--quarter", "2024Q2", "--month", "2024-06"], "2024Q2"),
    (["--quarter", "2024Q5"], "2024Q2"), (["--quarter", "2024-06"], "is a month, not a quarter"),
    (["--quarter", "Q2 2024"], "2024Q2"), (["--month", "2024-13"], "2024-06"),
    (["--quarter", "2024Q2", "--controlled-below", "130"], "140/90"),
    (["--quarter", "2024Q2", "--format", "xlsx"], "csv"),
  ])
  func badUsageSaysWhatIsExpected(arguments: [String], hint: String) {
    let outcome = report(arguments, "postgresql:///nowhere")
    #expect(outcome.status == 64)
    #expect(outcome.error.contains(hint), "\(outcome.error)")
    #expect(outcome.output.isEmpty)
  }

  @Test func noServerNamesTheAddressWithoutItsPassword() {
    let outcome = report(["--quarter", "2024Q2"], "postgresql://someone:secret@127.0.0.1:1/none")
    #expect(outcome.status == 69)
    #expect(outcome.error.contains("127.0.0.1") && outcome.error.contains("--database-url"))
    #expect(!outcome.error.contains("secret"))
  }

  @Test func aDatabaseWithoutRollupsSaysHowToMakeThem() async throws {
    try await withDatabase { url in
      let outcome = report(["--quarter", "2024Q2"], url)
      #expect(outcome.status == 69)
      #expect(outcome.error.contains("rollup migrate"))
    }
  }

  @Test func anUnknownDistrictNamesTheNearest() async throws {
    try await ExampleProgramme.with { database in
      let outcome = report(["--quarter", "2024Q2", "--district", "Batinda"], database.url)
      #expect(outcome.status == 64)
      #expect(outcome.error.contains("Bathinda") && outcome.output.isEmpty)
    }
  }

  @Test func aDistrictIsFoundWhateverItsCaseAndShownAsItIsSpelt() async throws {
    try await ExampleProgramme.with { database in
      let outcome = report(["--quarter", "2024Q2", "--district", "bathinda"], database.url)
      #expect(outcome.status == 0)
      #expect(outcome.output.contains("2024Q2,district,Punjab,Bathinda,"))
      #expect(outcome.error.isEmpty)
    }
  }

  @Test func aPeriodWithNothingSaysSoAndHasItsRows() async throws {
    try await ExampleProgramme.with { database in
      let outcome = report(["--month", "1999-01"], database.url)
      #expect(outcome.status == 0)
      #expect(outcome.error.contains("no data"))
      #expect(outcome.output.split(whereSeparator: \.isNewline).count == 9)
    }
  }

  @Test func aFileIsWrittenWholeOrNotAtAll() async throws {
    try await ExampleProgramme.with { database in
      let folder = try shell("mktemp -d /tmp/report-XXXXXX")
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let arguments = ["--quarter", "2024Q2", "--output", folder + "/report.csv"]
      #expect(report(arguments, database.url).status == 0)
      let first = try String(contentsOfFile: folder + "/report.csv", encoding: .utf8)
      #expect(first.hasPrefix("period,level,") && first.hasSuffix("open,0\r\n"))
      #expect(report(arguments + ["--district", "nowhere at all"], database.url).status == 64)
      #expect(try String(contentsOfFile: folder + "/report.csv", encoding: .utf8) == first)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["report.csv"])
      let outcome = report(
        ["--quarter", "2024Q2", "--output", folder + "/none/report.csv"], database.url)
      #expect(outcome.status == 73 && outcome.error.contains("cannot write"))
    }
  }
}
