import Foundation
import TestSupport
import Testing

/// The `report` command as a user meets it: exit codes, messages, files.
@Suite struct CommandTests {
  private func report(_ arguments: [String], _ url: String, named name: String = "district-bp")
    async -> (
      status: Int32, output: String, error: String
    )
  {
    await run(
      [commandsFolder + "/report", name] + arguments,
      environment: ["DATABASE_URL": url, "TZ": "Asia/Tokyo"])
  }

  @Test(arguments: [
    ([], "2024Q2"), (["--quarter", "2024Q2", "--month", "2024-06"], "2024Q2"),
    (["--quarter", "2024Q5"], "2024Q2"), (["--quarter", "2024-06"], "is a month, not a quarter"),
    (["--quarter", "Q2 2024"], "2024Q2"), (["--month", "2024-13"], "2024-06"),
    (["--quarter", "2024Q2", "--controlled-below", "130"], "140/90"),
    (["--quarter", "2024Q2", "--format", "ods"], "csv"),
  ])
  func badUsageSaysWhatIsExpected(arguments: [String], hint: String) async {
    let outcome = await report(arguments, "postgresql:///nowhere")
    #expect(outcome.status == 64)
    #expect(outcome.error.contains(hint), "\(outcome.error)")
    #expect(outcome.output.isEmpty)
  }

  /// Colour on a terminal, which script(1) makes; none with NO_COLOR, and none in a pipe.
  @Test func aTerminalHasColourUnlessItIsNotWanted() async throws {
    try await ExampleProgramme.with { database in
      func shown(_ terminal: Bool, _ noColour: String) async -> String {
        let command = "report district-bp --quarter 2024Q2 --format table"
        let outcome = await sh(
          terminal ? "script -qec '\(command)' shown" : command, database.url,
          ["NO_COLOR": noColour, "TERM": "xterm"])
        #expect(outcome.status == 0, "\(outcome.error)")
        return outcome.output
      }
      let coloured = await shown(true, "")
      #expect(coloured.contains("\u{1B}[1m") && coloured.contains("Bathinda"))
      for plain in [await shown(true, "1"), await shown(false, ""), await shown(false, "1")] {
        #expect(!plain.contains("\u{1B}") && plain.contains("Bathinda"))
      }
    }
  }

  @Test func noServerNamesTheAddressWithoutItsPassword() async {
    let outcome = await report(
      ["--quarter", "2024Q2"], "postgresql://someone:secret@127.0.0.1:1/none")
    #expect(outcome.status == 69)
    #expect(outcome.error.contains("127.0.0.1") && outcome.error.contains("--database-url"))
    #expect(!outcome.error.contains("secret"))
  }

  @Test func aDatabaseWithoutRollupsSaysHowToMakeThem() async throws {
    try await withDatabase { url in
      let outcome = await report(["--quarter", "2024Q2"], url)
      #expect(outcome.status == 69)
      #expect(outcome.error.contains("rollup migrate"))
    }
  }

  @Test func anUnknownDistrictNamesTheNearest() async throws {
    try await ExampleProgramme.with { database in
      let outcome = await report(["--quarter", "2024Q2", "--district", "Batinda"], database.url)
      #expect(outcome.status == 64)
      #expect(outcome.error.contains("Bathinda") && outcome.output.isEmpty)
    }
  }

  @Test func aDistrictIsFoundWhateverItsCaseAndShownAsItIsSpelt() async throws {
    try await ExampleProgramme.with { database in
      let outcome = await report(["--quarter", "2024Q2", "--district", "bathinda"], database.url)
      #expect(outcome.status == 0)
      #expect(outcome.output.contains("2024Q2,district,Punjab,Bathinda,"))
      #expect(outcome.error.isEmpty)
    }
  }

  @Test func aPeriodWithNothingSaysSoAndHasItsRows() async throws {
    try await ExampleProgramme.with { database in
      let outcome = await report(["--month", "1999-01"], database.url)
      #expect(outcome.status == 0)
      #expect(outcome.error.contains("no data"))
      #expect(outcome.output.split(whereSeparator: \.isNewline).count == 9)
    }
  }

