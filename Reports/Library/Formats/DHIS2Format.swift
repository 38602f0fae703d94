import CSV
import Foundation
import Hypertension

/// The file that a DHIS2 imports (`dataValueSets`), in JSON or CSV: a value for each figure and facility that the mapping
/// knows. Of regions only those that it names.
public struct DHIS2Format: Format {
  public enum Kind: Sendable {
    case json, csv
  }

  private let mapping: DHIS2Mapping
  private let kind: Kind

  public init(_ mapping: DHIS2Mapping, as kind: Kind) {
    self.mapping = mapping
    self.kind = kind
  }

  private struct DataValue: Encodable {
    let dataElement: String
    let categoryOptionCombo: String?
    let attributeOptionCombo: String?
    let period: String
    let orgUnit: String
    let value: String
  }

  /// Writes the report value by value.
  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    switch kind {
    case .json: try writeJSON(table, to: output)
    case .csv: try writeCSV(table, to: output)
    }
  }

  private func writeJSON(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    let encoder = JSONRow.encoder(pretty: false)
    let set = try mapping.dataSet.map { "\"dataSet\":\(try encoder.text($0))," } ?? ""
    try output(Array("{\(set)\"dataValues\":[".utf8))
    var isFirst = true
    try forEachValue(table) { value in
      try output(Array("\(isFirst ? "\n" : ",\n")\(try encoder.text(value))".utf8))
      isFirst = false
    }
    try output(Array("\n]}\n".utf8))
  }

  /// The columns of DHIS2's own export, by position.
  private func writeCSV(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    let writer = CSVWriter(raw: true)
    try output(
      writer.record(
        [
          "dataelement", "period", "orgunit", "categoryoptioncombo", "attributeoptioncombo",
          "value",
        ].map { .text($0) }))
    try forEachValue(table) { value in
      try output(
        writer.record([
          .text(value.dataElement), .text(value.period), .text(value.orgUnit),
          value.categoryOptionCombo.map { .text($0) } ?? .empty,
          value.attributeOptionCombo.map { .text($0) } ?? .empty, .decimal(value.value),
        ]))
    }
  }

  /// Facilities and figures that the mapping does not know, and values that are not shown.
  public func notes(_ table: ReportTable) -> [String] {
    guard let places = Places(table) else { return [] }
    let figures = table.columns.compactMap(\.figure?.name)
    let unknown = figures.filter { mapping.dataElements[$0] == nil }
    let others = mapping.dataElements.keys.filter { !figures.contains($0) }.sorted()
    var facilities: [String] = []
    var hidden = 0
    for row in table.rows {
      guard let place = places.place(row) else { continue }
      if mapping.organisationUnits[place.key] == nil {
        if place.isFacility, facilities.last != place.key.text { facilities.append(place.key.text) }
      } else {
        hidden += zip(table.columns, row.cells).count {
          $1 == .hidden && $0.figure.map { mapping.dataElements[$0.name] != nil } ?? false
        }
      }
    }
    let unmapped = Array(Set(facilities)).sorted()
    return [
      unknown.isEmpty ? nil : "not mapped to data elements: \(unknown.joined(separator: " "))",
      others.isEmpty ? nil : "mapped, but not in this report: \(others.joined(separator: " "))",
      unmapped.isEmpty
        ? nil : "not mapped to organisation units: \(unmapped.joined(separator: " "))",
      hidden == 0 ? nil : "left out because they are not shown: \(hidden) values",
    ].compactMap { $0 }
  }

  // MARK: Values

  private func forEachValue(_ table: ReportTable, _ body: (DataValue) throws -> Void) throws {
    guard let places = Places(table) else {
      throw FormatRefusal("'\(table.name)' has no figures of places, which is what DHIS2 takes")
    }
    let columns = table.columns.enumerated().compactMap { number, column in
      column.figure.flatMap { mapping.dataElements[$0.name] }.map { (number, $0) }
    }
    for row in table.rows {
      guard let place = places.place(row), let unit = mapping.organisationUnits[place.key] else {
        continue
      }
      guard let period = Self.period(place.period) else {
        throw FormatRefusal("DHIS2 takes months and quarters, and '\(place.period)' is neither")
      }
      for (number, element) in columns {
        guard let value = Self.value(row.cells[number]) else { continue }
        try body(
          DataValue(
            dataElement: element.dataElement, categoryOptionCombo: element.categoryOptionCombo,
            attributeOptionCombo: mapping.attributeOptionCombo, period: period, orgUnit: unit,
            value: value))
      }
    }
  }

  private static func value(_ cell: ReportTable.Cell) -> String? {
    switch cell {
    case .integer(let number): String(number)
    case .rate(let tenths): ReportTable.Cell.decimal(tenths: tenths)
    case .text, .empty, .hidden: nil
    }
  }

  /// `2024-06` as `202406`; `2024Q2` as it is.
  static func period(_ name: String) -> String? {
    let bytes = Array(name.utf8)
    guard bytes.count == 7 || bytes.count == 6 else { return nil }
    let separator = bytes.count == 7 ? "-" : "Q"
    let parts = name.split(separator: separator, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count == 4,
      parts.allSatisfy({ Int($0) != nil })
    else { return nil }
    return separator == "Q" ? name : parts.joined()
  }

  /// Where a row says which place and period it is of.
  private struct Places {
    private let period: Int
    private let level: Int?
    private let facility: Int
    private let regions: [Int]

    init?(_ table: ReportTable) {
      guard let period = table.place(of: "period"), let facility = table.place(of: "facility_id"),
        table.columns.contains(where: { $0.figure != nil })
      else { return nil }
      self.period = period
      self.facility = facility
      level = table.place(of: "level")
      regions = ["state", "district", "block"].compactMap(table.place)
    }

    /// - Returns: nil for the sizes of facilities, which are no places.
    func place(_ row: ReportTable.Row) -> (key: ExactText, period: String, isFacility: Bool)? {
      let period = row.cells[period].text ?? ""
      let level = level.flatMap { row.cells[$0].text } ?? "facility"
      switch level {
      case "size": return nil
      case "facility": return (ExactText(row.cells[facility].text ?? ""), period, true)
      case "all": return (ExactText("all"), period, false)
      default:
        return (DHIS2Mapping.key(of: regions.compactMap { row.cells[$0].text }), period, false)
      }
    }
  }
}
