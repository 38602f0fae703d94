import CLibCSV
import Foundation

/// Reads CSV as it comes, chunk by chunk, in constant memory: RFC 4180, and also files with bare LF
/// or CR line ends and a byte order mark.
///
/// Lines of nothing but blanks are skipped. Blanks around a field are not part of it, unless they
/// are inside its quotes. A record that cannot be read is delivered with its fault, and reading
/// goes on at the next line: a stray quote, a quote that is never closed, a field that is no UTF-8,
/// a field or record beyond the bounds below.
///
/// ```swift
/// let parser = CSVParser()
/// while let chunk = try file.next() { try parser.feed(chunk) { record in … } }
/// try parser.finish { record in … }
/// ```
public final class CSVParser {
  /// A longer field, in bytes, is a fault of its record, not a demand for memory.
  public static let longestField = 1 << 20
  /// A longer record, in bytes, is a fault too.
  public static let longestRecord = 4 << 20
  /// More fields are a fault too: an empty one costs sixteen times its comma.
  public static let mostFields = 10_000

  // libcsv is given at most this much of a line at a time, so that a field outgrows its bound by no
  // more than that.
  private static let longestPiece = 64 << 10
  private static let options = UInt8(CSV_STRICT | CSV_STRICT_FINI)

  private var parser = csv_parser()
  private let open = OpenRecord()
  private var mark = ByteOrderMark()
  private var line = 1
  private var previousWasCR = false
  /// After a fault: what follows on the same line is not a record.
  private var isSkippingLine = false

  /// A parser at the beginning of a file.
  public init() { start() }

  deinit { csv_free(&parser) }

  /// Parses the next bytes of the file and calls back for each record that they complete.
  /// - Throws: what `body` throws; the parser is then of no more use.
  public func feed(_ bytes: UnsafeRawBufferPointer, _ body: (CSVRecord) throws -> Void) throws {
    var rest = bytes
    if let lead = mark.take(&rest) { try lead.withUnsafeBytes { try parse($0, body) } }
    try parse(rest, body)
  }

  /// Parses the next bytes of the file and calls back for each record that they complete.
  /// - Throws: what `body` throws; the parser is then of no more use.
  public func feed(_ bytes: ArraySlice<UInt8>, _ body: (CSVRecord) throws -> Void) throws {
    try bytes.withUnsafeBytes { try feed($0, body) }
  }

  /// Parses what is left at the end of the file, whose last line need not be ended.
  /// - Throws: what `body` throws.
  public func finish(_ body: (CSVRecord) throws -> Void) throws {
    if let lead = mark.end() { try lead.withUnsafeBytes { try parse($0, body) } }
    if csv_fini(&parser, fieldRead, recordRead, open.context) != 0 {
      fail("a quote is never closed")
    }
    try open.deliver(body)
  }

  /// One physical line at a time, so that each record knows the line it began on.
  private func parse(_ bytes: UnsafeRawBufferPointer, _ body: (CSVRecord) throws -> Void) throws {
    var rest = bytes
    while !rest.isEmpty {
      let piece = Self.firstLine(of: rest)
      parse(piece: piece)
      countLine(piece)
      try open.deliver(body)
      rest = UnsafeRawBufferPointer(rebasing: rest[piece.count...])
    }
  }

  private func parse(piece: UnsafeRawBufferPointer) {
    guard !isSkippingLine else { return }
    if parser.pstate == rowNotBegun { open.begin(line) }
    open.length += piece.count
    let parsed = csv_parse(
      &parser, piece.baseAddress, piece.count, fieldRead, recordRead, open.context)
    if parsed < piece.count {
      fail(reasonOfError())
    } else if parser.entry_pos > Self.longestField {
      fail(OpenRecord.fieldTooLong)
    } else if open.length > Self.longestRecord {
      fail("the record is longer than \(Self.longestRecord >> 20) MiB")
    }
  }

  private func reasonOfError() -> String {
    guard csv_error(&parser) == CSV_EPARSE else { return "there is no memory to read it" }
    return parser.quoted == 0
      ? "a quote is inside a field that does not begin with one"
      : "a quote inside a quoted field is not doubled, or text follows the closing quote"
  }

  /// The record ends here with a fault. libcsv cannot go on after an error: it starts anew at the
  /// next line.
  private func fail(_ reason: String) {
    open.fail(reason, on: line)
    csv_free(&parser)
    start()
    isSkippingLine = true
  }

  private func start() {
    csv_init(&parser, Self.options)
    csv_set_blk_size(&parser, 4096)
  }

  private func countLine(_ piece: UnsafeRawBufferPointer) {
    let last = piece[piece.count - 1]
    // The LF of a CRLF that was cut in two belongs to the line already counted.
    let isSecondHalf = previousWasCR && piece.count == 1 && last == lineFeed
    previousWasCR = last == carriageReturn
    guard last == lineFeed || last == carriageReturn, !isSecondHalf else { return }
    line += 1
    isSkippingLine = false
  }

  /// Up to and with the first line end, or as much as is parsed at once.
  private static func firstLine(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let window = UnsafeRawBufferPointer(rebasing: bytes.prefix(longestPiece))
    let lf = offset(of: lineFeed, in: window, below: window.count)
    let cr = offset(of: carriageReturn, in: window, below: lf ?? window.count)
    let count =
      switch (lf, cr) {
      case (let lf?, let cr?) where cr + 1 < lf: cr + 1
      case (let lf?, _): lf + 1
      case (nil, let cr?): cr + 1
      case (nil, nil): window.count
      }
    return UnsafeRawBufferPointer(rebasing: window.prefix(count))
  }

  private static func offset(of byte: UInt8, in bytes: UnsafeRawBufferPointer, below end: Int)
    -> Int?
  {
    guard end > 0, let base = bytes.baseAddress, let found = memchr(base, Int32(byte), end) else {
      return nil
    }
    return UnsafeRawPointer(found) - base
  }
}

private let lineFeed: UInt8 = 0x0A
private let carriageReturn: UInt8 = 0x0D
/// libcsv's ROW_NOT_BEGUN, which its header keeps to itself; it is also the state after `csv_init`.
private let rowNotBegun: Int32 = 0

private func fieldRead(
  _ field: UnsafeMutableRawPointer?, _ length: Int, _ context: UnsafeMutableRawPointer?
) {
  guard let context else { return }
  Unmanaged<OpenRecord>.fromOpaque(context).takeUnretainedValue()
    .add(UnsafeRawBufferPointer(start: field, count: field == nil ? 0 : length))
}

private func recordRead(_ terminator: Int32, _ context: UnsafeMutableRawPointer?) {
  guard let context else { return }
  Unmanaged<OpenRecord>.fromOpaque(context).takeUnretainedValue().end()
}
