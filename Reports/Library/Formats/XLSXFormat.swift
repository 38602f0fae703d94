import CLibXLSXWriter
import Foundation
import Output

/// A workbook (Office Open XML), by libxlsxwriter: what the report says of itself with a chart, and a sheet a level, each
/// with numbers as numbers, a head that stays in sight, and a filter.
public struct XLSXFormat: Format {
  public init() {}

  /// Excel's sheets have 1,048,576 rows.
  private static let mostRows = 1_048_575

  /// Writes the report to a file in the temporary folder, row by row, and hands on its bytes. Nobody else may read that file,
  /// which may be a list of patients.
  public func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws {
    guard table.rows.count <= Self.mostRows else {
      throw FormatRefusal(
        "\(table.rows.count) rows are more than a sheet has; --format csv has room for them")
    }
    let file = try TemporaryFile()
    try Workbook(table, file.path).write()
    while let bytes = try file.read() { try output(bytes) }
  }
}

/// A file of mode 0600 in the temporary folder, gone with this object.
private final class TemporaryFile {
  let path: String
  private let handle: FileHandle

  init() throws(OutputFailure) {
    let folder = FileManager.default.temporaryDirectory.path
    // The library opens and fills the file that mkstemp has made, which keeps its mode.
    var template = Array("\(folder)/report-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else {
      throw OutputFailure("a temporary file in \(folder)", code: errno)
    }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  deinit { unlink(path) }

  /// The next bytes; nil at the end.
  func read() throws -> [UInt8]? {
    guard let bytes = try handle.read(upToCount: 1 << 16), !bytes.isEmpty else { return nil }
    return Array(bytes)
  }
}

/// A workbook while it is being written.
private struct Workbook {
  private let table: ReportTable
  private let path: String
  private let book: UnsafeMutablePointer<lxw_workbook>
  private let head: UnsafeMutablePointer<lxw_format>?
  private let rate: UnsafeMutablePointer<lxw_format>?
  private let count: UnsafeMutablePointer<lxw_format>?

  init(_ table: ReportTable, _ path: String) throws {
    self.table = table
    self.path = path
    errno = 0
    // Rows go to the disk as they come.
    var options = lxw_workbook_options()
    options.constant_memory = 1
    guard let book = workbook_new_opt(path, &options) else {
      throw OutputFailure(path, code: errno == 0 ? ENOMEM : errno)
    }
    self.book = book
    head = workbook_add_format(book)
    format_set_bold(head)
    format_set_text_wrap(head)
    format_set_border(head, UInt8(LXW_BORDER_THIN.rawValue))
    rate = workbook_add_format(book)
    format_set_num_format(rate, "0.0")
    count = workbook_add_format(book)
    format_set_num_format(count, "#,##0")
  }

  /// A level's sheet, and where its next row goes.
  private struct Sheet {
    let name: String
    let sheet: UnsafeMutablePointer<lxw_worksheet>
    var next: UInt32 = 1
  }

  /// The folder is left clean whatever happens: closing the workbook frees it.
  func write() throws {
    let about = workbook_add_worksheet(book, "About")
    writeFacts(about)
    let level = table.place(of: "level")
    var sheets: [Sheet] = []
    for row in table.rows {
      let name = (level.flatMap { row.cells[$0].text } ?? "report").capitalized
      let place: Int
      if let there = sheets.firstIndex(where: { $0.name == name }) {
        place = there
      } else {
        sheets.append(try add(name))
        place = sheets.count - 1
      }
      write(row, to: &sheets[place])
    }
    if sheets.isEmpty { sheets.append(try add("Report")) }
    for one in sheets where one.next > 1 {
      worksheet_autofilter(one.sheet, 0, 0, one.next - 1, UInt16(table.columns.count - 1))
    }
    if let about { drawCharts(sheets, on: about) }
    errno = 0
    guard workbook_close(book) == LXW_NO_ERROR else {
      // The library names no reason when the disk is full while it compresses.
      throw OutputFailure(
        "a temporary file for the workbook, \(path)", code: errno == 0 ? ENOSPC : errno)
    }
  }

