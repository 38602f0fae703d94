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
  Migration(name: "0003_closing", bytes: PackageResources._003_closing_sql),
  Migration(name: "0004_published", bytes: PackageResources._004_published_sql),
  Migration(name: "0005_runs", bytes: PackageResources._005_runs_sql),
  Migration(name: "0006_schema_changes", bytes: PackageResources._006_schema_changes_sql),
  Migration(name: "0007_jobs", bytes: PackageResources._007_jobs_sql),
  Migration(name: "0008_runs_are_jobs", bytes: PackageResources._008_runs_are_jobs_sql),
  Migration(name: "0009_readings_by_time", bytes: PackageResources._009_readings_by_time_sql),
  Migration(name: "0010_tokens", bytes: PackageResources._010_tokens_sql),
  Migration(
    name: "0011_tokens_used_by_the_hour",
    bytes: PackageResources._011_tokens_used_by_the_hour_sql),
  Migration(name: "0012_changes", bytes: PackageResources._012_changes_sql),
  Migration(name: "0013_first_period", bytes: PackageResources._013_first_period_sql),
  Migration(name: "0014_access", bytes: PackageResources._014_access_sql),
  Migration(name: "0015_jobs", bytes: PackageResources._015_jobs_sql),
  Migration(name: "0016_guards", bytes: PackageResources._016_guards_sql),
]

extension Migration {
  fileprivate init(name: String, bytes: [UInt8]) {
    self.init(name: name, sql: String(decoding: bytes, as: UTF8.self))
  }
}
