/// Why a file cannot be read to its end. All of them are about the file, none about a line of it.
public enum InputError: Error, Hashable, Sendable, CustomStringConvertible {
  /// There is nothing at the path.
  case missing(path: String)
  /// There is a folder at the path.
  case isFolder(path: String)
  /// It is there but cannot be read; `reason` is the system's.
  case unreadable(path: String, reason: String)
  /// It is named `.gz` and is none.
  case notGzip(path: String)
  /// A gzip stream that is damaged or cut short at a byte of the file, counted from 0, as near as
  /// zlib can say. What was read before it may be damaged as well: its checksum was never reached.
  case corrupt(path: String, offset: Int, size: Int)

  /// A sentence that names the file.
  public var description: String {
    switch self {
    case .missing(let path): "\(path): there is no such file"
    case .isFolder(let path): "\(path): it is a folder; expected a file"
    case .unreadable(let path, let reason): "\(path): it cannot be read: \(reason)"
    case .notGzip(let path): "\(path): it is not compressed with gzip, as its name says"
    case .corrupt(let path, let offset, let size):
      "\(path): the gzip stream is damaged or cut short near byte \(offset) of \(size); is the file complete?"
    }
  }
}
