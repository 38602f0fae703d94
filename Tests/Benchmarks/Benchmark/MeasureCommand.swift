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

  @OptionGroup var notes: NoteOptions

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
    // The command inherits the end to write to, so that the other is at its end when it is over.
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Failure(code: 71, "there is no pipe to be had") }
    defer { close(ends[0]) }
    _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
    let start = ContinuousClock.now
    let pid = try spawn()
    close(ends[1])
    var peak = 0
    var end = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
    while poll(&end, 1, 5) <= 0 { peak = max(peak, Self.peak(of: pid)) }
    let time = start.duration(to: .now)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    guard status == 0 else {
      throw Failure(code: 70, "it failed: \(command.joined(separator: " "))")
    }
    return (time, peak)
  }

  private func spawn() throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    let arguments = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    let refusal = posix_spawnp(&pid, command[0], &actions, nil, arguments, environ)
    guard refusal == 0 else {
      throw Failure.usage("\(command[0]): \(String(cString: strerror(refusal)))")
    }
    return pid
  }

  /// Not the `ru_maxrss` of `wait4`, which begins with the memory of the process that spawned it.
  private static func peak(of pid: pid_t) -> Int {
    let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
  }
}
