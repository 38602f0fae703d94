import Foundation

/// Cuts what it is fed into lines, numbered from 1, in constant memory. LF ends a line, CRLF too; a
/// byte order mark at the beginning is left out, and so are lines of nothing but blanks, which
/// count all the same.
final class LineCutter {
  /// A longer line, in bytes, is a fault of that line, not a demand for memory.
  static let longestLine = 4 << 20

  struct Line {
    let number: Int
    /// Without the line end; nil when the line is longer than ``LineCutter/longestLine``.
    let bytes: Data?
  }

  /// The beginning of a line whose end has not come yet.
  private var beginning = Data()
  private var isTooLong = false
  private var number = 0

  /// Cuts the next bytes and calls back for each line that they complete.
  func feed(_ bytes: [UInt8], _ body: (Line) throws -> Void) rethrows {
    try bytes.withUnsafeBytes { bytes in
      var rest = bytes
      while let end = Self.lineEnd(in: rest) {
        try self.end(with: UnsafeRawBufferPointer(rebasing: rest[..<end]), body)
        rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
      }
      keep(rest)
    }
  }

  /// The last line, which need not be ended.
  func finish(_ body: (Line) throws -> Void) rethrows {
    guard !beginning.isEmpty || isTooLong else { return }
    try end(with: UnsafeRawBufferPointer(start: nil, count: 0), body)
  }

  private static func lineEnd(in bytes: UnsafeRawBufferPointer) -> Int? {
    guard let base = bytes.baseAddress, let found = memchr(base, 0x0A, bytes.count) else {
      return nil
    }
    return UnsafeRawPointer(found) - base
  }

  private func end(with bytes: UnsafeRawBufferPointer, _ body: (Line) throws -> Void)
    rethrows
  {
    keep(bytes)
    number += 1
    let line = isTooLong ? nil : content(beginning)
    let isBlank = line?.allSatisfy { $0 == 0x20 || $0 == 0x09 } == true
    (beginning, isTooLong) = (Data(), false)
    if !isBlank { try body(Line(number: number, bytes: line)) }
  }

  private func content(_ bytes: Data) -> Data {
    let bytes = bytes.last == 0x0D ? bytes.dropLast() : bytes
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    return number == 1 && bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes
  }

  private func keep(_ bytes: UnsafeRawBufferPointer) {
    // One byte more for the CR of a CRLF.
    isTooLong = isTooLong || beginning.count + bytes.count > Self.longestLine + 1
    if isTooLong {
      beginning = Data()
    } else {
      beginning.append(contentsOf: bytes)
    }
  }
}
