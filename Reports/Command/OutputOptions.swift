import ArgumentParser
import Commands
import Foundation
import Output
import Reports

/// Where a report goes, and how it is written.
struct OutputOptions: ParsableArguments {
  @Option(
    help: """
      How it is written. Default: what the file's name ends with (.csv, .json, .ndjson, .md, .txt, .html, .xlsx); without a \
      file, table on a terminal and csv otherwise.
      """)
  var format: FormatName?

  @Option(help: "Write to this file instead of standard output.", completion: .file())
  var output: String?

  @Flag(
    help:
      "CSV for programs: text is left as it is that a spreadsheet would take for a formula, and there is no byte order mark."
  )
  var raw = false

  @Option(
    help: ArgumentHelp(
      "For dhis2 and dhis2-csv: a JSON file that says which data element is which figure, and which organisation unit which facility.",
      valueName: "file"), completion: .file())
  var mapping: String?

  enum FormatName: String, CaseIterable, ExpressibleByArgument {
    case csv, json, ndjson, markdown, table, html, xlsx, dhis2
    case dhis2CSV = "dhis2-csv"
    case fhir
  }

  private var isToTerminal: Bool { output == nil && Terminal.outputIsTerminal }

  /// A file's name and its content agree, so that nobody sends CSV under the name of a workbook.
  func validate() throws {
    guard let output, let ending = FormatName.ending(of: output) else { return }
    let known = FormatName.formats(of: ending)
    if let format, !known.isEmpty, !known.contains(format) {
      throw ValidationError(
        "--format \(format.rawValue) contradicts the file's name: '\(output)' is a name for \(known[0].rawValue). "
          + "Leave --format out, or name the file otherwise")
    }
    if format == nil, known.isEmpty {
      throw ValidationError(
        "no format is known by the ending .\(ending) of '\(output)': name one with --format, or a file that ends with "
          + ".csv, .json, .ndjson, .md, .txt, .html or .xlsx")
    }
  }

  private var formatName: FormatName {
    let ofFile = output.flatMap(FormatName.ending).flatMap { FormatName.formats(of: $0).first }
    return format ?? ofFile ?? (isToTerminal ? .table : .csv)
  }

  /// - Throws: ``Failure`` for a mapping that is not there or not readable.
  func makeFormat() throws -> any Format {
    let name = formatName
    if name == .xlsx, isToTerminal {
      throw Failure.usage("an xlsx file is not text: name a file, --output report.xlsx")
    }
    switch name {
    case .csv: return CSVFormat(raw: raw)
    case .json: return JSONFormat()
    case .ndjson: return NDJSONFormat()
    case .markdown: return MarkdownFormat()
    case .table: return TableFormat(width: Terminal.width, colour: isColoured)
    case .html: return HTMLFormat()
    case .xlsx: return XLSXFormat()
    case .dhis2: return DHIS2Format(try readMapping(), as: .json)
    case .dhis2CSV: return DHIS2Format(try readMapping(), as: .csv)
    case .fhir: return FHIRFormat()
    }
  }

  private var isColoured: Bool {
    isToTerminal && ProcessInfo.processInfo.environment["NO_COLOR"]?.isEmpty != false
  }

  private func readMapping() throws -> DHIS2Mapping {
    guard let mapping else {
      throw Failure.usage(
        "the dhis2 formats need --mapping FILE, which says what is what in DHIS2 (docs/reports.md)")
    }
    return try DHIS2Mapping(reading: mapping)
  }

  /// Writes the report piece by piece; to a file whole or not at all. A list of patients is its owner's alone.
  func write(_ table: ReportTable, _ format: any Format) throws {
    do {
      if let output {
        let file = try OutputFile(output, isPrivate: table.isListOfPatients)
        try Self.write(table, format) { try file.write($0) }
        try file.finish()
      } else {
        let isFiltered = isToTerminal && formatName != .table
        try Self.write(table, format) { bytes in
          try StandardStreams.write(isFiltered ? Self.printable(bytes) : bytes)
        }
      }
    } catch let refusal as FormatRefusal {
      throw Failure.usage(refusal.description)
    }
    for note in format.notes(table) { Terminal.say(note) }
  }

  /// Bytes are written when there are some ten thousand of them.
  private static func write(
    _ table: ReportTable, _ format: any Format, to output: ([UInt8]) throws -> Void
  ) throws {
    var waiting: [UInt8] = []
    try format.write(table) { bytes in
      waiting += bytes
      guard waiting.count >= 1 << 16 else { return }
      try output(waiting)
      waiting.removeAll(keepingCapacity: true)
    }
    try output(waiting)
  }

  /// What a file may hold and a terminal may not; a table has seen to that itself, and has colours.
  private static func printable(_ bytes: [UInt8]) -> [UInt8] {
    let text = String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
    return Array(text.printableLines.utf8)
  }
}

extension OutputOptions.FormatName {
  /// What stands behind the last point of a file's name, in small letters; nil where there is none.
  fileprivate static func ending(of path: String) -> String? {
    let ending = (path as NSString).pathExtension.lowercased()
    return ending.isEmpty ? nil : ending
  }

  /// The formats that a file with this ending can have, first the one that it has by itself; none for an ending that no format
  /// is known by. A format's own name is an ending, too.
  fileprivate static func formats(of ending: String) -> [Self] {
    switch ending {
    case "csv": [.csv, .dhis2CSV]
    case "json": [.json, .dhis2, .fhir]
    case "ndjson", "jsonl": [.ndjson]
    case "md", "markdown": [.markdown]
    case "txt": [.table] + allCases.filter { $0 != .table && $0 != .xlsx }
    case "html", "htm": [.html]
    default: Self(rawValue: ending).map { [$0] } ?? []
    }
  }
}

extension DHIS2Mapping {
  /// Of a file.
  /// - Throws: ``Failure`` for one that is not there or not readable.
  init(reading file: String) throws {
    do {
      self = try DHIS2Mapping(Data(contentsOf: URL(fileURLWithPath: file)))
    } catch let error as DHIS2Mapping.Unreadable {
      throw Failure.data("\(file): \(error.description)")
    } catch {
      throw Failure.data("cannot read \(file): \(FileReason.words(error))")
    }
  }
}
