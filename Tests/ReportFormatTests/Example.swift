import Foundation

@testable import Reports

/// A report of one district with two facilities.
func example(name: String = "PHC Goniana", sections: [ReportTable.Section]? = nil) -> ReportTable {
  ReportTable(
    name: "example", title: "An example, 2024Q2",
    facts: [("report", "example"), ("period", "2024Q2"), ("controlled_below", "140/90")],
    columns: [
      .init("facility", "Facility", isNumber: false), .init("registered", "Registered"),
      .init("controlled", "Controlled"), .init("controlled_rate", "Controlled %"),
    ],
    sections: sections ?? [
      .init("Registrations", ["registered"]), .init("Control", ["controlled", "controlled_rate"]),
    ],
    rows: [
      .init(
        label: "Bathinda", depth: 0,
        cells: [.empty, .integer(12_345), .integer(50), .rate(tenths: 512)]),
      .init(
        label: name, depth: 1,
        cells: [.text(name), .integer(12_345), .integer(50), .rate(tenths: 500)]),
      .init(
        label: "ਬਠਿੰਡਾ", depth: 1, cells: [.text("ਬਠਿੰਡਾ"), .integer(0), .integer(0), .empty]),
    ])
}

func text(_ format: some Format, _ table: ReportTable) throws -> String {
  var bytes: [UInt8] = []
  try format.write(table) { bytes += $0 }
  return String(decoding: bytes, as: UTF8.self)
}
