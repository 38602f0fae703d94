import Foundation
import Postgres

/// A command of a test's set-up that failed.
public struct ShellFailure: Error, CustomStringConvertible {
  public let command: String
  public let output: String
  public var description: String { "'\(command)' failed: \(output)" }
}

/// Runs a command line to its end; its standard output without the last line break.
@discardableResult
public func shell(_ command: String, environment: [String: String] = [:]) async throws -> String {
  let outcome = await run(["/bin/sh", "-c", command], environment: environment)
  guard outcome.status == 0 else { throw ShellFailure(command: command, output: outcome.error) }
  return outcome.output.trimmingCharacters(in: .newlines)
}

/// Runs a program with more environment; its exit code and what it wrote. It is waited for on a thread of its own: as many
/// tests as there are processors would else keep all others waiting.
public func run(_ command: [String], environment: [String: String] = [:]) async
  -> (status: Int32, output: String, error: String)
{
  await withCheckedContinuation { continuation in
    Thread.detachNewThread {
      continuation.resume(returning: wait(for: command, environment))
    }
  }
}

private func wait(for command: [String], _ environment: [String: String])
  -> (status: Int32, output: String, error: String)
{
  let stem = NSTemporaryDirectory() + "/run-\(UUID().uuidString)"
  defer {
    try? FileManager.default.removeItem(atPath: stem + ".out")
    try? FileManager.default.removeItem(atPath: stem + ".err")
  }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(
    &actions, STDOUT_FILENO, stem + ".out", O_WRONLY | O_CREAT, 0o600)
  posix_spawn_file_actions_addopen(
    &actions, STDERR_FILENO, stem + ".err", O_WRONLY | O_CREAT, 0o600)
  ChildProcess.closeOtherFiles(&actions)
  let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
  let (arguments, variables) = (command.map { strdup($0) } + [nil], all.map { strdup($0) } + [nil])
  defer {
    for copy in arguments + variables { free(copy) }
  }
  var pid: pid_t = 0
  let failure = posix_spawn(&pid, command[0], &actions, nil, arguments, variables)
  guard failure == 0 else { return (127, "", String(cString: strerror(failure))) }
  var status: Int32 = 0
  while waitpid(pid, &status, 0) < 0, errno == EINTR {}
  let signal = status & 0x7F
  return (
    signal == 0 ? (status >> 8) & 0xFF : 128 + signal,
    (try? String(contentsOfFile: stem + ".out", encoding: .utf8)) ?? "",
    (try? String(contentsOfFile: stem + ".err", encoding: .utf8)) ?? ""
  )
}
