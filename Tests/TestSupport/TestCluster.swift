import Foundation

/// A private PostgreSQL server for one test process: in a temporary folder, on a Unix socket, without fsync. It is started
/// once, when the first test needs it, and removed when the process ends, even by `kill -9`: a shell that waits for the
/// end of a pipe does that.
public struct TestCluster: Sendable {
  /// Where its socket is.
  public let folder: String
  let programs: String

  /// The server of this process.
  public static var shared: TestCluster {
    get async throws { try await starting.value }
  }

  private static let starting = Task { try start() }

  /// The URL of one of its databases.
  public func url(_ database: String) -> String { "postgresql://postgres@/\(database)?host=\(folder)" }

  private static func start() throws -> TestCluster {
    let folder = try shell("mktemp -d /tmp/rollup-tests-XXXXXX")
    let installed = try shell("ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true")
    let programs = installed.isEmpty ? try shell("dirname $(command -v initdb)") : installed
    let asServer = getuid() == 0 ? "runuser -u postgres -- " : ""
    if getuid() == 0 { _ = try shell("chown postgres \(folder)") }
    _ = try shell(
      """
      cd / && \(asServer)\(programs)/initdb -D \(folder)/data -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N \
      >\(folder).log 2>&1 && cat >>\(folder)/data/postgresql.conf <<'END'
      listen_addresses = ''
      unix_socket_directories = '\(folder)'
      fsync = off
      full_page_writes = off
      synchronous_commit = off
      max_connections = 300
      max_locks_per_transaction = 512
      shared_buffers = 256MB
      # Neither the server nor a session runs in the reporting time zone of any test.
      timezone = 'America/Caracas'
      log_min_messages = fatal
      END
      \(asServer)\(programs)/pg_ctl -D \(folder)/data -l \(folder)/server.log -w start >>\(folder).log 2>&1
      """)
    try watch(
      "cd /; \(asServer)\(programs)/pg_ctl -D \(folder)/data -m immediate -w stop; rm -rf \(folder) \(folder).log")
    return TestCluster(folder: folder, programs: programs)
  }

  /// Starts a shell that runs a command when this process is gone: it reads from a pipe that nobody else writes to.
  private static func watch(_ command: String) throws {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw ShellFailure(command: "pipe", output: "") }
    _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    // A group of its own: Ctrl-C of the tests must not reach it.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    let line: [String] = ["/bin/sh", "-c", "cat; \(command)"]
    let arguments = line.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var pid: pid_t = 0
    guard posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, environ) == 0 else {
      throw ShellFailure(command: "sh", output: "")
    }
    close(ends[0])
  }
}

/// A command of a test's set-up that failed.
public struct ShellFailure: Error, CustomStringConvertible {
  public let command: String
  public let output: String
  public var description: String { "'\(command)' failed: \(output)" }
}

/// Runs a command line to its end; its standard output without the last line break.
@discardableResult
public func shell(_ command: String, environment: [String: String] = [:]) throws -> String {
  let outcome = run(["/bin/sh", "-c", command], environment: environment)
  guard outcome.status == 0 else { throw ShellFailure(command: command, output: outcome.error) }
  return outcome.output.trimmingCharacters(in: .newlines)
}

/// Runs a program with more environment; its exit code and what it wrote.
public func run(_ command: [String], environment: [String: String] = [:])
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
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, stem + ".out", O_WRONLY | O_CREAT, 0o600)
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, stem + ".err", O_WRONLY | O_CREAT, 0o600)
  let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
  let (arguments, variables) = (command.map { strdup($0) } + [nil], all.map { strdup($0) } + [nil])
  defer { (arguments + variables).forEach { free($0) } }
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
