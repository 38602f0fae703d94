import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Reports

/// A format that a report can be downloaded in.
enum ServedFormat: String, CaseIterable, Sendable {
  case csv, json, ndjson, markdown, html, xlsx, fhir, dhis2
  case dhis2CSV = "dhis2-csv"

  /// Those that the service can write: DHIS2 takes a mapping.
  static func offered(hasMapping: Bool) -> [ServedFormat] {
    hasMapping ? allCases : allCases.filter { !$0.isDHIS2 }
  }

  var isDHIS2: Bool { self == .dhis2 || self == .dhis2CSV }

  /// Whether it says figures of periods, and nothing else.
  var isOfFigures: Bool { self == .fhir || isDHIS2 }

  /// What a link to it says.
  var title: String {
    switch self {
    case .csv: "CSV"
    case .json: "JSON"
    case .ndjson: "NDJSON"
    case .markdown: "Markdown"
    case .html: "Page to print"
    case .xlsx: "Excel"
    case .fhir: "FHIR"
    case .dhis2: "DHIS2, JSON"
    case .dhis2CSV: "DHIS2, CSV"
    }
  }

  var mediaType: String {
    switch self {
    case .csv, .dhis2CSV: "text/csv; charset=utf-8"
    case .json, .dhis2: "application/json; charset=utf-8"
    case .ndjson: "application/x-ndjson; charset=utf-8"
    case .markdown: "text/markdown; charset=utf-8"
    case .html: "text/html; charset=utf-8"
    case .xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    case .fhir: "application/fhir+json; charset=utf-8"
    }
  }

  private var suffix: String {
    switch self {
    case .markdown: "md"
    case .fhir, .dhis2: "json"
    case .dhis2CSV: "csv"
    default: rawValue
    }
  }

  /// - Throws: ``Refusal`` for DHIS2 without a mapping.
  func make(_ mapping: DHIS2Mapping?) throws(Refusal) -> any Format {
    switch self {
    case .csv: return CSVFormat(raw: false)
    case .json: return JSONFormat()
    case .ndjson: return NDJSONFormat()
    case .markdown: return MarkdownFormat()
    case .html: return HTMLFormat()
    case .xlsx: return XLSXFormat()
    case .fhir: return FHIRFormat()
    case .dhis2, .dhis2CSV:
      guard let mapping else {
        throw .usage("this service has no DHIS2 mapping: 'report serve --mapping' gives it one")
      }
      return DHIS2Format(mapping, as: self == .dhis2 ? .json : .csv)
    }
  }

  /// The report as a file.
  func response(_ table: ReportTable, _ mapping: DHIS2Mapping?) throws -> Response {
    let format = try make(mapping)
    var body = ByteBuffer()
    try format.write(table) { bytes in body.writeBytes(bytes) }
    let name = "\(table.name)-\(table.facts.first { $0.name == "period" }?.value ?? "now")"
    let safe = String(
      name.unicodeScalars.map { scalar -> Character in
        scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
          ? Character(scalar) : "-"
      })
    return Response(
      status: .ok,
      headers: [
        .contentType: mediaType,
        .contentDisposition: "attachment; filename=\"\(safe).\(suffix)\"",
      ], body: .init(byteBuffer: body))
  }
}
