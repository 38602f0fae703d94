import CZlib
import Foundation

/// Reads a file from its beginning in constant memory, plain or compressed with gzip, which zlib
/// tells apart by itself.
///
/// Reading blocks: call it from a thread that may wait.
///
/// ```swift
/// let file = try ByteReader("readings.csv.gz")
/// while try file.withNextChunk({ try parser.feed($0) { record in … } }) != nil {}
/// ```
public final class ByteReader {
  /// How many bytes a chunk has at most.
  public static let longestChunk = 256 << 10

  /// As it was given.
  public let path: String
  /// The size of the file on disk in bytes, 0 for what has none, such as a pipe: the whole of a
  /// progress bar.
  public let totalBytes: Int
  private let file: gzFile
  private let buffer: UnsafeMutableRawBufferPointer

  /// Opens a file.
  /// - Throws: ``InputError`` when it is missing, a folder, not to be read, or named `.gz` and is
  ///   not compressed.
  public init(_ path: String) throws(InputError) {
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    guard let attributes else { throw .missing(path: path) }
    guard attributes[.type] as? FileAttributeType != .typeDirectory else {
      throw .isFolder(path: path)
    }
    guard let file = gzopen(path, "rb") else {
      throw .unreadable(path: path, reason: String(cString: strerror(errno)))
    }
    gzbuffer(file, UInt32(Self.longestChunk))
    guard !path.lowercased().hasSuffix(".gz") || gzdirect(file) == 0 else {
      gzclose_r(file)
      throw .notGzip(path: path)
    }
    self.path = path
    self.file = file
    totalBytes = attributes[.size] as? Int ?? 0
    buffer = .allocate(byteCount: Self.longestChunk, alignment: 16)
  }

  deinit {
    buffer.deallocate()
    gzclose_r(file)
  }

  /// How many bytes on disk have been used, compressed ones where the file is compressed: the part
  /// of a progress bar.
  public var bytesRead: Int { max(0, Int(gzoffset(file))) }

  /// Lends the next bytes; nil at the end of the file.
  /// - Throws: ``InputError`` when the rest cannot be read, and what `body` throws.
  public func withNextChunk<T>(_ body: (UnsafeRawBufferPointer) throws -> T) throws -> T? {
    let chunk = try next()
    return chunk.isEmpty ? nil : try body(chunk)
  }

  /// The next bytes, which are there until the next call; none at the end.
  func next() throws(InputError) -> UnsafeRawBufferPointer {
    let count = Int(gzread(file, buffer.baseAddress, UInt32(buffer.count)))
    // Fewer bytes than asked for are the end, or the last of a stream that is cut short: only
    // gzerror tells.
    if count < buffer.count { try check() }
    return UnsafeRawBufferPointer(rebasing: buffer.prefix(max(0, count)))
  }

  private func check() throws(InputError) {
    var status: Int32 = 0
    _ = gzerror(file, &status)
    switch status {
    case Z_OK, Z_STREAM_END: return
    case Z_ERRNO: throw .unreadable(path: path, reason: String(cString: strerror(errno)))
    default: throw .corrupt(path: path, offset: bytesRead, size: totalBytes)
    }
  }
}
