import Foundation

/// What the data folder and the machine's processes say of a server.
///
/// `postmaster.pid` alone cannot be believed: after a `kill -9` it stays, and its number may by now
/// be another process's. A server's processes have the data folder as their working directory,
/// which is what is asked here.
struct Postmaster {
  let pid: pid_t
  /// Whether it takes connections.
  let isReady: Bool

  /// The server of that data folder; nil when it has none.
  init?(data: URL) {
    guard
      let text = try? String(contentsOf: Self.pidFile(data), encoding: .utf8),
      let pid = text.split(separator: "\n").first.flatMap({ pid_t($0) }),
      Self.workingDirectory(pid) == data.path
    else { return nil }
    self.pid = pid
    // The eighth line (`miscadmin.h` of PostgreSQL's source, LOCK_FILE_LINE_PM_STATUS).
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    isReady = lines.count > 7 && lines[7].hasPrefix("ready")
  }

  static func pidFile(_ data: URL) -> URL { data.appending(path: "postmaster.pid") }

  /// The processes that work in the data folder: sessions may outlive a server that was killed.
  static func processes(in data: URL) -> [pid_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { workingDirectory($0) == data.path }
  }

  private static func workingDirectory(_ pid: pid_t) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")
  }
}
