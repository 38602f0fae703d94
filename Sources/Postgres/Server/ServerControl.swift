import Foundation

/// Starts and stops a private server. Everything here blocks; ``LocalServer`` gives it a thread.
struct ServerControl {
  let folders: ServerFolders

  init(home: URL) { folders = ServerFolders(home: home) }

  func start() throws -> String {
    if isServing { return folders.url }
    try makeHome()
    let lock = try FileLock(folders.lock)
    defer { withExtendedLifetime(lock) {} }
    // Whoever held the lock may have started it.
    if isServing { return folders.url }
    let user = try ServerUser.current()
    try ServerCreation(folders: folders, user: user).createIfNeeded()
    let installation = try installation()
    try claimSocketFolder(for: user)
    if let postmaster = Postmaster(data: folders.data) {
      if try becomesReady(postmaster) { return folders.url }
      // It runs, but its socket is gone (something has tidied up /tmp), or elsewhere (an older version started it).
      try stop(installation, user)
    }
    try clearRemains()
    try launch(installation, user)
    return folders.url
  }

  func stop() throws -> Bool {
    guard Postmaster(data: folders.data) != nil else { return false }
    let lock = try FileLock(folders.lock)
    defer { withExtendedLifetime(lock) {} }
    guard Postmaster(data: folders.data) != nil else { return false }
    try stop(try installation(), try ServerUser.current())
    return true
  }

  func status() throws -> LocalServer.Status {
    if let postmaster = Postmaster(data: folders.data) {
      return .running(pid: postmaster.pid, url: folders.url)
    }
    return FileManager.default.fileExists(atPath: folders.data.path) ? .stopped : .notCreated
  }

  // MARK: - Steps

  /// Whether there is nothing to do. What is in a folder that is not the server's own is nobody's socket: ``claimSocketFolder(for:)``
  /// says so.
  private var isServing: Bool {
    guard let user = try? ServerUser.current() else { return false }
    return Postmaster(data: folders.data)?.isReady == true && isSocketThere
      && isSocketFolder(of: user)
  }

  private var isSocketThere: Bool { access(folders.socket, F_OK) == 0 }

  private func makeHome() throws {
    do {
      try FileManager.default.createDirectory(
        at: folders.home, withIntermediateDirectories: true)
    } catch {
      throw PostgresError(
        .localServer, "the folder \(folders.home.path) cannot be made",
        hint: "Set ROLLUP_HOME to a folder that you may write.")
    }
  }

  /// The programs of the version that the data were made with.
  private func installation() throws -> Installation {
    let file = folders.data.appending(path: "PG_VERSION")
    guard let text = try? String(contentsOf: file, encoding: .utf8),
      let major = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    else {
      throw PostgresError(
        .localServer, "\(folders.data.path) is not the data folder of a PostgreSQL server",
        hint: "Move it away, or set ROLLUP_HOME to another folder.")
    }
    let installations = Installation.all()
    guard !installations.isEmpty else { throw Installation.missing }
    guard let match = installations.first(where: { $0.major == major }) else {
      let installed = installations.map { String($0.major) }.joined(separator: ", ")
      throw PostgresError(
        .localServer,
        "the data in \(folders.data.path) are PostgreSQL \(major)'s; installed is \(installed)",
        hint: """
          Install that version (apt-get install postgresql-\(major)), or bring the data over with \
          pg_upgrade, or set ROLLUP_HOME to another folder.
          """)
    }
    return match
  }

  /// A folder in /tmp has a name that can be guessed, and whoever may write there may have made it: what is there already is used only
  /// if it is the server's own.
  private func claimSocketFolder(for user: ServerUser) throws {
    let path = folders.socketFolder
    if mkdir(path, 0o700) == 0 { return try user.own(path) }
    guard isSocketFolder(of: user) else {
      throw PostgresError(
        .localServer,
        "\(path), where the server's socket belongs, is somebody else's, or others may enter it",
        hint: "Remove it, or set ROLLUP_HOME to another folder.")
    }
  }

  /// Whether the socket's folder is a user's, for nobody else to enter.
  private func isSocketFolder(of user: ServerUser) -> Bool {
    var entry = stat()
    return lstat(folders.socketFolder, &entry) == 0 && entry.st_mode & S_IFMT == S_IFDIR
      && entry.st_uid == user.uid && entry.st_mode & 0o077 == 0
  }

  /// - Returns: false when it takes connections but has no socket.
  private func becomesReady(_ postmaster: Postmaster) throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(120)
    while ContinuousClock.now < deadline {
      guard let postmaster = Postmaster(data: folders.data) else { return false }
      if postmaster.isReady { return isSocketThere }
      usleep(50_000)
    }
    throw PostgresError(
      .localServer, "the server (process \(postmaster.pid)) does not become ready",
      hint: "See \(folders.log.path).")
  }

  /// After a server was killed: waits for its orphans, and removes what would keep a new one from
  /// starting if its process's number has been given to another.
  private func clearRemains() throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while case let orphans = Postmaster.processes(in: folders.data), !orphans.isEmpty {
      guard ContinuousClock.now < deadline else {
        let list = orphans.map { String($0) }.joined(separator: ", ")
        throw PostgresError(
          .localServer, "processes of an earlier server are still at work: \(list)",
          hint: "They end with their statements; otherwise end them with kill.")
      }
      usleep(50_000)
    }
    for file in [
      Postmaster.pidFile(folders.data).path, folders.socket, folders.socket + ".lock",
    ] { unlink(file) }
  }

  private func launch(_ installation: Installation, _ user: ServerUser) throws {
    let log = ServerLog(file: folders.log)
    log.rotate()
    let begin = log.size
    let arguments = [
      "start", "--pgdata", folders.data.path, "--wait", "--timeout", "120", "--silent",
      "--options", "-c unix_socket_directories=\(folders.socketFolder)",
    ]
    let outcome = try installation.program("pg_ctl", arguments, as: user).run(log: folders.log)
    guard !outcome.isSuccess else { return }
    // A command that was killed may have left its pg_ctl behind, which was faster.
    if let other = Postmaster(data: folders.data), try becomesReady(other) { return }
    throw PostgresError(
      .localServer, "the private server did not start",
      hint: "The end of its log, \(folders.log.path):\n\(log.lastLines(after: begin))")
  }

  private func stop(_ installation: Installation, _ user: ServerUser) throws {
    let arguments = [
      "stop", "--pgdata", folders.data.path, "--mode", "fast", "--wait", "--timeout", "120",
      "--silent",
    ]
    let outcome = try installation.program("pg_ctl", arguments, as: user).run()
    guard outcome.isSuccess || Postmaster(data: folders.data) == nil else {
      throw PostgresError(
        .localServer, "the private server did not stop", hint: outcome.output)
    }
  }
}
