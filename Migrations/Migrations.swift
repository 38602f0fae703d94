/// A numbered file of SQL, applied once.
public struct Migration: Sendable {
  /// The file's name without its extension: `0001_sources`.
  public let name: String
  public let sql: String
}

/// The files of this folder, embedded in the commands. A new file is added here and in `Package.swift`.
public let migrations: [Migration] = [
  Migration(name: "0001_sources", bytes: PackageResources._001_sources_sql),
  Migration(name: "0002_deployment", bytes: PackageResources._002_deployment_sql),
]

extension Migration {
  fileprivate init(name: String, bytes: [UInt8]) {
    self.init(name: name, sql: String(decoding: bytes, as: UTF8.self))
  }
}
