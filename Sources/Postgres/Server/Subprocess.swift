import Foundation

/// Runs PostgreSQL's own programs.
enum Subprocess {
  struct Outcome: Sendable {
    let status: Int32
    /// Standard output and error together.
    let output: String
  }

  /// Runs a program to its end.
  ///
  /// Its output goes through a file, so that a server it leaves behind does not keep a pipe of ours open. Not with
  /// Foundation's Process: it waits for the end of a socket that the server inherits.
  static func run(_ program: String, _ arguments: [String], as user: String? = nil) async throws
    -> Outcome
  {
    let command = user.map { ["/usr/sbin/runuser", "-u", $0, "--", program] } ?? [program]
    let path = NSTemporaryDirectory() + "/rollup-\(UUID().uuidString).out"
    defer { try? FileManager.default.removeItem(atPath: path) }
    // Not in the caller's folder: another user may not be able to enter it.
    let shell = ["/bin/sh", "-c", "cd / && exec \"$@\"", "sh"]
    let pid = try spawn(shell + command + arguments, output: path)
    let status: Int32 = await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        // The exit code, or 128 and the signal, as a shell has it.
        let signal = status & 0x7F
        continuation.resume(returning: signal == 0 ? (status >> 8) & 0xFF : 128 + signal)
      }
    }
    return Outcome(
      status: status, output: (try? String(contentsOfFile: path, encoding: .utf8)) ?? "")
  }

  private static func spawn(_ command: [String], output: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    let arguments = command.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var pid: pid_t = 0
    let failure = posix_spawn(&pid, command[0], &actions, nil, arguments, environ)
    guard failure == 0 else {
      throw LocalServer.Failure("cannot run \(command[0]): \(String(cString: strerror(failure)))")
    }
    return pid
  }
}
