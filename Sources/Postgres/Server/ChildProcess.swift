import Foundation

/// A program that is run to its end, with its output kept.
///
/// Our own rather than Foundation's, because a server that a program leaves behind must hold none
/// of this process's files open, and must not die with its terminal's Ctrl-C: each child gets a
/// session of its own and no file but the three it is given.
package struct ChildProcess {
  package let program: String
  package let arguments: [String]

  package init(_ program: String, _ arguments: [String]) {
    self.program = program
    self.arguments = arguments
  }

  package struct Outcome: Sendable {
    /// The exit code; for a signal 128 and its number, as shells count.
    package let status: Int32
    /// Standard output and error together, the last of it where it is long.
    package let output: String

    package var isSuccess: Bool { status == 0 }
  }

  /// Runs the program, and waits for it. Blocks: call it on a thread of its own.
  ///
  /// - Parameters:
  ///   - input: what the program reads
  ///   - log: a file to which output is appended instead of being kept
  /// - Throws: `localServer` when the program cannot be started.
  package func run(input: String = "", log: URL? = nil) throws -> Outcome {
    let inputFile = try TemporaryFile(input)
    let outputFile = try log.map { try TemporaryFile(appendingTo: $0) } ?? TemporaryFile("")
    let status = try wait(for: try spawn(inputFile.descriptor, outputFile.descriptor))
    return Outcome(status: status, output: log == nil ? outputFile.tail() : "")
  }

  private func spawn(_ input: Int32, _ output: Int32) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, output, 2)
    Self.closeOtherFiles(&actions)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Self.newSession)

    // By way of the shell, so as not to be started in a folder that the user it runs as may not
    // enter.
    let command = ["sh", "-c", "cd / && exec \"$0\" \"$@\"", program] + arguments
    let arguments = command.map { strdup($0) } + [nil]
    let environment = Self.environment.map { strdup($0) } + [nil]
    defer { for text in arguments + environment { free(text) } }
    var pid: pid_t = 0
    let failure = posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, environment)
    guard failure == 0 else {
      throw PostgresError(
        .localServer, "\(program) could not be started: \(String(cString: strerror(failure)))")
    }
    return pid
  }

  /// `POSIX_SPAWN_SETSID` of `spawn.h`, which Swift does not import.
  private static let newSession: Int16 = 0x80

  /// Has a child begin with its three files and none of this process's.
  ///
  /// Files are numbered from the lowest free number, so some more than there are now are those that other threads open until
  /// the child is there: the end of a pipe of theirs, held by a server, would keep the other end waiting for ever.
  package static func closeOtherFiles(_ actions: inout posix_spawn_file_actions_t) {
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    let last = open.compactMap { Int32($0) }.max() ?? 0
    for descriptor in 3..<max(last, 3) + 256 {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }
  }

  /// This process's, without what would tell PostgreSQL's programs where some other server is.
  private static var environment: [String] {
    ProcessInfo.processInfo.environment
      .filter { !$0.key.hasPrefix("PG") && $0.key != "DATABASE_URL" }
      .map { "\($0.key)=\($0.value)" }
  }

  private func wait(for pid: pid_t) throws -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
      guard errno == EINTR else {
        throw PostgresError(.localServer, "\(program) could not be waited for")
      }
    }
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }
}

/// A file that exists only while it is open, or a log that is written to.
private final class TemporaryFile {
  let descriptor: Int32

  init(_ content: String) throws {
    var path = Array("/tmp/rollup-XXXXXX".utf8CString)
    descriptor = mkstemp(&path)
    guard descriptor >= 0 else {
      throw PostgresError(.localServer, "no file could be made in /tmp")
    }
    unlink(path)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = content.utf8CString.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count - 1) }
    lseek(descriptor, 0, SEEK_SET)
  }

  init(appendingTo log: URL) throws {
    descriptor = open(log.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw PostgresError(.localServer, "\(log.path) cannot be written")
    }
  }

  deinit { close(descriptor) }

  /// The last 16 kilobytes.
  func tail() -> String {
    let length = lseek(descriptor, 0, SEEK_END)
    let start = max(0, length - 16_384)
    var bytes = [UInt8](repeating: 0, count: Int(length - start))
    let count = pread(descriptor, &bytes, bytes.count, start)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
