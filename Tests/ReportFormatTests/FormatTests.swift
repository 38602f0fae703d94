import Foundation
import Testing

@testable import Reports

@Suite("Reports as files")
struct FormatTests {
  @Test("CSV has exactly the columns, and a facility's name is no formula unless it is raw")
  func csv() throws {
    let table = example(name: "=1+1, \"x\"")
    #expect(
      try text(CSVFormat(), table)
        == "\u{FEFF}facility,registered,controlled,controlled_rate\r\n,12345,50,51.2\r\n"
        + "\"'=1+1, \"\"x\"\"\",12345,50,50.0\r\nਬਠਿੰਡਾ,0,0,\r\n")
    #expect(try text(CSVFormat(raw: true), table).contains("\r\n\"=1+1, \"\"x\"\"\",12345"))
  }

  @Test("CSV has a byte order mark only where a spreadsheet needs it, and never for programs")
  func mark() throws {
    let table = example()
    #expect(try text(CSVFormat(), table).hasPrefix("\u{FEFF}facility"))
    #expect(try text(CSVFormat(raw: true), table).hasPrefix("facility"))
    let plain = ReportTable(
      name: table.name, title: table.title, facts: [], columns: table.columns, sections: [],
      rows: Array(table.rows.prefix(2)))
    #expect(try text(CSVFormat(), plain).hasPrefix("facility"))
  }

  @Test("a rate below zero keeps its sign in front")
  func negative() {
    #expect(ReportTable.Cell.decimal(tenths: -5) == "-0.5")
    #expect(ReportTable.Cell.decimal(tenths: -512) == "-51.2")
  }

  @Test("JSON is one object: facts, and rows by column; numbers are numbers, what is empty is null")
  func json() throws {
    let written = try text(JSONFormat(), example())
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(written.utf8)) as? [String: Any])
    #expect(object["report"] as? String == "example")
    #expect(object["controlled_below"] as? String == "140/90")
    let rows = try #require(object["rows"] as? [[String: Any]])
    #expect(
      rows.map { $0.keys.sorted() }.allSatisfy { $0 == example().columns.map(\.name).sorted() })
    #expect(rows[0]["registered"] as? Int == 12_345)
    #expect(rows[0]["facility"] is NSNull && rows[2]["controlled_rate"] is NSNull)
    #expect(written.contains("\"controlled_rate\" : 51.2,"))
  }

  @Test("equal reports are equal bytes")
  func stable() throws {
    let first = try text(JSONFormat(), example())
    for _ in 0..<20 { #expect(try text(JSONFormat(), example()) == first) }
  }

  @Test("an axis goes as far as its numbers, in steps that people count in")
  func axis() {
    for (most, step) in [
      (1.0, 1.0), (4, 1), (5, 2), (9, 5), (21, 10), (100, 25), (101, 50), (3221, 1000),
      (16_311, 5000), (402_113, 200_000),
    ] {
      #expect(SVGChart.step(to: most) == step, "\(most)")
    }
  }
}
