import CLibCSV

/// A record of a CSV file, or why it could not be read.
public struct CSVRecord: Sendable, Hashable {
  /// The line of the file it begins on, from 1.
  public let line: Int
  public let fields: [String]
  /// Set when the record cannot be read; `fields` is then empty.
  public let fault: String?
}

/// Reads CSV as it comes, chunk by chunk, in constant memory: RFC 4180, and also files with bare LF or CR line ends and a
/// byte order mark. Empty lines are skipped. A record that cannot be read does not stop the ones after it.
public final class CSVParser {
  /// A longer field is a fault of its record, not a demand for memory.
  public static let longestField = 1 << 20

  private var parser = csv_parser()
  private var fields: [String] = []
  private var fault: String?
  private var records: [CSVRecord] = []
  private var line = 1
  private var recordLine = 1
  private var inRecord = false
  private var atStart = true
  private var previousWasCR = false

  public init() {
    csv_init(&parser, UInt8(CSV_APPEND_NULL))
  }

  deinit { csv_free(&parser) }

  /// Parses bytes; calls back for each record they complete.
  public func feed(_ bytes: ArraySlice<UInt8>, _ body: (CSVRecord) throws -> Void) throws {
    var bytes = bytes
    if atStart {
      atStart = false
      if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
    }
    // One line at a time, so that each record knows the line it began on.
    while !bytes.isEmpty {
      let end = bytes.firstIndex { $0 == 0x0A || $0 == 0x0D }.map { $0 + 1 } ?? bytes.endIndex
      try parse(bytes[bytes.startIndex..<end], body)
      if end <= bytes.endIndex, let last = bytes[..<end].last, last == 0x0A || last == 0x0D {
        // CRLF is one line end.
        if !(last == 0x0A && previousWasCR && end - bytes.startIndex == 1) { line += 1 }
        previousWasCR = last == 0x0D
      } else {
        previousWasCR = false
      }
      bytes = bytes[end...]
    }
  }

  /// Parses what is left at the end of the file.
  public func finish(_ body: (CSVRecord) throws -> Void) throws {
    // csv_fini ends the last record; it also ends one whose quotes were never closed.
    let open = parser.quoted != 0 && parser.pstate == 2
    _ = withContext { csv_fini(&parser, fieldRead, recordRead, $0) }
    if open, let last = records.popLast() {
      records.append(CSVRecord(line: last.line, fields: [], fault: "a quote is never closed"))
    }
    try deliver(body)
  }

  private func parse(_ bytes: ArraySlice<UInt8>, _ body: (CSVRecord) throws -> Void) throws {
    if !inRecord, bytes.contains(where: { $0 != 0x0A && $0 != 0x0D }) {
      recordLine = line
      inRecord = true
    }
    let parsed = bytes.withUnsafeBytes { buffer in
      withContext { csv_parse(&parser, buffer.baseAddress, buffer.count, fieldRead, recordRead, $0) }
    }
    if parsed != bytes.count { fault = "it cannot be parsed" }
    if parser.entry_pos > Self.longestField { fault = "a field is longer than 1 MiB" }
    try deliver(body)
  }

  private func deliver(_ body: (CSVRecord) throws -> Void) throws {
    for record in records { try body(record) }
    records.removeAll(keepingCapacity: true)
  }

  private func withContext<T>(_ body: (UnsafeMutableRawPointer) -> T) -> T {
    body(Unmanaged.passUnretained(self).toOpaque())
  }

  fileprivate func read(_ bytes: UnsafeRawBufferPointer) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      fault = "it is not UTF-8"
      return fields.append("")
    }
    fields.append(text)
  }

  fileprivate func endRecord() {
    defer {
      fields.removeAll(keepingCapacity: true)
      fault = nil
      inRecord = false
    }
    if fields.isEmpty, fault == nil { return }
    records.append(CSVRecord(line: recordLine, fields: fault == nil ? fields : [], fault: fault))
  }
}

private func fieldRead(
  _ field: UnsafeMutableRawPointer?, _ length: Int, _ context: UnsafeMutableRawPointer?
) {
  guard let context else { return }
  Unmanaged<CSVParser>.fromOpaque(context).takeUnretainedValue()
    .read(UnsafeRawBufferPointer(start: field, count: field == nil ? 0 : length))
}

private func recordRead(_ terminator: Int32, _ context: UnsafeMutableRawPointer?) {
  guard let context else { return }
  Unmanaged<CSVParser>.fromOpaque(context).takeUnretainedValue().endRecord()
}
