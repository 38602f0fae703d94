import CSV
import Foundation
import Hypertension
import Output
import PeriodRollups
import Postgres
import TestSupport
import Testing

@testable import Reports

/// The same figure in every format, and it is the oracle's.
@Suite struct EveryFormatTests {
  @Test(arguments: OracleTests.seeds.few)
  func everyFormatSaysWhatTheOracleSays(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 9400)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      try await programme.load(into: store)
      for quarter in ["2023Q4", "2024Q2"] {
        let period = try Period(parsing: quarter)
        let first = Int(quarter.prefix(4))! * 12 + (Int(quarter.suffix(1))! - 1) * 3
        let expected = Oracle(programme: programme, now: 2026 * 12, limits: (140, 90))
          .rows(.init(isQuarter: true, first: first))
        for limit in [nil, 3] {
          var question = ReportQuestion(period)
          question.suppressBelow = limit
          let table = try await DistrictBPReport.report.make(question, database.pool)
          // What is not hidden is the oracle's.
          for (row, wanted) in zip(table.rows, expected) {
            for (cell, text) in zip(row.cells, wanted) where cell != .hidden {
              #expect(cell.text == text, "seed \(seed), \(quarter)")
            }
          }
          #expect(table.rows.count == expected.count)
          try await Reading(table, "seed \(seed), \(quarter), below \(limit ?? 0)").readAll()
        }
      }
    }
  }

  /// Text that is harmful somewhere is harmless everywhere.
  @Test func namesAreOnlyNames() async throws {
    let name = "=1+1 <script>alert('x')</script> | a\\b \"q\" & *_`[]\u{1B}[2J\u{202E}\n"
    let table = ReportTable(
      name: "names", title: name, facts: [("report", "names"), ("period", "2024Q2")],
      columns: [
        .init("period", "Period", isNumber: false), .init("level", "Level", isNumber: false),
        .init("facility_id", "Id", isNumber: false), .init("facility", name, isNumber: false),
        .init(FigureSet.registrations[0]),
      ], sections: [.init(name, ["facility", "cumulative_registrations"])],
      rows: [
        .init(
          label: name, depth: 0,
          cells: [.text("2024Q2"), .text("facility"), .text("1"), .text(name), .integer(7)]),
        .init(
          label: "b", depth: 0,
          cells: [.text("2024Q2"), .text("facility"), .text("2"), .text("b"), .hidden]),
      ], charts: [.init(.bars, name, of: "cumulative_registrations")])
    let html = try written(HTMLFormat(), table)
    #expect(!html.contains("<script") && html.contains("&lt;script&gt;"))
    #expect(!html.contains("\u{1B}") && !html.contains("\u{202E}"))
    let markdown = try written(MarkdownFormat(), table)
    #expect(!markdown.replacing("\\<", with: "").contains("<") && !markdown.contains("\u{1B}"))
    #expect(try written(CSVFormat(), table).contains("'=1+1"))
    #expect(try written(JSONFormat(), table).contains("\"cumulative_registrations\" : \"*\""))
    try await Reading(table, "names").readXLSX()
  }

  @Test func dhis2SaysWhatItLeavesOut() throws {
    let mapping = try DHIS2Mapping(
      Data(
        #"{"dataElements": {"dead": "fbfJHSPpUQD", "nothing": "fbfJHSPpUQE"}, "organisationUnits": {"A1": "DiszpKrYNg8"}}"#
          .utf8))
    let format = DHIS2Format(mapping, as: .json)
    let table = ReportTable(
      name: "x", title: "x", facts: [],
      columns: [
        .init("period", "", isNumber: false), .init("facility_id", "", isNumber: false),
        .init(FigureSet.registrations[0]), .init(FigureSet.registrations[5]),
      ], sections: [],
      rows: [
        .init(
          label: "", depth: 0,
          cells: [.text("2024-06"), .text("A1"), .integer(10), .hidden]),
        .init(
          label: "", depth: 0,
          cells: [.text("2024-06"), .text("b2"), .integer(1), .integer(7)]),
      ])
    #expect(
      format.notes(table) == [
        "not mapped to data elements: cumulative_registrations",
        "mapped, but not in this report: nothing", "not mapped to organisation units: b2",
        "left out because they are not shown: 1 values",
      ])
    #expect(throws: FormatRefusal.self) {
      try written(
        format,
        ReportTable(name: "recall", title: "", facts: [], columns: [], sections: [], rows: []))
    }
  }

  @Test(arguments: [
    ("", "not JSON"), ("{}", "'dataElements' is missing"),
    (#"{"dataElements": [], "organisationUnits": {}}"#, "objects"),
    (#"{"dataElements": {"dead": 5}, "organisationUnits": {}}"#, "dead"),
    (#"{"dataElements": {"dead": "short"}, "organisationUnits": {}}"#, "fbfJHSPpUQD"),
    (#"{"dataElements": {}, "organisationUnits": {"x": "1iszpKrYNg8"}}"#, "'x'"),
    (#"{"dataElements": {}, "organisationUnits": {"A/B/C/D": "DiszpKrYNg8"}}"#, "%2F"),
  ])
  func aMappingThatCannotBeReadSaysWhere(json: String, hint: String) {
    do {
      _ = try DHIS2Mapping(Data(json.utf8))
      Issue.record("\(json) was read")
    } catch {
      #expect(error.description.contains(hint), "\(error)")
    }
  }
}

func written(_ format: some Format, _ table: ReportTable) throws -> String {
  var bytes: [UInt8] = []
  try format.write(table) { bytes += $0 }
  return String(decoding: bytes, as: UTF8.self)
}

/// Reads a table back from every format.
private struct Reading {
  let table: ReportTable
  let about: String
  private let expected: [[String]]
  private let names: [String]

  init(_ table: ReportTable, _ about: String) {
    self.table = table
    self.about = about
    expected = table.rows.map { $0.cells.map(\.text) }
    names = table.columns.map(\.name)
  }

  func readAll() async throws {
    try readCSV()
    try readJSON()
    try readPages()
    try await readXLSX()
    try readDHIS2()
    try readFHIR()
  }

  private func readCSV() throws {
    var records: [[String]] = []
    let parser = CSVParser()
    try parser.feed(Array(written(CSVFormat(raw: true), table).utf8)[...]) {
      records.append($0.fields)
    }
    try parser.finish { records.append($0.fields) }
    #expect(records == [names] + expected, "csv, \(about)")
  }

  private func texts(_ object: [String: Any]) -> [String] {
    zip(names, table.columns).map { name, column in
      switch object[name] {
      case let text as String: text
      case let number as NSNumber:
        column.figure?.isRate == true ? String(format: "%.1f", number.doubleValue) : "\(number)"
      default: ""
      }
    }
  }

  private func readJSON() throws {
    let object = try JSONSerialization.jsonObject(with: Data(written(JSONFormat(), table).utf8))
    let rows = (object as? [String: Any])?["rows"] as? [[String: Any]] ?? []
    #expect(rows.map(texts) == expected, "json, \(about)")
    let lines = try written(NDJSONFormat(), table).split(separator: "\n").map { line in
      texts(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:])
    }
    #expect(lines == expected, "ndjson, \(about)")
  }

  /// The pages show sections; each of their rows is a line of cells.
  private func readPages() throws {
    func shown(_ row: ReportTable.Row, _ column: String) -> String {
      table.place(of: column).map { row.cells[$0].shown(dash: "-") } ?? ""
    }
    let rows = table.sections.flatMap { section in
      table.rows.map { row in section.columns.map { shown(row, $0) } }
    }
    let markdown = try written(MarkdownFormat(), table).split(separator: "\n")
      .filter { $0.hasPrefix("| ") && !$0.hasPrefix("| ---") && !$0.hasPrefix("| |") }
      .map { line in
        // The name may have an escaped bar, so the cells are counted from the end.
        line.split(separator: " | ").map {
          $0.replacing("|", with: "").replacing("\\", with: "").trimmingCharacters(in: .whitespaces)
        }
      }
    #expect(markdown.count == rows.count, "markdown, \(about)")
    for (line, wanted) in zip(markdown, rows) {
      #expect(Array(line.suffix(wanted.count)) == wanted, "markdown, \(about)")
    }
    let html = try written(HTMLFormat(), table).split(separator: "\n")
      .filter { $0.hasPrefix("<tr class") }.map { line in
        line.split(separator: "<td").dropFirst().map { cell in
          String(cell.drop { $0 != ">" }.dropFirst()).replacing(/<[^>]*>/, with: "")
            .replacing("–", with: "-")
        }
      }
    #expect(html == rows, "html, \(about)")
    let text = try written(TableFormat(width: 4000, colour: false), table).split(separator: "\n")
    let lines = text.map { $0.split(separator: " ").map(String.init) }
    for wanted in rows {
      #expect(lines.contains { Array($0.suffix(wanted.count)) == wanted }, "table, \(about)")
    }
  }

  func readXLSX() async throws {
    let python = "/usr/bin/python3"
    guard FileManager.default.isExecutableFile(atPath: python) else {
      print("xlsx is not read back: there is no \(python)")
      return
    }
    let path = NSTemporaryDirectory() + "/\(UUID().uuidString).xlsx"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var bytes: [UInt8] = []
    try XLSXFormat().write(table) { bytes += $0 }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let script = try #require(
      Bundle.module.url(
        forResource: "read-xlsx", withExtension: "py", subdirectory: "Resources"))
    let outcome = await run([python, script.path, path])
    #expect(outcome.status == 0, "\(outcome.error)")
    let book =
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any] ?? [:]
    let sheets = book["sheets"] as? [String: [[Any]]] ?? [:]
    let level = try #require(table.place(of: "level"))
    for name in Set(expected.map { $0[level] }) {
      let rows = sheets[name.capitalized] ?? []
      let found = rows.map { row in
        zip(row, table.columns).map { cell, column in
          switch cell {
          case let text as String: text
          case let number as NSNumber:
            column.figure?.isRate == true
              ? String(format: "%.1f", number.doubleValue) : "\(number.intValue)"
          default: ""
          }
        } + Array(repeating: "", count: names.count - row.count)
      }
      let wanted = expected.filter { $0[level] == name }.map { $0.map(\.printable) }
      #expect(found == [names] + wanted, "xlsx, \(name), \(about)")
      #expect((book["frozen"] as? [String] ?? []).contains(name.capitalized))
    }
    #expect(book["charts"] as? Int == 1)
  }

  /// With a mapping of every figure and place.
  private func readDHIS2() throws {
    func uid(_ prefix: String, _ number: Int) -> String {
      prefix + String(repeating: "0", count: 10 - "\(number)".count) + "\(number)"
    }
    let figures = table.columns.compactMap(\.figure?.name)
    let places = ["level", "state", "district", "block", "facility_id"].compactMap(table.place)
    func key(_ row: [String]) -> String {
      switch row[places[0]] {
      case "facility": row[places[4]]
      case "all": "all"
      default:
        places[1...3].map { row[$0] }.filter { !$0.isEmpty }
          .map { $0.replacing("%", with: "%25").replacing("/", with: "%2F") }
          .joined(separator: "/")
      }
    }
    let units = Array(Set(expected.map(key))).sorted()
    let file: [String: Any] = [
      "dataElements": Dictionary(
        uniqueKeysWithValues: figures.enumerated().map { ($1, uid("f", $0)) }),
      "organisationUnits": Dictionary(
        uniqueKeysWithValues: units.enumerated().map { ($1, uid("u", $0)) }),
    ]
    let mapping = try DHIS2Mapping(JSONSerialization.data(withJSONObject: file))
    let json = try written(DHIS2Format(mapping, as: .json), table)
    let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
    let values = object?["dataValues"] as? [[String: Any]] ?? []
    var wanted: [[String]] = []
    for row in expected {
      for (number, figure) in figures.enumerated() {
        let text = table.place(of: figure).map { row[$0] } ?? ""
        guard !text.isEmpty, text != "*", let unit = units.firstIndex(of: key(row)) else {
          continue
        }
        wanted.append([uid("f", number), row[0], uid("u", unit), text])
      }
    }
    let found = values.map { value in
      ["dataElement", "period", "orgUnit", "value"].map { value[$0] as? String ?? "" }
    }
    #expect(found == wanted, "dhis2, \(about)")
    #expect(values.allSatisfy { Set($0.keys) == ["dataElement", "period", "orgUnit", "value"] })
    let csv = try written(DHIS2Format(mapping, as: .csv), table).split(separator: "\r\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    #expect(
      csv.first == [
        "dataelement", "period", "orgunit", "categoryoptioncombo", "attributeoptioncombo", "value",
      ])
    #expect(
      csv.dropFirst().map { [$0[0], $0[1], $0[2], $0[5]] } == wanted, "dhis2-csv, \(about)")
  }

  private func readFHIR() throws {
    let json = try written(FHIRFormat(), table)
    let bundle = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
    let entries = bundle?["entry"] as? [[String: Any]] ?? []
    #expect(bundle?["type"] as? String == "collection" && entries.count == expected.count)
    #expect(Set(entries.compactMap { $0["fullUrl"] as? String }).count == entries.count)
    for (entry, row) in zip(entries, expected) {
      let report = entry["resource"] as? [String: Any] ?? [:]
      let problems = MeasureReportStructure.problems(report)
      #expect(problems.isEmpty, "\(problems)")
      for group in report["group"] as? [[String: Any]] ?? [] {
        check(group, row)
      }
    }
  }

  private func check(_ group: [String: Any], _ row: [String]) {
    func code(_ object: Any?) -> String {
      let coding = ((object as? [String: Any])?["coding"] as? [[String: Any]])?.first
      return coding?["code"] as? String ?? ""
    }
    let name = code(group["code"])
    guard let figure = table.columns.compactMap(\.figure).first(where: { $0.name == name }) else {
      Issue.record("fhir, \(about): no figure \(name)")
      return
    }
    func wanted(_ column: String) -> String { table.place(of: column).map { row[$0] } ?? "" }
    var columns = ["initial-population": name]
    if case .rate(let part, let whole) = figure.kind {
      columns = ["numerator": part, "denominator": whole]
      let score = group["measureScore"] as? [String: Any]
      let text = (score?["value"] as? NSNumber).map { String(format: "%.1f", $0.doubleValue) }
      #expect((text ?? (score == nil ? "" : "*")) == wanted(name), "fhir, \(about), \(name)")
    }
    for population in group["population"] as? [[String: Any]] ?? [] {
      let column = columns[code(population["code"])] ?? ""
      let count = (population["count"] as? NSNumber).map { "\($0.intValue)" }
      #expect((count ?? "*") == wanted(column), "fhir, \(about), \(column)")
      #expect((count == nil) == (population["_count"] != nil))
    }
  }
}
