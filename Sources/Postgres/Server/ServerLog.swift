import Foundation

/// The log of a private server.
struct ServerLog {
  let file: URL

  /// Beyond this many bytes the log is put aside when the server starts, in the place of the one
  /// put aside before.
  private static let limit = 16 << 20

  var size: Int {
    var entry = stat()
    return stat(file.path, &entry) == 0 ? Int(entry.st_size) : 0
  }

  func rotate() {
    guard size > Self.limit else { return }
    rename(file.path, file.path + ".1")
  }

  /// The last lines of what was written after the first `offset` bytes.
  func lastLines(_ count: Int = 15, after offset: Int) -> String {
    guard let content = try? Data(contentsOf: file) else { return "(there is none)" }
    let lines = String(decoding: content.dropFirst(offset), as: UTF8.self)
      .split(separator: "\n").suffix(count)
    return lines.isEmpty ? "(it says nothing)" : lines.joined(separator: "\n")
  }
}
