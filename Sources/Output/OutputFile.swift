import Foundation

/// A file that is written whole or not at all: under another name in the same folder, until it is finished.
///
/// A device or a named pipe, which has no whole, is written as it is. A link stays one, and the file it leads to is replaced.
public final class OutputFile {
  private let path: String
  /// The file that is replaced; nil where what is there is written as it is.
  private let place: (draft: String, file: String)?
  private var descriptor: Int32
  private var isFinished = false

  /// - Parameters:
  ///   - path: the file's, which may exist.
  ///   - isPrivate: whether the file is for its owner alone (mode 0600), as a list of patients is.
  /// - Throws: why no file can be made there.
  public init(_ path: String, isPrivate: Bool) throws(OutputFailure) {
    self.path = path
    let writing = O_WRONLY | O_CLOEXEC
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      place = nil
      // Opening a folder to write fails with EISDIR.
      descriptor = open(path, writing)
    } else {
      let file = Self.resolved(path)
      let folder = (file as NSString).deletingLastPathComponent
      // Short, whatever the file's own name: names end at 255 bytes.
      let name = ".\(ProcessInfo.processInfo.processIdentifier)-\(UUID().uuidString.prefix(8)).part"
      let draft = folder.isEmpty ? name : "\(folder)/\(name)"
      place = (draft, file)
      descriptor =
        path.hasSuffix("/")
        ? -1 : open(draft, writing | O_CREAT | O_EXCL, isPrivate ? 0o600 : 0o666)
      if path.hasSuffix("/") { errno = EISDIR }
    }
    guard descriptor >= 0 else { throw OutputFailure(path, code: errno) }
  }

  deinit { abandon() }

  /// Appends bytes.
  public func write(_ bytes: some ContiguousBytes) throws(OutputFailure) {
    let code = Descriptor.write(bytes, to: descriptor)
    if code != 0 { throw OutputFailure(path, code: code) }
  }

  /// Puts the file where it belongs. It is on the disk then, and stays there if the machine goes down.
  public func finish() throws(OutputFailure) {
    // A device or a pipe has no disk to be on.
    if place != nil, fsync(descriptor) != 0 { throw failure() }
    let closed = close(descriptor)
    descriptor = -1
    // EINTR of close means that it is closed (Linux manual, close(2)).
    if closed != 0, errno != EINTR { throw failure() }
    if let place, rename(place.draft, place.file) != 0 { throw failure() }
    isFinished = true
  }

  /// Leaves what was there before, and nothing of what was written.
  private func abandon() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    if !isFinished, let place { unlink(place.draft) }
  }

  private func failure() -> OutputFailure { OutputFailure(path, code: errno) }

  /// The file that a link leads to; the path itself where there is no file yet.
  private static func resolved(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

extension OutputFile {
  /// Writes a file that is in memory.
  public static func write(_ bytes: some ContiguousBytes, to path: String, isPrivate: Bool = false)
    throws(OutputFailure)
  {
    let file = try OutputFile(path, isPrivate: isPrivate)
    try file.write(bytes)
    try file.finish()
  }
}
