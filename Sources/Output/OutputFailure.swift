import Foundation

/// Why something could not be written.
public struct OutputFailure: Error, Hashable, CustomStringConvertible {
  /// What was being written: `standard output`, or the path of a file.
  public let target: String
  /// As the system numbers it, such as `ENOSPC`.
  public let code: Int32

  public init(_ target: String, code: Int32) {
    self.target = target
    self.code = code
  }

  /// Of an error that Foundation threw while it wrote.
  public init(_ target: String, _ error: any Error) {
    self.init(target, code: FileReason.code(of: error) ?? EIO)
  }

  /// Whether the reader has gone, as in `report list | head -1`: nobody waits for the rest or for a message.
  public var isClosedPipe: Bool { code == EPIPE }

  public var description: String {
    "cannot write \(target): \(FileReason.words(code)). \(advice)"
  }

  private var advice: String {
    switch code {
    case ENOSPC, EDQUOT, EFBIG: "Free some space, or write to another disk."
    case ENOENT, ENOTDIR: "Make the folder first, or name another file."
    case EACCES, EPERM, EROFS: "Name a file in a folder where you may write."
    case EISDIR: "Name a file in it."
    case EEXIST: "Name another."
    case EBADF: "Redirect it to a file or a program."
    default: "Write to another file, and look at the system's log."
    }
  }
}

/// Why a file could not be read or written, in the project's own words. The system's are of another style on each system, and
/// Foundation's do not name the reason at all ("The operation could not be completed").
public enum FileReason {
  /// What the system's error number says, without a full stop.
  public static func words(_ code: Int32) -> String {
    switch code {
    case ENOENT: "there is no such file or folder"
    case EACCES, EPERM: "permission is denied"
    case EISDIR: "it is a folder"
    case EEXIST: "it is a file, not a folder"
    case ENOTDIR: "a part of its path is not a folder"
    case ENOSPC: "the disk is full"
    case EDQUOT: "the disk quota is used up"
    case EFBIG: "the file would be larger than is allowed here"
    case EROFS: "the disk is read-only"
    case EIO: "the disk reports an error"
    case EMFILE, ENFILE: "too many files are open"
    case ENAMETOOLONG: "its name is too long"
    case ELOOP: "its links lead in a circle"
    case EBADF: "it is closed"
    case EPIPE: "nobody reads it any more"
    default: String(cString: strerror(code))
    }
  }

  /// Why Foundation could not read or write a file, without a full stop.
  public static func words(_ error: any Error) -> String {
    if let failure = error as? OutputFailure { return words(failure.code) }
    if isOfText(error) { return "it is not UTF-8 text" }
    return code(of: error).map(words) ?? "the system gives no reason"
  }

  /// The system's number behind an error of Foundation; nil where there is none.
  static func code(of error: any Error) -> Int32? {
    if let failure = error as? OutputFailure { return failure.code }
    if let error = error as? POSIXError { return error.code.rawValue }
    let error = error as NSError
    if error.domain == NSPOSIXErrorDomain { return Int32(error.code) }
    if let under = error.userInfo[NSUnderlyingErrorKey] as? any Error, let code = code(of: under) {
      return code
    }
    guard error.domain == NSCocoaErrorDomain else { return nil }
    return switch CocoaError.Code(rawValue: error.code) {
    case .fileNoSuchFile, .fileReadNoSuchFile: ENOENT
    case .fileWriteFileExists: EEXIST
    case .fileReadNoPermission, .fileWriteNoPermission: EACCES
    case .fileWriteOutOfSpace: ENOSPC
    case .fileWriteVolumeReadOnly: EROFS
    case .fileReadTooLarge: EFBIG
    case .fileReadInvalidFileName, .fileWriteInvalidFileName: ENAMETOOLONG
    default: nil
    }
  }

  private static func isOfText(_ error: any Error) -> Bool {
    guard let error = error as? CocoaError else { return false }
    return [.fileReadCorruptFile, .fileReadInapplicableStringEncoding].contains(
      error.code)
  }
}
