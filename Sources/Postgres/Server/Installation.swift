import Foundation

/// The PostgreSQL programs of this machine.
public struct Installation: Sendable, Hashable {
  /// The folder with `initdb` and `pg_ctl`.
  public let folder: String
  /// 15 for 15.18.
  public let major: Int

  func program(_ name: String) -> String { "\(folder)/\(name)" }

  /// The newest of Debian's folders, else what is on the PATH.
  /// - Throws: ``LocalServer/Failure`` when there is none.
  public static func find(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) async throws -> Installation {
    let debian = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
    let folders =
      debian.compactMap(Int.init).sorted(by: >).map { "/usr/lib/postgresql/\($0)/bin" }
      + (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    for folder in folders where FileManager.default.isExecutableFile(atPath: folder + "/initdb") {
      let version = try await Subprocess.run(folder + "/initdb", ["--version"]).output
      let number = version.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
      if let number { return Installation(folder: folder, major: number) }
    }
    throw LocalServer.Failure(
      "PostgreSQL is not installed: no initdb in /usr/lib/postgresql/*/bin or on the PATH. "
        + "Install it (apt-get install postgresql), or name a server with --database-url.")
  }
}
