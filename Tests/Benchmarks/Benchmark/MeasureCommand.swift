import ArgumentParser
import Commands
import Foundation

/// `benchmark measure`: the time and the memory of a whole command, as a user has it.
struct MeasureCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "measure",
    abstract: "Run a command; print its seconds (the median) and its peak memory in MB.",
    discussion: "For example: benchmark measure --runs 7 report district-bp --quarter 2024Q2")

  @Option(help: "How often.") var runs = 1
  @Argument(parsing: .captureForPassthrough, help: "The command and its arguments.")
  var command: [String]

  func validate() throws {
    if runs < 1 || command.isEmpty { throw ValidationError("name a command") }
  }

  func execute() async throws {
    let outcomes = try (0..<runs).map { _ in try run() }
    let seconds = outcomes.map { $0.time / .seconds(1) }.sorted()
    let peak = outcomes.map(\.peak).max() ?? 0
    Terminal.print(String(format: "%.3f %.1f", seconds[runs / 2], Double(peak) / 1024))
  }

  /// - Returns: how long it took, and the most memory that was resident at a time, in KiB.
  private func run() throws -> (time: Duration, peak: Int) {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    let arguments = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    var status: Int32 = 0
    var usage = rusage()
    let start = ContinuousClock.now
    let refusal = posix_spawnp(&pid, command[0], &actions, nil, arguments, environ)
    guard refusal == 0 else {
      throw Failure.usage("\(command[0]): \(String(cString: strerror(refusal)))")
    }
    while wait4(pid, &status, 0, &usage) < 0, errno == EINTR {}
    let time = start.duration(to: .now)
    guard status == 0 else {
      throw Failure(code: 70, "it failed: \(command.joined(separator: " "))")
    }
    return (time, usage.ru_maxrss)
  }
}
