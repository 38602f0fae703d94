import CLibPQ
import Foundation

/// A private PostgreSQL server, for those who have configured none: its files are in one folder, it listens on a Unix
/// socket only, and it goes on running until it is stopped.
///
/// As root the server runs as the system user `postgres`, since PostgreSQL refuses to run as root.
public struct LocalServer: Sendable {
  /// The folder the user knows.
  public let home: String

  public init(home: String) { self.home = home }

  /// What could not be done, and what to do about it.
  public struct Failure: Error, Hashable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
  }

  public enum Status: Sendable, Hashable {
    case notCreated
    case stopped
    case running(pid: Int)
  }

  /// The URL of its database; whether or not it runs.
  public var url: String { "postgresql://postgres@/rollup?host=\(socketFolder)" }

  private var systemUser: String? { getuid() == 0 ? "postgres" : nil }

  /// Whether the server was made to the end, its database too.
  private var isComplete: Bool { FileManager.default.fileExists(atPath: home + "/complete") }

  /// Short, because a socket's path may have 107 bytes at most; one for each home and user.
  private var socketFolder: String {
    // FNV-1a: the same in every process, which Swift's Hasher is not.
    let hash = home.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    return "/tmp/rollup-\(getuid())-\(String(hash, radix: 36))"
  }

  // MARK: Start and stop

  /// Starts the server if it does not run, making it first if there is none. Two programs that start it at once get the
  /// same one.
  /// - Returns: ``url``.
  @discardableResult
  public func start() async throws -> String {
    if isComplete, await isAnswering() { return url }
    return try await withLock {
      if isComplete, await isAnswering() { return url }
      let installation = try await Installation.find()
      let folder = try await serverFolder()
      try await create(in: folder, installation)
      try prepareSocketFolder()
      try await launch(folder, installation)
      try await createDatabase()
      try "".write(toFile: home + "/complete", atomically: true, encoding: .utf8)
      return url
    }
  }

  /// Stops the server; harmless when it does not run.
  /// - Returns: false when it did not.
  @discardableResult
  public func stop() async throws -> Bool {
    guard FileManager.default.fileExists(atPath: home) else { return false }
    return try await withLock {
      guard let folder = existingFolder, serverProcess(folder) != nil else { return false }
      let installation = try await Installation.find()
      let outcome = try await Subprocess.run(
        installation.program("pg_ctl"), ["-D", folder + "/data", "-m", "fast", "-w", "stop"], as: systemUser)
      guard outcome.status == 0 else { throw Failure("the server did not stop: \(outcome.output)") }
      return true
    }
  }

  public func status() async -> Status {
    guard let folder = existingFolder, FileManager.default.fileExists(atPath: folder + "/data/PG_VERSION")
    else { return .notCreated }
    guard let pid = serverProcess(folder), await isAnswering() else { return .stopped }
    return .running(pid: pid)
  }

  // MARK: Steps

  /// Where the data is: in the home, or, when the server's user cannot reach it (a checkout below /root), in /var/lib with
  /// a note in the home.
  private func serverFolder() async throws -> String {
    if let existingFolder { return existingFolder }
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    guard let systemUser else {
      let folder = home + "/server"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      return folder
    }
    guard getpwnam(systemUser) != nil else {
      throw Failure("PostgreSQL does not run as root and there is no user '\(systemUser)'; apt-get install postgresql makes one")
    }
    let isReachable = try await Subprocess.run("/usr/bin/test", ["-x", home], as: systemUser).status == 0
    let folder = isReachable ? home + "/server" : "/var/lib/rollup/" + (socketFolder as NSString).lastPathComponent
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try own(folder)
    try folder.write(toFile: home + "/location", atomically: true, encoding: .utf8)
    return folder
  }

  private var existingFolder: String? {
    let noted = try? String(contentsOfFile: home + "/location", encoding: .utf8)
    let folder = noted ?? home + "/server"
    return FileManager.default.fileExists(atPath: folder) ? folder : nil
  }

  /// initdb under another name first, so that one that was killed leaves no half-made server.
  private func create(in folder: String, _ installation: Installation) async throws {
    let (data, unfinished) = (folder + "/data", folder + "/data.unfinished")
    if let version = try? String(contentsOfFile: data + "/PG_VERSION", encoding: .utf8) {
      guard Int(version.trimmingCharacters(in: .whitespacesAndNewlines)) == installation.major else {
        throw Failure(
          "the private server in \(home) was made by PostgreSQL \(version.trimmingCharacters(in: .whitespacesAndNewlines)), "
            + "and this machine has \(installation.major): install that version, or move the folder away and load the data again")
      }
      return
    }
    try? FileManager.default.removeItem(atPath: unfinished)
    let outcome = try await Subprocess.run(
      installation.program("initdb"),
      [
        "-D", unfinished, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth=trust",
        "--data-checksums", "--no-instructions",
      ], as: systemUser)
    guard outcome.status == 0 else { throw Failure("initdb failed: \(outcome.output)") }
    let settings = """

      # Set by rollup when it made this server.
      listen_addresses = ''
      unix_socket_directories = '\(socketFolder)'
      shared_buffers = 256MB
      max_wal_size = 4GB
      wal_compression = on
      # A report reads few rows of many partitions; compiling its plan costs more than running it.
      jit = off
      max_locks_per_transaction = 512
      """
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: unfinished + "/postgresql.conf"))
    try file.seekToEnd()
    try file.write(contentsOf: Data(settings.utf8))
    try file.close()
    try FileManager.default.moveItem(atPath: unfinished, toPath: data)
  }

  private func prepareSocketFolder() throws {
    let folder = socketFolder
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    if systemUser != nil { try own(folder) }
    var status = stat()
    let owner = systemUser.flatMap { getpwnam($0)?.pointee.pw_uid } ?? getuid()
    guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == owner else {
      throw Failure("\(folder) is not a folder of this user; somebody else made it. Remove it, or set ROLLUP_HOME to another folder")
    }
    chmod(folder, 0o700)
  }

  private func launch(_ folder: String, _ installation: Installation) async throws {
    let data = folder + "/data"
    if await isAnswering() { return }
    if serverProcess(folder) == nil {
      // Left by a server that was killed; its number may belong to another program by now.
      try? FileManager.default.removeItem(atPath: data + "/postmaster.pid")
    }
    let log = folder + "/server.log"
    let outcome = try await Subprocess.run(
      installation.program("pg_ctl"), ["-D", data, "-l", log, "-w", "-t", "60", "start"], as: systemUser)
    if outcome.status == 0 { return }
    // Another may have been starting, or recovering.
    for _ in 0..<100 {
      if await isAnswering() { return }
      try await Task.sleep(for: .milliseconds(100))
    }
    let lines = (try? String(contentsOfFile: log, encoding: .utf8))?.split(separator: "\n").suffix(5) ?? []
    throw Failure("the private server did not start. The end of \(log):\n" + lines.joined(separator: "\n"))
  }

  private func createDatabase() async throws {
    let settings = ConnectionSettings(conninfo: "postgresql://postgres@/postgres?host=\(socketFolder)")
    let connection = try await Connection.connect(settings)
    let existing = try await connection.query("SELECT 1 FROM pg_database WHERE datname = 'rollup'")
    if existing.isEmpty { try await connection.script("CREATE DATABASE rollup") }
    await connection.close()
  }

  // MARK: Looking

  private func isAnswering() async -> Bool {
    let conninfo = url + "&connect_timeout=2"
    guard FileManager.default.fileExists(atPath: socketFolder + "/.s.PGSQL.5432") else { return false }
    return await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(returning: PQping(conninfo) == PQPING_OK) }
    }
  }

  /// The number in postmaster.pid, if that process is a PostgreSQL server of this folder.
  private func serverProcess(_ folder: String) -> Int? {
    guard let text = try? String(contentsOfFile: folder + "/data/postmaster.pid", encoding: .utf8),
      let pid = text.split(separator: "\n").first.flatMap({ Int($0) }),
      let command = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")
    else { return nil }
    return String(decoding: command, as: UTF8.self).contains(folder + "/data") ? pid : nil
  }

  private func own(_ path: String) throws {
    guard let systemUser, let entry = getpwnam(systemUser),
      chown(path, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0
    else { throw Failure("cannot give \(path) to the user that runs the server") }
  }

  /// One program at a time makes, starts or stops this server.
  private func withLock<T: Sendable>(_ body: () async throws -> T) async throws -> T {
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    let descriptor = open(home + "/lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Failure("cannot write to \(home): \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    for _ in 0..<1200 {
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return try await body() }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw Failure("another program has been starting or stopping the server in \(home) for a minute")
  }
}
