import ArgumentParser
import Commands
import Foundation
import Reports

/// Where a report goes, and how it is written.
struct OutputOptions: ParsableArguments {
  @Option(help: "How it is written. Default: table on a terminal, csv otherwise.")
  var format: FormatName?

  @Option(help: "Write to this file instead of standard output.")
  var output: String?

  @Flag(
    help:
      "CSV for programs: text is left as it is that a spreadsheet would take for a formula, and there is no byte order mark."
  )
  var raw = false

  @Option(
    help: ArgumentHelp(
      "For dhis2 and dhis2-csv: a JSON file that says which data element is which figure, and which organisation unit which facility.",
      valueName: "file"))
  var mapping: String?

  enum FormatName: String, CaseIterable, ExpressibleByArgument {
    case csv, json, ndjson, markdown, table, html, xlsx, dhis2
    case dhis2CSV = "dhis2-csv"
    case fhir
  }

  private var isToTerminal: Bool { output == nil && Terminal.outputIsTerminal }

  /// - Throws: ``Failure`` for a mapping that is not there or not readable.
  func makeFormat() throws -> any Format {
    let name = format ?? (isToTerminal ? .table : .csv)
    if name == .xlsx, isToTerminal {
      throw Failure.usage(
        "an xlsx file is nothing for a terminal: name a file, --output report.xlsx")
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
        "dhis2 needs to know what is what there: --mapping dhis2.json (docs/reports.md)")
    }
    return try DHIS2Mapping(reading: mapping)
  }

  /// Writes the report piece by piece; to a file whole or not at all.
  func write(_ table: ReportTable, _ format: any Format) throws {
    do {
      if let output {
        try writeFile(table, format, output)
      } else {
        try Self.write(table, format, to: .standardOutput)
      }
    } catch let refusal as FormatRefusal {
      throw Failure.usage(refusal.description)
    }
    for note in format.notes(table) { Terminal.say(note) }
  }

  /// Under another name first: the file is there whole or not at all.
  private func writeFile(_ table: ReportTable, _ format: any Format, _ output: String) throws {
    let draft = "\(output).\(ProcessInfo.processInfo.processIdentifier).part"
    do {
      guard FileManager.default.createFile(atPath: draft, contents: nil),
        let file = FileHandle(forWritingAtPath: draft)
      else { throw CocoaError(.fileNoSuchFile) }
      try Self.write(table, format, to: file)
      try file.close()
      guard rename(draft, output) == 0 else {
        throw CocoaError(.fileWriteUnknown)
      }
    } catch let refusal as FormatRefusal {
      try? FileManager.default.removeItem(atPath: draft)
      throw refusal
    } catch {
      try? FileManager.default.removeItem(atPath: draft)
      throw Failure(code: 73, "cannot write \(output): \(error.localizedDescription)")
    }
  }

  /// Bytes are written when there are some ten thousand of them.
  private static func write(_ table: ReportTable, _ format: any Format, to file: FileHandle) throws
  {
    var waiting: [UInt8] = []
    try format.write(table) { bytes in
      waiting += bytes
      guard waiting.count >= 1 << 16 else { return }
      try file.write(contentsOf: Data(waiting))
      waiting.removeAll(keepingCapacity: true)
    }
    try file.write(contentsOf: Data(waiting))
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
      throw Failure.data("cannot read \(file): \(error.localizedDescription)")
    }
  }
}
