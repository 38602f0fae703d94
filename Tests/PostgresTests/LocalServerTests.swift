import Foundation
import TestSupport
import Testing

@testable import Postgres

/// What the private server promises whoever has none. Few tests, because each creates one.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LocalServerTests {
  /// A home in /tmp whose server is stopped and removed afterwards.
  private func withHome(
    _ suffix: String = "", mode: Int = 0o755, _ body: (LocalServer) async throws -> Void
  ) async throws {
    let files = FileManager.default
    let top = URL(filePath: "/tmp/rollup-home-\(UUID())", directoryHint: .isDirectory)
    try files.createDirectory(
      at: top, withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
    let server = LocalServer(home: top.appending(path: "home" + suffix))
    let folders = ServerFolders(home: server.home)
    let result: Result<Void, any Error>
    do { result = .success(try await body(server)) } catch { result = .failure(error) }
    _ = try? await server.stop()
    for path in [folders.base.path, folders.socketFolder, top.path] {
      try? files.removeItem(atPath: path)
    }
    try result.get()
  }

  private func answer<Value: PostgresDecodable & Sendable>(
    _ query: Query, of url: String, as type: Value.Type = Value.self
  ) async throws -> Value {
    let connection = try await Connection.connect(ConnectionSettings(conninfo: url))
    let rows = try await connection.query(query)
    await connection.close()
    return try rows.only(type)
  }

  private func pid(_ server: LocalServer) async throws -> Int32 {
    guard case .running(let pid, _) = try await server.status() else { return 0 }
    return pid
  }

  /// As `kill -9` or the kernel's memory killer does, and waits until the process is gone.
  private func kill9(_ pid: Int32) async throws {
    kill(pid, SIGKILL)
    while kill(pid, 0) == 0 { try await Task.sleep(for: .milliseconds(10)) }
  }

  /// From a home so deep that no socket could be in it: creation, use, crash, restart, stop.
  @Test func theLifeOfAServer() async throws {
    try await withHome("/" + String(repeating: "deep", count: 40)) { server in
      let folders = ServerFolders(home: server.home)
      #expect(try await server.status() == .notCreated)
      #expect(try await server.stop() == false)
      // What a command killed during creation leaves.
      let half = server.home.appending(path: "postgres.new-1")
      try FileManager.default.createDirectory(at: half, withIntermediateDirectories: true)

      // Two commands at once.
      async let first = server.start()
      async let second = LocalServer(home: server.home).start()
      let url = try await first
      #expect(try await second == url)
      #expect(url == server.url)
      #expect(!FileManager.default.fileExists(atPath: half.path))
      let pid = try await pid(server)
      #expect(try await server.status() == .running(pid: pid, url: url))
      try await expectSettings(url)
      try expectDetached(pid)
      try await expectStarted(again: server, pid: pid)

      try await expectRecovery(server, url)
      try await expectStalePidFileIsSeenThrough(server, folders)
      try await expectOtherVersionIsRefused(server, folders)
      #expect(try await server.status() == .stopped)
    }
  }

  private func expectSettings(_ url: String) async throws {
    let settings = [
      "server_encoding": "UTF8", "data_checksums": "on", "listen_addresses": "", "fsync": "on",
      "jit": "off", "unix_socket_permissions": "0700",
    ]
    for (name, value) in settings {
      #expect(try await answer("SELECT current_setting(\(name))", of: url) == value)
    }
    #expect(try await answer("SELECT current_database()", of: url) == "rollup")
  }

  /// Ctrl-C goes to a session's processes, and a reader of a command's output waits until nobody
  /// holds the pipe any more.
  private func expectDetached(_ pid: Int32) throws {
    #expect(getsid(pid) != getsid(0))
    let files = FileManager.default
    for descriptor in try files.contentsOfDirectory(atPath: "/proc/\(pid)/fd") {
      let target =
        (try? files.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(descriptor)")) ?? ""
      let isStandard = ["0", "1", "2"].contains(descriptor)
      if isStandard { #expect(target.hasSuffix("/server.log") || target == "/dev/null") }
      #expect(!target.hasSuffix("/server.lock"))
    }
  }

  private func expectStarted(again server: LocalServer, pid: Int32) async throws {
    let start = ContinuousClock.now
    try await server.start()
    #expect(ContinuousClock.now - start < .milliseconds(500))
    #expect(try await self.pid(server) == pid)
  }

  /// A pool over a server that is killed: one failure for who was at work, then as if nothing had
  /// been.
  private func expectRecovery(_ server: LocalServer, _ url: String) async throws {
    let pool = Pool(ConnectionSettings(conninfo: url), size: 2)
    try await pool.withConnection {
      try await $0.script("CREATE TABLE kept (n int8); INSERT INTO kept VALUES (7)")
    }
    try await kill9(try await pid(server))
    let error = await #expect(throws: PostgresError.self) {
      try await pool.withConnection { try await $0.query("SELECT n FROM kept") }
    }
    #expect(error?.kind == .connectionFailed || error?.kind == .connectionLost)
    #expect(try await server.status() == .stopped)
    try await server.start()
    let kept = try await pool.withConnection {
      try await $0.query("SELECT n FROM kept").only(Int.self)
    }
    #expect(kept == 7)
    await pool.close()
  }

  /// After a crash the number in `postmaster.pid` may be another process's, of the same user too.
  private func expectStalePidFileIsSeenThrough(
    _ server: LocalServer, _ folders: ServerFolders
  ) async throws {
    let pidFile = Postmaster.pidFile(folders.data)
    let content = try String(contentsOf: pidFile, encoding: .utf8)
    try await kill9(try await pid(server))
    let sleeper = Process()
    let user = try ServerUser.current()
    let command = user.process("/bin/sleep", ["60"])
    sleeper.executableURL = URL(filePath: "/usr/bin/env")
    sleeper.arguments = [command.program] + command.arguments
    sleeper.standardOutput = FileHandle.nullDevice
    sleeper.standardError = FileHandle.nullDevice
    try sleeper.run()
    let other = sleeper.processIdentifier
    defer { kill(other, SIGKILL) }
    let lines = content.split(separator: "\n", omittingEmptySubsequences: false)
    try ([String(other)] + lines.dropFirst().map(String.init)).joined(separator: "\n")
      .write(to: pidFile, atomically: false, encoding: .utf8)
    try "\(other)\n".write(toFile: folders.socket + ".lock", atomically: false, encoding: .utf8)
    #expect(try await server.status() == .stopped)
    #expect(try await server.stop() == false, "stopping must not hit the other process")
    try await server.start()
    #expect(sleeper.isRunning)
    #expect(try await answer("SELECT n FROM kept", of: server.url) == 7)
    #expect(try await server.stop() == true)
  }

  private func expectOtherVersionIsRefused(
    _ server: LocalServer, _ folders: ServerFolders
  ) async throws {
    let file = folders.data.appending(path: "PG_VERSION")
    try "9\n".write(to: file, atomically: false, encoding: .utf8)
    let error = await #expect(throws: PostgresError.self) { try await server.start() }
    #expect(error?.kind == .localServer)
    #expect(error?.message.contains("PostgreSQL 9's") == true)
  }

  /// Root's home is closed to the user that the server runs as.
  @Test(.enabled(if: geteuid() == 0)) func aHomeThatTheServerCannotEnterHoldsNoData() async throws {
    try await withHome(mode: 0o700) { server in
      let url = try await server.start()
      #expect(try await answer("SELECT current_database()", of: url) == "rollup")
      let folders = ServerFolders(home: server.home)
      #expect(folders.data.path.hasPrefix("/var/lib/rollup/"))
      #expect(try await LocalServer(home: server.home).start() == url)
      // A server that cannot start says why.
      try await server.stop()
      let settings = try FileHandle(
        forWritingTo: folders.data.appending(path: "postgresql.conf"))
      try settings.seekToEnd()
      try settings.write(contentsOf: Data("shared_buffers = nonsense\n".utf8))
      try settings.close()
      let error = await #expect(throws: PostgresError.self) { try await server.start() }
      #expect(error?.description.contains("shared_buffers") == true)
    }
  }

  @Test func somebodyElsesSocketFolderIsNotUsed() async throws {
    try await withHome { server in
      let folders = ServerFolders(home: server.home)
      try FileManager.default.createDirectory(
        atPath: folders.socketFolder, withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o777])
      try FileManager.default.createDirectory(
        at: folders.data, withIntermediateDirectories: true)
      try "15\n".write(
        to: folders.data.appending(path: "PG_VERSION"), atomically: false, encoding: .utf8)
      let error = await #expect(throws: PostgresError.self) { try await server.start() }
      #expect(error?.message.contains(folders.socketFolder) == true)
    }
  }

  @Test func theSocketIsInTheHomeWhereItFits() {
    func folder(_ home: String) -> String {
      ServerFolders(home: URL(filePath: home, directoryHint: .isDirectory)).socketFolder
    }
    let longest = "/" + String(repeating: "a", count: 107 - "//socket/.s.PGSQL.5432".utf8.count)
    #expect(folder(longest) == longest + "/socket")
    // Longer than a socket's path may be, or more to a shell than a name.
    for home in [longest + "a", "/home/a b", "/home/a'b", "/home/a,b", "/home/$(id)", "/home/é"] {
      #expect(folder(home).hasPrefix("/tmp/rollup-"), "\(home)")
    }
  }

  @Test func aSocketFolderThatWasRemovedIsMadeAgainAndOneOfAnotherIsNotUsed() async throws {
    try await withHome { server in
      let files = FileManager.default
      let folders = ServerFolders(home: server.home)
      let url = try await server.start()
      #expect(folders.socketFolder == folders.base.path + "/socket")
      try files.removeItem(atPath: folders.socketFolder)
      #expect(try await server.start() == url)
      #expect(try await answer("SELECT 1", of: url) == 1)

      // The server runs, and its socket is in a folder that others may enter, or that is somebody else's.
      for change in ["chmod 0755", "chown 12345"] where geteuid() == 0 || change != "chown 12345" {
        try await shell("\(change) \(folders.socketFolder)")
        let error = await #expect(throws: PostgresError.self) { try await server.start() }
        #expect(error?.kind == .localServer)
        #expect(error?.message.contains("\(folders.socketFolder), where") == true)
        try ServerUser.current().own(folders.socketFolder)
      }
      #expect(try await server.start() == url)
    }
  }

  /// Root is somebody else than the server's user here.
  @Test(.enabled(if: geteuid() == 0)) func somebodyElsesSocketIsNotTakenForTheServer() async throws
  {
    try await withHome { server in
      let folders = ServerFolders(home: server.home)
      try FileManager.default.createDirectory(
        atPath: folders.socketFolder, withIntermediateDirectories: true)
      let impostor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(impostor) }
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: folders.socket.utf8) }
      let bound = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(impostor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      try #require(bound == 0 && listen(impostor, 8) == 0)
      let error = await #expect(throws: PostgresError.self) {
        try await Connection.connect(ConnectionSettings(conninfo: server.url))
      }
      #expect(error?.description.contains("requirepeer") == true)
    }
  }

  @Test func aMachineWithoutPostgreSQLIsToldHowToGetIt() {
    #expect(Installation.all(root: "/nonexistent", path: "/nonexistent:/tmp").isEmpty)
    #expect(Installation.missing.description.contains("apt-get install postgresql"))
    let majors = Installation.all().map(\.major)
    #expect(majors == majors.sorted(by: >))
  }
}
