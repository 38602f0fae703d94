import CZlib
import Foundation

/// A file read from its beginning in constant memory, plain or compressed with gzip.
final class InputFile {
  let path: String
  /// Its bytes on disk, for a progress line.
  let size: Int
  private var file: gzFile?
  private static let chunk = 256 << 10

  init(_ path: String) throws {
    self.path = path
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    guard attributes?[.type] as? FileAttributeType != .typeDirectory, let file = gzopen(path, "rb")
    else { throw ImportFailure("\(path): no such readable file") }
    self.size = attributes?[.size] as? Int ?? 0
    self.file = file
    gzbuffer(file, UInt32(Self.chunk))
  }

  deinit { if let file { gzclose_r(file) } }

  /// How many bytes on disk have been used.
  var position: Int { file.map { Int(gzoffset($0)) } ?? size }

  /// The next bytes; nil at the end.
  /// - Throws: ``ImportFailure`` when a gzip stream is corrupt or cut short.
  func next() throws -> [UInt8]? {
    guard let file else { return nil }
    var count: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: Self.chunk) { buffer, used in
      count = gzread(file, buffer.baseAddress, UInt32(Self.chunk))
      used = max(0, Int(count))
    }
    var status: Int32 = 0
    _ = gzerror(file, &status)
    guard count >= 0, status == Z_OK || status == Z_STREAM_END else {
      throw ImportFailure("\(path): it cannot be decompressed to its end; is it complete?")
    }
    return count == 0 ? nil : bytes
  }
}
