import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import TestSupport
import Testing

/// The report of the example programme, and what it may read.
@Suite struct DistrictBPTests {
  private func csv(_ report: ReportTable, raw: Bool = false) throws -> String {
    var bytes: [UInt8] = []
    try CSVFormat(raw: raw).write(report) { bytes += $0 }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func theExampleAsCSV() async throws {
    try await ExampleProgramme.with { database in
      let report = try await DistrictBP(Period(parsing: "2024Q2"), district: "Bathinda").make(
        database.pool)
      #expect(try csv(report) == Self.golden)
      #expect(try csv(report, raw: true) == Self.golden.replacing("'=CHC", with: "=CHC"))
    }
  }

  @Test func otherLimitsMoveTheLineOnly() async throws {
    try await ExampleProgramme.with { database in
      let period = try Period(parsing: "2024Q2")
      let report = try await DistrictBP(
        period, district: "Bathinda", limits: ControlLimits(systolic: 139, diastolic: 90)
      ).make(database.pool)
      let all = report.rows[0].cells
      func cell(_ name: String) throws -> ReportTable.Cell {
        all[try #require(report.columns.firstIndex { $0.name == name })]
      }
      #expect(try cell("controlled") == .integer(0), "139 is not below 139")
      #expect(try cell("uncontrolled") == .integer(1))
      #expect(try cell("denominator") == .integer(3))
    }
  }

  @Test func theFirstAndTheLastPeriodsAreReportedToo() async throws {
    try await ExampleProgramme.with { database in
      for period in ["0001-01", "0001Q1", "9999-12", "9999Q4"] {
        let report = try await DistrictBP(Period(parsing: period)).make(database.pool)
        #expect(report.rows.count > 3, "\(period)")
      }
    }
  }

  /// Counted by hand. Lines end with CR LF; the quotation mark is doubled and the formula is made
  /// text.
  static let golden =
    [
      Oracle.header.joined(separator: ","),
      "2024Q2,district,Punjab,Bathinda,,,,6,1,5,4,1,1,2,1,1,3,1,0,1,1,33.3,0.0,33.3,33.3,2,1,0,1,0,50.0,open,0",
      "2024Q2,facility,Punjab,Bathinda,,00000000-0000-0000-0000-000000000002,'=CHC,"
        + "4,1,3,2,1,1,1,0,1,1,0,0,0,1,0.0,0.0,0.0,100.0,0,0,0,0,0,,open,0",
      "2024Q2,block,Punjab,Bathinda,Maur,,,2,0,2,2,0,0,1,1,0,2,1,0,1,0,50.0,0.0,50.0,0.0,2,1,0,1,0,50.0,open,0",
      "2024Q2,facility,Punjab,Bathinda,Maur,00000000-0000-0000-0000-000000000001,\"PHC \"\"Main\"\", Maur\","
        + "2,0,2,2,0,0,1,1,0,2,1,0,1,0,50.0,0.0,50.0,0.0,2,1,0,1,0,50.0,open,0",
    ].map { $0 + "\r\n" }.joined()
}
