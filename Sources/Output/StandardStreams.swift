import Foundation
import Synchronization

/// The two streams of a program. Every program writes to them here and nowhere else, so that no write goes unchecked.
public enum StandardStreams {
  private static let state = Mutex<OutputFailure?>(nil)

  /// Why standard output could not be written; nil as long as it could. A program that could not write all of it must not
  /// end as if it had.
  public static var failure: OutputFailure? { state.withLock { $0 } }

  /// To be called before anything is written or opened. A closed pipe becomes an error instead of a signal; a stream that the
  /// caller has closed stays closed, and is not the next file or connection that is opened.
  public static func prepare() {
    signal(SIGPIPE, SIG_IGN)
    for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(stream, F_GETFD) == -1 && errno == EBADF {
      // The lowest free number is the stream's. It can be read only: writing to it fails as writing to a closed one does.
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// Writes data. After a failure nothing more is written, so that no output has a hole in it.
  /// - Throws: why it could not be written, also when that was an earlier time.
  public static func write(_ bytes: some ContiguousBytes) throws(OutputFailure) {
    let failure: OutputFailure? = state.withLock { failure in
      if failure == nil {
        let code = Descriptor.write(bytes, to: STDOUT_FILENO)
        if code != 0 { failure = OutputFailure("standard output", code: code) }
      }
      return failure
    }
    if let failure { throw failure }
  }

  /// Writes for people: progress, notes, errors. A message that cannot be shown is no reason to end.
  public static func say(_ text: String) {
    _ = Descriptor.write(Array(text.utf8), to: STDERR_FILENO)
  }
}
