import Foundation
import Output

/// A file read from its beginning in constant memory, plain or compressed with gzip: its first
/// bytes tell which, not its name.
final class InputFile {
  /// Its bytes on disk, for a progress line; 0 for what has none, such as a pipe.
  let size: Int
  /// How many bytes on disk have been used.
  private(set) var position = 0
  private let path: String
  private let file: FileHandle
  private var gunzip: Gunzip?
  private var isBegun = false
  private static let chunk = 64 << 10

  /// - Throws: ``ImportFailure`` when there is no such file, or it cannot be opened.
  init(_ path: String) throws {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else {
      throw ImportFailure("\(path): it cannot be opened: \(FileReason.words(errno))")
    }
    file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var status = stat()
    fstat(descriptor, &status)
    guard status.st_mode & S_IFMT != S_IFDIR else {
      throw ImportFailure("\(path): it is a folder; expected a file")
    }
    self.path = path
    size = Int(status.st_size)
  }

  /// The next bytes; nil at the end.
  /// - Throws: ``ImportFailure`` when the rest cannot be read or decompressed.
  func next() throws -> [UInt8]? {
    let first = isBegun ? nil : try begin()
    guard let gunzip else { return try first ?? read() }
    do {
      return try gunzip.next(Self.chunk) { try read() }
    } catch let fault as Gunzip.Fault {
      throw ImportFailure(
        "\(path): the gzip data \(fault.rawValue), near byte \(position)"
          + (size > 0 ? " of \(size)" : "") + "; is the file complete?")
    }
  }

  /// The first bytes of a plain file; those of a compressed one go to ``gunzip``.
  private func begin() throws -> [UInt8]? {
    isBegun = true
    var first: [UInt8] = []
    // A pipe may give one byte at a time.
    while first.count < Gunzip.mark.count, let more = try read() { first += more }
    if first.starts(with: Gunzip.mark) {
      gunzip = Gunzip(first)
    } else if first.count < Gunzip.mark.count, path.hasSuffix(".gz") {
      throw ImportFailure("\(path): it is empty, which no gzip file is; is the file complete?")
    }
    return first.isEmpty ? nil : first
  }

  private func read() throws -> [UInt8]? {
    do {
      guard let bytes = try file.read(upToCount: Self.chunk), !bytes.isEmpty else { return nil }
      position += bytes.count
      return [UInt8](bytes)
    } catch {
      throw ImportFailure("\(path): it cannot be read beyond byte \(position)")
    }
  }
}
