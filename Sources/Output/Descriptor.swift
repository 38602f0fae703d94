import Foundation

/// Bytes written to an open file to the last one: a `write` that was interrupted, or took a part of them, is called again.
enum Descriptor {
  /// - Returns: 0, or the system's error number. What came before the error may have been written.
  static func write(_ bytes: some ContiguousBytes, to descriptor: Int32) -> Int32 {
    bytes.withUnsafeBytes { bytes in
      var written = 0
      while written < bytes.count {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count > 0 {
          written += count
        } else if count == 0 {
          return EIO
        } else if errno == EAGAIN {
          // Whoever shares the terminal or the pipe has made it non-blocking.
          var one = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          if poll(&one, 1, -1) < 0, errno != EINTR { return errno }
        } else if errno != EINTR {
          return errno
        }
      }
      return 0
    }
  }
}
