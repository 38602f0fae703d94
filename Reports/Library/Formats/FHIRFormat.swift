import Foundation
import Hypertension
import PeriodRollups

/// A Bundle of FHIR R4 MeasureReports, one a row: each figure is a group, with numerator and denominator where it is a rate.
///
/// An open period's reports are `pending`, a closed one's `complete`. A number that is not shown is `masked`
/// (data-absent-reason).
public struct FHIRFormat: Format {
  public init() {}

  /// Writes the report row by row.
  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    guard let period = table.place(of: "period"),
      table.columns.contains(where: { $0.figure != nil })
    else {
      throw FormatRefusal(
        "'\(table.name)' has no figures of a period, which is what a MeasureReport says")
    }
    let encoder = JSONRow.encoder(pretty: false)
    try output(Array("{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[".utf8))
    for (number, row) in table.rows.enumerated() {
      guard let span = Span(row.cells[period].text ?? "") else {
        throw FormatRefusal("'\(row.cells[period].text ?? "")' is no period of days")
      }
      let report = MeasureReport(table, row, span)
      let entry = Entry(fullUrl: "urn:uuid:\(report.uuid)", resource: report)
      try output(Array("\(number == 0 ? "\n" : ",\n")\(try encoder.text(entry))".utf8))
    }
    try output(Array("\n]}\n".utf8))
  }

  private struct Entry: Encodable {
    let fullUrl: String
    let resource: MeasureReport
  }
}

/// FHIR's Period: its first and last day.
private struct Span: Encodable {
  let start: String
  let end: String

  /// Of `2024-06`, `2024Q2` or `2024-01-20/2024-03-05`.
  init?(_ name: String) {
    let days = name.split(separator: "/").map(String.init)
    if days.count == 2 {
      (start, end) = (days[0], days[1])
    } else if let period = try? Period(parsing: name) {
      (start, end) = ("\(period.start)", "\(period.lastDay)")
    } else {
      return nil
    }
  }
}

/// As far as a summary of figures needs it (HL7 FHIR R4, MeasureReport).
private struct MeasureReport: Encodable {
  let resourceType = "MeasureReport"
  let id: String
  let status: String
  let type = "summary"
  let measure: String
  let reporter: Reporter
  let period: Span
  let group: [Group]

  /// The same for the same row.
  let uuid: String

  private enum CodingKeys: CodingKey {
    case resourceType, id, status, type, measure, reporter, period, group
  }

  init(_ table: ReportTable, _ row: ReportTable.Row, _ span: Span) {
    func text(_ column: String) -> String? {
      table.place(of: column).flatMap { row.cells[$0].text }
    }
    let words = ["period", "level", "state", "district", "block", "facility_id", "size"]
    uuid = Self.uuid(([table.name] + words.map { text($0) ?? "" }).joined(separator: "\u{1F}"))
    id = uuid
    status = text("status") == "closed" ? "complete" : "pending"
    measure = "urn:period-rollups:measure:\(table.name)"
    reporter = Reporter(id: text("facility_id"), display: row.label)
    period = span
    let tally = Dictionary(
      zip(table.columns, row.cells).compactMap { column, cell in
        column.figure.map { ($0.name, cell) }
      }
    ) { first, _ in first }
    // Counts that belong to a rate are said with it.
    let figures = table.columns.compactMap(\.figure)
    let ofRates = Set(figures.filter(\.isRate).flatMap(\.counts))
    group = figures.filter { $0.isRate || !ofRates.contains($0.name) }.map { Group($0, tally) }
  }

  /// Of RFC 9562's version 8: 128 bits of FNV-1a, twice 64 with different beginnings.
  private static func uuid(_ text: String) -> String {
    func hash(_ seed: UInt64) -> UInt64 {
      text.utf8.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
    var bytes: [UInt8] = []
    for part in [hash(0xCBF2_9CE4_8422_2325), hash(0x8422_2325_CBF2_9CE4)] {
      for place in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: part >> UInt64(place)))
      }
    }
    bytes[6] = bytes[6] & 0x0F | 0x80
    bytes[8] = bytes[8] & 0x3F | 0x80
    let digits = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
    return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }.joined(separator: "-")
  }

  struct Reporter: Encodable {
    let type = "Organization"
    let identifier: Identifier?
    let display: String

    struct Identifier: Encodable {
      let system = "urn:ietf:rfc:3986"
      let value: String
    }

    init(id: String?, display: String) {
      identifier = id.flatMap { $0.isEmpty ? nil : Identifier(value: "urn:uuid:\($0)") }
      self.display = display
    }

    private enum CodingKeys: CodingKey { case type, identifier, display }
  }

  struct Group: Encodable {
    let code: Concept
    let population: [Population]
    let measureScore: Score?

    init(_ figure: Figure, _ cells: [String: ReportTable.Cell]) {
      code = Concept(system: "urn:period-rollups:figure", code: figure.name, text: figure.title)
      switch figure.kind {
      case .count:
        population = [Population("initial-population", cells[figure.name])]
        measureScore = nil
      case .rate(let part, let whole):
        population = [
          Population("numerator", cells[part]), Population("denominator", cells[whole]),
        ]
        measureScore = cells[figure.name].flatMap { Score($0) }
      }
    }
  }

  struct Concept: Encodable {
    let coding: [Coding]
    let text: String?

    struct Coding: Encodable {
      let system: String
      let code: String
    }

    init(system: String, code: String, text: String? = nil) {
      coding = [Coding(system: system, code: code)]
      self.text = text
    }
  }

  struct Population: Encodable {
    let code: Concept
    let count: Int?
    let masked: Absence?

    init(_ kind: String, _ cell: ReportTable.Cell?) {
      code = Concept(
        system: "http://terminology.hl7.org/CodeSystem/measure-population", code: kind)
      if case .integer(let number) = cell { count = number } else { count = nil }
      masked = cell == .hidden ? Absence() : nil
    }

    private enum CodingKeys: String, CodingKey {
      case code, count
      case masked = "_count"
    }
  }

  struct Score: Encodable {
    let value: Decimal?
    let unit: String?
    let system: String?
    let code: String?
    let `extension`: [Absence.Extension]?

    /// - Returns: nil where there is no rate.
    init?(_ cell: ReportTable.Cell) {
      switch cell {
      case .rate(let tenths):
        value = Decimal(tenths) / 10
        (unit, system, code, `extension`) = ("%", "http://unitsofmeasure.org", "%", nil)
      case .hidden:
        (value, unit, system, code) = (nil, nil, nil, nil)
        `extension` = Absence().extension
      default: return nil
      }
    }
  }

  struct Absence: Encodable {
    let `extension` = [Extension()]

    struct Extension: Encodable {
      let url = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
      let valueCode = "masked"

      private enum CodingKeys: CodingKey { case url, valueCode }
    }

    private enum CodingKeys: CodingKey { case `extension` }
  }
}
