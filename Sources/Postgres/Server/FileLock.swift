import Foundation

/// Held by one process at a time, and let go at the latest when that process ends, however it ends.
final class FileLock {
  private let descriptor: Int32

  /// Waits until nobody else holds the lock. Blocks the thread.
  init(_ file: URL) throws {
    // Not inherited: a server that was started under the lock would hold it for ever.
    descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw PostgresError(
        .localServer, "\(file.path) cannot be opened: \(String(cString: strerror(errno)))")
    }
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno == EINTR else {
        throw PostgresError(.localServer, "\(file.path) cannot be locked")
      }
    }
  }

  deinit { close(descriptor) }
}