  @Test func aFileIsWrittenWholeOrNotAtAll() async throws {
    try await ExampleProgramme.with { database in
      let folder = try await shell("mktemp -d /tmp/report-XXXXXX")
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let arguments = ["--quarter", "2024Q2", "--output", folder + "/report.csv"]
      #expect(await report(arguments, database.url).status == 0)
      let first = try String(contentsOfFile: folder + "/report.csv", encoding: .utf8)
      #expect(first.hasPrefix("period,level,") && first.hasSuffix("open,0\r\n"))
      #expect(
        await report(arguments + ["--district", "nowhere at all"], database.url).status == 64)
      #expect(try String(contentsOfFile: folder + "/report.csv", encoding: .utf8) == first)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["report.csv"])
      let outcome = await report(
        ["--quarter", "2024Q2", "--output", folder + "/none/report.csv"], database.url)
      #expect(outcome.status == 73 && outcome.error.contains("cannot write"))
    }
  }

  @Test(arguments: [
    ("distrct-bp", ["--quarter", "2024Q2"], "district-bp"),
    ("trend", [], "2024Q2"), ("trend", ["--quarter", "2024Q2", "--trend", "0"], "--trend 12"),
    ("trend", ["--from", "2024-01"], "--to"),
    ("trend", ["--from", "2024-01", "--to", "2024Q2"], "both months"),
    ("trend", ["--from", "2024-03", "--to", "2024-01"], "before"),
    ("trend", ["--from", "1024-03", "--to", "2024-01"], "120"),
    ("trend", ["--quarter", "2024Q2", "--figures", "controled_rate"], "controlled_rate"),
    ("trend", ["--quarter", "2024Q2", "--by", "distric"], "district"),
    ("trend", ["--quarter", "2024Q2", "--edition", "1"], "one period"),
    ("trend", ["--quarter", "2024Q2", "--patients", "dead"], "takes no --patients"),
    ("cohort", ["--quarter", "2024Q2", "--patients", "dead"], "cohort_registered"),
    ("district-bp", ["--quarter", "2024Q2", "--suppress-below", "1"], "5"),
    (
      "district-bp", ["--quarter", "2024Q2", "--suppress-below", "5", "--patients", "dead"], "list"
    ),
    ("district-bp", ["--quarter", "2024Q2", "--format", "dhis2"], "--mapping"),
    ("range-bp", ["--from", "2024-01-20"], "2024-03-05"),
    ("range-bp", ["--from", "2024-01-20", "--to", "2024-02-30"], "2024-02-30"),
    ("range-bp", ["--from", "2024-02-20", "--to", "2024-01-30"], "before"),
    ("range-bp", ["--quarter", "2024Q2"], "takes no --quarter"),
    ("recall", ["--month", "2024-06"], "takes no --month"),
    ("list", ["trnd"], "trend"),
  ])
  func everyReportSaysWhatItExpects(name: String, arguments: [String], hint: String) async {
    let outcome = await report(arguments, "postgresql:///nowhere", named: name)
    #expect(outcome.status == 64, "\(outcome.error)")
    #expect(outcome.error.contains(hint), "\(outcome.error)")
    #expect(outcome.output.isEmpty)
  }

  @Test func theListAndTheHelpAreMadeFromTheDefinitions() async {
    let list = await report([], "", named: "list").output
    let recall = await report(["--help"], "", named: "recall").output
    #expect(recall.contains("--facility") && !recall.contains("--quarter"))
    #expect(list.split(separator: "\n").count == 10 && list.contains("range-bp"))
    let range = await report(["--help"], "", named: "range-bp").output
    #expect(range.contains("The first day, such as") && range.contains("never closed"))
    #expect(await report(["trend"], "", named: "list").output.contains("missed_visit_rate"))
  }

  @Test func unknownPlacesNameTheNearest() async throws {
    try await ExampleProgramme.with { database in
      for (arguments, near) in [
        (["--state", "Panjab"], "Punjab"), (["--district", "Bathinda", "--block", "Mour"], "Maur"),
        (["--facility", "SDHH"], "SDH"), (["--district", "Mansa", "--facility", "SDX"], "SDH"),
      ] {
        for name in ["trend", "recall", "facilities", "blood-sugar", "data-quality"] {
          let period = name == "recall" ? [] : ["--quarter", "2024Q2"]
          let outcome = await report(period + arguments, database.url, named: name)
          #expect(outcome.status == 64 && outcome.error.contains(near), "\(name): \(outcome.error)")
          #expect(outcome.output.isEmpty)
        }
      }
    }
  }

  @Test func aMappingThatIsNotThereIsDataThatCannotBeRead() async throws {
    try await ExampleProgramme.with { database in
      let outcome = await report(
        ["--quarter", "2024Q2", "--format", "dhis2", "--mapping", "/nowhere.json"], database.url)
      #expect(outcome.status == 65 && outcome.error.contains("/nowhere.json"))
    }
  }

  @Test func everyFormatIsWrittenAsAFile() async throws {
    try await ExampleProgramme.with { database in
      let folder = try await shell("mktemp -d /tmp/report-XXXXXX")
      defer { try? FileManager.default.removeItem(atPath: folder) }
      try Data(
        #"{"dataElements": {"dead": "fbfJHSPpUQD"}, "organisationUnits": {"all": "DiszpKrYNg8"}}"#
          .utf8
      )
      .write(to: URL(fileURLWithPath: folder + "/dhis2.json"))
      let beginnings = [
        "csv": "period,", "json": "{\n", "ndjson": "{\"", "markdown": "# ", "table": "Hyper",
        "html": "<!DOCTYPE html>", "xlsx": "PK",
        "dhis2": "{\"dataValues\":[\n{\"dataElement\":\"fbf",
        "dhis2-csv": "dataelement,", "fhir": "{\"resourceType\":\"Bundle\"",
      ]
      for (format, beginning) in beginnings {
        let file = "\(folder)/out.\(format)"
        let outcome = await report(
          [
            "--quarter", "2024Q2", "--format", format, "--output", file, "--mapping",
            folder + "/dhis2.json",
          ], database.url)
        #expect(outcome.status == 0 && outcome.output.isEmpty, "\(format): \(outcome.error)")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        #expect(String(decoding: bytes, as: UTF8.self).hasPrefix(beginning), "\(format)")
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left.count == beginnings.count + 1, "\(left)")
      let recall = await report(
        ["--district", "Bathinda", "--format", "fhir"], database.url, named: "recall")
      #expect(recall.status == 64 && recall.error.contains("MeasureReport"))
    }
  }
}
