import Foundation

/// Creates the data of a private server: all or nothing, because they are made under another name
/// and renamed when they are complete.
struct ServerCreation {
  let folders: ServerFolders
  let user: ServerUser

  /// The caller holds the lock.
  func createIfNeeded() throws {
    guard !FileManager.default.fileExists(atPath: folders.data.path) else { return }
    let installation = try Installation.newest()
    try removeHalfMade()
    let fresh = try makeFolder()
    try initialise(fresh, installation)
    let configuration = fresh.appending(path: "postgresql.conf")
    try ServerSettings.privateServer.appended(to: configuration)
    if installation.takes("wal_compression=lz4", in: fresh, as: user) {
      try ServerSettings.compression.appended(to: configuration)
    }
    try createDatabase(fresh, installation)
    guard rename(fresh.path, folders.data.path) == 0 else {
      throw PostgresError(.localServer, "\(folders.data.path) cannot be made")
    }
  }

  private static let unfinished = "postgres.new-"

  /// What a command that was killed has left.
  private func removeHalfMade() throws {
    let files = FileManager.default
    for name in (try? files.contentsOfDirectory(atPath: folders.base.path)) ?? []
    where name.hasPrefix(Self.unfinished) {
      try? files.removeItem(at: folders.base.appending(path: name))
    }
  }

  /// A folder in which the server's user can work: in the home, or where root's home is closed to
  /// that user, elsewhere.
  private func makeFolder() throws -> URL {
    if let folder = try folder(in: folders.base) { return folder }
    try folders.moveElsewhere(for: user)
    if let folder = try folder(in: folders.base) { return folder }
    throw PostgresError(
      .localServer,
      "the user \(user.name ?? "of this process") can write neither to \(folders.home.path) nor to "
        + folders.elsewhere.path,
      hint: "Set ROLLUP_HOME to a folder that it can enter.")
  }

  private func folder(in base: URL) throws -> URL? {
    let folder = base.appending(path: Self.unfinished + String(getpid()))
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw PostgresError(.localServer, "\(base.path) cannot be written")
    }
    try user.own(folder.path)
    if user.canWrite(folder.path) { return folder }
    try FileManager.default.removeItem(at: folder)
    return nil
  }

  private func initialise(_ folder: URL, _ installation: Installation) throws {
    let arguments = [
      "--pgdata", folder.path, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8",
      "--locale", "C.UTF-8", "--data-checksums",
    ]
    let outcome = try installation.program("initdb", arguments, as: user).run()
    guard outcome.isSuccess else {
      try? FileManager.default.removeItem(at: folder)
      throw PostgresError(
        .localServer, "initdb could not create the private server", hint: outcome.output)
    }
  }

  /// While no server runs, so that a data folder is never without its database.
  private func createDatabase(_ folder: URL, _ installation: Installation) throws {
    let outcome = try installation.program(
      "postgres", ["--single", "-D", folder.path, "postgres"], as: user
    ).run(input: "CREATE DATABASE rollup\n")
    guard outcome.isSuccess, !outcome.output.contains("ERROR:") else {
      throw PostgresError(
        .localServer, "the database rollup could not be created", hint: outcome.output)
    }
  }

}

extension Installation {
  /// Whether a server of this installation knows a setting and its value.
  fileprivate func takes(_ setting: String, in folder: URL, as user: ServerUser) -> Bool {
    let arguments = ["-D", folder.path, "-c", setting, "-C", "wal_compression"]
    return (try? program("postgres", arguments, as: user).run().isSuccess) ?? false
  }
}

/// What is added to `postgresql.conf`.
struct ServerSettings {
  let text: String

  static let privateServer = ServerSettings(
    text: """

      # Settings of the private server.
      listen_addresses = ''              # a Unix socket only
      port = 5432                        # whatever PGPORT says
      unix_socket_permissions = 0700
      max_connections = 100
      shared_buffers = 256MB
      max_wal_size = 4GB
      wal_compression = on
      jit = off                          # it costs short statements more than it saves
      max_locks_per_transaction = 512    # a statement may touch many partitions

      # Statements and the details of errors contain patients' data.
      log_min_error_statement = panic
      log_error_verbosity = terse
      log_line_prefix = '%m [%p] '

      """)

  /// A third of the time of building an index was pglz, which `on` stands for; LZ4 may not be compiled in.
  static let compression = ServerSettings(text: "wal_compression = lz4\n")

  func appended(to file: URL) throws {
    let handle = try FileHandle(forWritingTo: file)
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(text.utf8))
    try handle.close()
  }
}
