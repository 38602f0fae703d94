import Foundation

/// Where a private server keeps its things.
struct ServerFolders {
  let home: URL

  init(home: URL) { self.home = home.standardizedFileURL.resolvingSymlinksInPath() }

  /// Held by the command that starts or stops the server.
  var lock: URL { home.appending(path: "server.lock") }
  var log: URL { home.appending(path: "server.log") }

  /// Says where the data are when they are not in ``home``.
  private var location: URL { home.appending(path: "data-location") }

  /// The folder that holds the data folder.
  var base: URL {
    guard let text = try? String(contentsOf: location, encoding: .utf8) else { return home }
    let path = text.trimmingCharacters(in: .whitespacesAndNewlines)
    return path.isEmpty ? home : URL(filePath: path, directoryHint: .isDirectory)
  }

  /// The server's data folder (`PGDATA`).
  var data: URL { base.appending(path: "postgres") }

  /// The socket's folder: beside the data where the socket's path is short enough, and otherwise in /tmp under a name made from the
  /// home's. Nobody but the server's user may enter it, and nobody tidies up a home as they do /tmp.
  var socketFolder: String {
    let near = base.appending(path: "socket").path
    return Self.holdsSocket(near) ? near : "/tmp/rollup-\(digest)"
  }
  var socket: String { socketFolder + Self.socketName }
  private static let socketName = "/.s.PGSQL.5432"

  /// Whether a server's socket can be in a folder: its path has at most 107 bytes (`unix(7)`), and on its way to the server it is part of
  /// a shell's command line and of a list with commas.
  static func holdsSocket(_ folder: String) -> Bool {
    (folder + socketName).utf8.count <= 107
      && folder.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-+@".contains($0)) }
  }

  /// libpq would otherwise look for user and port in the environment. With every connection it asks the kernel whose the server is
  /// (`requirepeer`): whoever puts a socket of their own in that place is not taken for the server.
  var url: String {
    let peer = ServerUser.currentName.map { "&requirepeer=\($0)" } ?? ""
    return "postgresql:///rollup?host=\(socketFolder)&port=5432&user=postgres\(peer)"
  }

  /// Where root's server keeps its data when the user `postgres` may not enter ``home``.
  var elsewhere: URL {
    URL(filePath: "/var/lib/rollup/\(digest)", directoryHint: .isDirectory)
  }

  /// Makes ``elsewhere`` the place of the data, for good.
  func moveElsewhere(for user: ServerUser) throws {
    let files = FileManager.default
    try files.createDirectory(at: elsewhere, withIntermediateDirectories: true)
    try user.own(elsewhere.path)
    try elsewhere.path.write(to: location, atomically: true, encoding: .utf8)
  }

  /// The 64-bit FNV-1a hash of the home's path and the user, in hexadecimal. Swift's own hashes
  /// differ from run to run.
  private var digest: String {
    let hash = "\(geteuid()):\(home.path)".utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01B3
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