  private func add(_ name: String) throws -> Sheet {
    guard let sheet = workbook_add_worksheet(book, name) else {
      throw OutputFailure(path, code: errno == 0 ? ENOMEM : errno)
    }
    for (number, column) in table.columns.enumerated() {
      let place = UInt16(number)
      worksheet_set_column(sheet, place, place, column.isNumber ? 12 : 18, nil)
      worksheet_write_string(sheet, 0, place, column.name, head)
    }
    worksheet_freeze_panes(sheet, 1, 0)
    worksheet_repeat_rows(sheet, 0, 0)
    worksheet_set_landscape(sheet)
    worksheet_set_paper(sheet, 9)  // A4
    worksheet_fit_to_pages(sheet, 1, 0)
    return Sheet(name: name, sheet: sheet)
  }

  private func write(_ row: ReportTable.Row, to sheet: inout Sheet) {
    for (number, cell) in row.cells.enumerated() {
      let place = UInt16(number)
      switch cell {
      case .text(let text): put(text, sheet.sheet, sheet.next, place)
      case .integer(let value):
        worksheet_write_number(sheet.sheet, sheet.next, place, Double(value), count)
      case .rate(let tenths):
        worksheet_write_number(sheet.sheet, sheet.next, place, Double(tenths) / 10, rate)
      case .hidden: put(ReportTable.Cell.hiddenMark, sheet.sheet, sheet.next, place)
      case .empty: break
      }
    }
    sheet.next += 1
  }

  /// A string is never a formula; a cell has room for 32,767 characters.
  private func put(
    _ text: String, _ sheet: UnsafeMutablePointer<lxw_worksheet>?, _ row: UInt32, _ column: UInt16
  ) {
    worksheet_write_string(sheet, row, column, String(text.printable.prefix(32_000)), nil)
  }

  private func writeFacts(_ sheet: UnsafeMutablePointer<lxw_worksheet>?) {
    worksheet_set_column(sheet, 0, 0, 22, nil)
    worksheet_set_column(sheet, 1, 1, 70, nil)
    worksheet_write_string(sheet, 0, 0, table.title.printable, head)
    for (number, fact) in table.facts.enumerated() {
      put(fact.name.replacing("_", with: " "), sheet, UInt32(number + 1), 0)
      put(fact.value, sheet, UInt32(number + 1), 1)
    }
  }

  // MARK: Charts

  /// Below the facts. Of several periods a line over the outermost sheet, of one period bars of the next level.
  private func drawCharts(_ sheets: [Sheet], on about: UnsafeMutablePointer<lxw_worksheet>) {
    for chart in table.charts.prefix(1) {
      guard let place = table.place(of: chart.column) else { continue }
      let filled = sheets.filter { $0.next > 1 }
      let inner = filled.first { $0.next > 2 }
      guard let sheet = chart.kind == .lines ? filled.first : inner ?? filled.first else {
        continue
      }
      let names = chart.kind == .lines ? ["period"] : [sheet.name.lowercased(), "facility"]
      guard let label = names.compactMap(table.place).first else { continue }
      let kind = chart.kind == .lines ? LXW_CHART_LINE : LXW_CHART_BAR
      guard let drawing = workbook_add_chart(book, UInt8(kind.rawValue)) else { continue }
      let last = min(sheet.next - 1, 60)
      let series = chart_add_series(
        drawing, reference(sheet.name, label, last), reference(sheet.name, place, last))
      chart_series_set_name(series, chart.title)
      chart_title_set_name(drawing, chart.title)
      chart_legend_set_position(drawing, UInt8(LXW_CHART_LEGEND_NONE.rawValue))
      worksheet_insert_chart(about, UInt32(table.facts.count + 3), 0, drawing)
    }
  }

  /// `='District'!$C$2:$C$9`
  private func reference(_ sheet: String, _ column: Int, _ last: UInt32) -> String {
    let name = Self.column(column)
    return "='\(sheet)'!$\(name)$2:$\(name)$\(last + 1)"
  }

  /// A, B, …, Z, AA, …
  private static func column(_ number: Int) -> String {
    let letter = String(UnicodeScalar(UInt8(65 + number % 26)))
    return number < 26 ? letter : column(number / 26 - 1) + letter
  }
}
