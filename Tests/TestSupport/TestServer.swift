import Foundation
import Postgres

/// The server of ``TestCluster``: in a folder in /tmp, without a port, and without waiting for the
/// disk.
public struct TestServer: Sendable {
  /// The address of the database `postgres`.
  public let address: String
  /// Goes with the server, when this process ends; a test may put its files there.
  public let folder: String
  /// Open for as long as this process lives; its end is what the watchdog waits for.
  private let lifeline: FileHandle

  /// Blocks for about a second.
  /// - Parameter losesCommits: whether the last commits before a crash may be lost; faster.
  public init(losesCommits: Bool = true) throws {
    try self.init(losesCommits: losesCommits) { folder in
      (
        "initdb",
        [
          "--pgdata", "\(folder)/data", "--username", "postgres", "--auth", "trust",
          "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
        ]
      )
    }
  }

  /// A server that follows this one, read-only. Blocks for some seconds.
  public func replica() throws -> TestServer {
    let source = "host=\(self.folder) port=5432 user=postgres"
    return try TestServer(losesCommits: true) { folder in
      (
        "pg_basebackup",
        [
          "--pgdata", "\(folder)/data", "--dbname", source, "--write-recovery-conf", "--checkpoint",
          "fast", "--no-sync",
        ]
      )
    }
  }

  /// - Parameter fill: the program that makes the data directory in a folder.
  private init(losesCommits: Bool, fill: (String) -> (program: String, arguments: [String])) throws
  {
    let installation = try Installation.newest()
    let user = try ServerUser.current()
    let folder = try Self.makeFolder(for: user)
    self.folder = folder
    // Before the server, so that there is never one without a watchdog.
    lifeline = try Self.startWatchdog(folder, installation, user)
    let (program, arguments) = fill(folder)
    let filled = try installation.program(program, arguments, as: user).run()
    guard filled.isSuccess else { throw Failure(output: filled.output) }
    let started = try installation.program(
      "pg_ctl",
      [
        "start", "--pgdata", "\(folder)/data", "--wait", "--silent",
        "--options", Self.settings(socketFolder: folder, losesCommits: losesCommits),
      ], as: user
    ).run(log: URL(filePath: "\(folder)/log"))
    guard started.isSuccess else {
      let log = (try? String(contentsOfFile: "\(folder)/log", encoding: .utf8)) ?? ""
      throw Failure(output: log)
    }
    address = "postgresql:///postgres?host=\(folder)&port=5432&user=postgres"
  }

  /// Kills the server's processes at once and starts it again, which takes it through recovery. Blocks for about a
  /// second.
  public func crash() throws {
    let restarted = try Installation.newest().program(
      "pg_ctl",
      ["restart", "--pgdata", "\(folder)/data", "--mode", "immediate", "--wait", "--silent"],
      as: ServerUser.current()
    ).run(log: URL(filePath: "\(folder)/log"))
    guard restarted.isSuccess else { throw Failure(output: restarted.output) }
  }

  struct Failure: Error, CustomStringConvertible {
    let output: String
    var description: String { "no server could be started for the tests: \(output)" }
  }

  private static func settings(socketFolder: String, losesCommits: Bool) -> String {
    [
      "listen_addresses=''", "unix_socket_directories=\(socketFolder)", "fsync=off",
      "full_page_writes=off", "synchronous_commit=\(losesCommits ? "off" : "on")",
      "max_connections=300",
      "max_locks_per_transaction=512", "jit=off", "shared_buffers=128MB", "max_wal_size=2GB",
      "max_prepared_transactions=10",
    ].map { "-c \($0)" }.joined(separator: " ")
  }

  private static func makeFolder(for user: ServerUser) throws -> String {
    var path = Array("/tmp/rollup-tests-XXXXXX".utf8CString)
    guard mkdtemp(&path) != nil else { throw Failure(output: "no folder in /tmp") }
    let folder = String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    try user.own(folder)
    return folder
  }

  /// A shell that reads until this process is gone, however it went, and then clears up.
  private static func startWatchdog(
    _ folder: String, _ installation: Installation, _ user: ServerUser
  ) throws -> FileHandle {
    let stop = installation.program(
      "pg_ctl",
      ["stop", "--pgdata", "\(folder)/data", "--mode", "immediate", "--wait", "--silent"],
      as: user)
    let pipe = Pipe()
    _ = fcntl(pipe.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
    let watchdog = Process()
    watchdog.executableURL = URL(filePath: "/bin/sh")
    watchdog.currentDirectoryURL = URL(filePath: "/")
    watchdog.arguments =
      [
        "-c",
        """
        trap '' INT TERM HUP
        cat
        folder=$1; shift
        "$@"
        rm -rf "$folder"
        """, "watchdog", folder, stop.program,
      ] + stop.arguments
    watchdog.standardInput = pipe.fileHandleForReading
    watchdog.standardOutput = FileHandle.nullDevice
    watchdog.standardError = FileHandle.nullDevice
    try watchdog.run()
    try pipe.fileHandleForReading.close()
    return pipe.fileHandleForWriting
  }
}
