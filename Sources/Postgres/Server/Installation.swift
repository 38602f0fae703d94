import Foundation

/// PostgreSQL's programs on this machine, and the user they run as.
package struct Installation: Sendable {
  /// The folder of `initdb`, `pg_ctl` and `postgres`.
  package let programs: String
  /// The first part of the version: 15.
  package let major: Int

  /// Debian's place for servers of several versions side by side.
  package static let debian = "/usr/lib/postgresql"

  /// Every installation there is, the newest first.
  ///
  /// - Parameters:
  ///   - root: a folder with one folder a version in it
  ///   - path: as the variable `PATH`; looked at last
  package static func all(
    root: String = debian,
    path: String = ProcessInfo.processInfo.environment["PATH"] ?? ""
  ) -> [Installation] {
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    let folders =
      versions.compactMap(Int.init).sorted(by: >).map { "\(root)/\($0)/bin" }
      + path.split(separator: ":").map(String.init)
    var seen: Set<String> = []
    return folders.filter { seen.insert($0).inserted }.compactMap(Installation.init(programs:))
  }

  /// - Returns: nil when the folder does not hold a whole server.
  package init?(programs: String) {
    let needed = ["initdb", "pg_ctl", "postgres"]
    guard
      needed.allSatisfy({ FileManager.default.isExecutableFile(atPath: "\(programs)/\($0)") }),
      let answer = try? ChildProcess("\(programs)/postgres", ["--version"]).run(),
      let major = answer.output.firstMatch(of: #/ (\d+)/#).flatMap({ Int($0.1) })
    else { return nil }
    self.programs = programs
    self.major = major
  }

  /// - Throws: `localServer`, with how to install PostgreSQL.
  package static func newest() throws -> Installation {
    guard let newest = all().first else { throw missing }
    return newest
  }

  static let missing = PostgresError(
    .localServer, "PostgreSQL's server is not installed on this machine",
    hint: """
      To install it: apt-get install postgresql
      To use a server elsewhere, give its address: --database-url or DATABASE_URL
      """)

  /// One of the programs, to be run as `user`.
  package func program(_ name: String, _ arguments: [String], as user: ServerUser) -> ChildProcess {
    user.process("\(programs)/\(name)", arguments)
  }
}

/// Whom a server runs as. PostgreSQL refuses to run as root, so root runs it as `postgres`.
package struct ServerUser: Sendable {
  /// nil is this process's own user.
  package let name: String?
  package let uid: uid_t
  package let gid: gid_t

  /// - Throws: `localServer` when root has nobody to run the server as.
  package static func current() throws -> ServerUser {
    guard geteuid() == 0 else {
      return ServerUser(name: nil, uid: geteuid(), gid: getegid())
    }
    guard let entry = getpwnam("postgres") else {
      throw PostgresError(
        .localServer, "PostgreSQL does not run as root, and there is no user \"postgres\"",
        hint: "Installing PostgreSQL makes one (apt-get install postgresql), or run as yourself.")
    }
    return ServerUser(name: "postgres", uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid)
  }

  /// What the system calls the user that a private server runs as; nil when it has no name for it.
  static var currentName: String? {
    if geteuid() == 0 { return "postgres" }
    return getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) }
  }

  /// A program to be run as this user.
  package func process(_ program: String, _ arguments: [String]) -> ChildProcess {
    guard name != nil else { return ChildProcess(program, arguments) }
    return ChildProcess(
      "setpriv",
      ["--reuid=\(uid)", "--regid=\(gid)", "--init-groups", "--", program] + arguments)
  }

  /// Makes the folder this user's, for nobody else to enter.
  package func own(_ path: String) throws {
    guard chown(path, uid, gid) == 0, chmod(path, 0o700) == 0 else {
      throw PostgresError(
        .localServer,
        "\(path) cannot be given to the server's user: "
          + String(cString: strerror(errno)))
    }
  }

  /// Whether this user may enter and write the folder.
  package func canWrite(_ path: String) -> Bool {
    guard name != nil else { return access(path, W_OK | X_OK) == 0 }
    let attempt = process("/bin/sh", ["-c", "test -w \"$0\" && test -x \"$0\"", path])
    return (try? attempt.run())?.isSuccess ?? false
  }
}
