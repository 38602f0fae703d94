/// The record that is being read, and those that are complete but not yet delivered: what libcsv's
/// callbacks write to, through the `void *` that they carry.
final class OpenRecord {
  static let fieldTooLong = "a field is longer than \(CSVParser.longestField >> 20) MiB"
  static let tooManyFields = "the record has more than \(CSVParser.mostFields) fields"

  /// Bytes of the file in the record so far.
  var length = 0
  private var line = 1
  private var fields: [String] = []
  private var fault: String?
  private var complete: [CSVRecord] = []

  /// What libcsv carries. The parser that passes it owns this object and so outlives the call.
  var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

  func begin(_ line: Int) {
    self.line = line
    length = 0
  }

  func add(_ field: UnsafeRawBufferPointer) {
    if field.count > CSVParser.longestField { fault = fault ?? Self.fieldTooLong }
    if fields.count == CSVParser.mostFields { fault = fault ?? Self.tooManyFields }
    guard fault == nil else { return }
    // Most fields are ASCII, for which decoding is several times as fast as validating.
    let isASCII = field.allSatisfy { $0 < 0x80 }
    if let text = isASCII
      ? String(decoding: field, as: UTF8.self) : String(validating: field, as: UTF8.self)
    {
      fields.append(text)
    } else {
      fault = "field \(fields.count + 1) is not UTF-8"
    }
  }

  func end() {
    complete.append(CSVRecord(line: line, fields: fault == nil ? fields : [], fault: fault))
    clear()
  }

  /// Ends the record on the given line, which may be far below the one it began on: a stray quote
  /// takes lines with it.
  func fail(_ reason: String, on last: Int) {
    let lines = last > line ? "; lines \(line) to \(last) are not read" : ""
    complete.append(CSVRecord(line: line, fields: [], fault: reason + lines))
    clear()
  }

  func deliver(_ body: (CSVRecord) throws -> Void) rethrows {
    guard !complete.isEmpty else { return }
    for record in complete { try body(record) }
    complete.removeAll(keepingCapacity: true)
  }

  private func clear() {
    // The array has gone to the record: a next one is likely to be as wide.
    let width = fields.count
    fields = []
    fields.reserveCapacity(width)
    fault = nil
    length = 0
  }
}
