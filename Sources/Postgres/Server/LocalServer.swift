import Foundation

/// A PostgreSQL server of one's own, for whoever has none: to try the system, or to run it on one
/// machine.
///
/// It listens on a Unix socket only, in a folder that nobody but its owner may enter, and holds one
/// database named `rollup`. It outlives the command that started it. Root's server runs as the
/// system's user `postgres`, because PostgreSQL refuses to run as root.
///
/// Commands that run at the same time may all start it: one does, the others wait and use it. A
/// server that was killed is started again and recovers by itself.
public struct LocalServer: Sendable {
  /// What the server is doing.
  public enum Status: Sendable, Hashable {
    /// No data have been created yet.
    case notCreated
    case stopped
    /// - Parameters:
    ///   - pid: of the server's first process
    ///   - url: what to give libpq
    case running(pid: Int32, url: String)
  }

  /// The folder that belongs to the server: its log, its lock and, where possible, its data.
  public let home: URL

  public init(home: URL) { self.home = home }

  /// `$ROLLUP_HOME`, otherwise `.rollup` in the current folder.
  public static func defaultHome(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> URL {
    guard let home = environment["ROLLUP_HOME"], !home.isEmpty else {
      let current = URL(filePath: FileManager.default.currentDirectoryPath)
      return current.appending(path: ".rollup", directoryHint: .isDirectory)
    }
    return URL(filePath: home, directoryHint: .isDirectory)
  }

  /// The address of the database, whether or not the server runs.
  public var url: String { ServerFolders(home: home).url }

  /// Makes sure that the server runs, and leaves it running.
  ///
  /// - Returns: the address of its database
  /// - Throws: ``PostgresError`` of the kind `localServer`, with the last lines of the server's log
  ///   where they say why
  @discardableResult
  public func start() async throws -> String {
    try await onItsOwnThread { [home] in try ServerControl(home: home).start() }
  }

  /// Stops the server. Its sessions are ended, and what they have not committed is rolled back.
  /// - Returns: false when it was not running
  @discardableResult
  public func stop() async throws -> Bool {
    try await onItsOwnThread { [home] in try ServerControl(home: home).stop() }
  }

  public func status() async throws -> Status {
    try await onItsOwnThread { [home] in try ServerControl(home: home).status() }
  }
}
