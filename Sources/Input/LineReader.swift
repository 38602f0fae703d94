import Foundation

/// Cuts a file into lines in constant memory. LF ends a line, CRLF too; a byte order mark at the
/// beginning is left out, and so are lines of nothing but blanks, which count all the same.
///
/// ```swift
/// let lines = try LineReader("Observation.ndjson.gz")
/// while let line = try lines.next() { … }
/// ```
public final class LineReader {
  /// A longer line, in bytes, is a fault of that line, not a demand for memory.
  public static let longestLine = 16 << 20

  /// One line of a file.
  public struct Line: Sendable, Hashable {
    /// From 1.
    public let number: Int
    /// Without the line end; nil when the line is longer than ``LineReader/longestLine``.
    public let bytes: Data?
  }

  private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

  private let file: ByteReader
  private var chunk = UnsafeRawBufferPointer(start: nil, count: 0)
  /// The beginning of a line whose end is not yet read.
  private var beginning = Data()
  private var isTooLong = false
  private var number = 0
  private var isAtEnd = false

  /// Opens a file, plain or compressed with gzip.
  /// - Throws: ``InputError``.
  public init(_ path: String) throws(InputError) { file = try ByteReader(path) }

  /// How many bytes on disk have been used.
  public var bytesRead: Int { file.bytesRead }

  /// The size of the file on disk in bytes, 0 for what has none.
  public var totalBytes: Int { file.totalBytes }

  /// The next line; nil at the end of the file. The last line need not be ended.
  /// - Throws: ``InputError`` when the rest of the file cannot be read; a line that was cut there
  ///   is not returned.
  public func next() throws(InputError) -> Line? {
    while let bytes = try nextLine() {
      number += 1
      if let line = line(bytes) { return line }
    }
    return nil
  }

  private func line(_ bytes: Data) -> Line? {
    defer { isTooLong = false }
    let bytes = bytes.last == 0x0D ? bytes.dropLast() : bytes
    guard !isTooLong, bytes.count <= Self.longestLine else {
      return Line(number: number, bytes: nil)
    }
    return content(number == 1 && bytes.starts(with: Self.mark) ? bytes.dropFirst(3) : bytes)
  }

  /// nil for a line of blanks.
  private func content(_ bytes: Data) -> Line? {
    guard let first = bytes.first else { return nil }
    let isBlank = (first == 0x20 || first == 0x09) && bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 }
    return isBlank ? nil : Line(number: number, bytes: bytes)
  }

  /// Up to the next LF, which is not part of it.
  private func nextLine() throws(InputError) -> Data? {
    while !isAtEnd {
      guard let base = chunk.baseAddress, !chunk.isEmpty else {
        chunk = try file.next()
        isAtEnd = chunk.isEmpty
        continue
      }
      guard let found = memchr(base, 0x0A, chunk.count) else {
        keep(chunk)
        chunk = UnsafeRawBufferPointer(start: nil, count: 0)
        continue
      }
      let end = UnsafeRawPointer(found) - base
      let last = UnsafeRawBufferPointer(rebasing: chunk[..<end])
      chunk = UnsafeRawBufferPointer(rebasing: chunk[(end + 1)...])
      return taken(with: last)
    }
    return beginning.isEmpty && !isTooLong ? nil : taken(with: chunk)
  }

  private func taken(with last: UnsafeRawBufferPointer) -> Data {
    guard !beginning.isEmpty || isTooLong else { return Data(last) }
    keep(last)
    defer { beginning = Data() }
    return beginning
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
