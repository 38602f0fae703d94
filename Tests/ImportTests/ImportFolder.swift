import Foundation
import Hypertension
import Import
import Postgres
import TestSupport

/// A folder of a test's own files, and imports from it.
struct ImportFolder {
  let path: String

  static func with<T>(_ body: (ImportFolder) async throws -> T) async throws -> T {
    let path = NSTemporaryDirectory() + "/import-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(ImportFolder(path: path))
  }

  func write(_ name: String, _ lines: String...) throws {
    try lines.map { $0 + "\n" }.joined()
      .write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
  }

  func importFHIR(_ store: Store) async throws -> ImportReport {
    let work = try FHIRImport(path, ImportOptions(rejects: "\(path)/rejects.csv"))
    return try await store.rollups.pool.withConnection {
      try await work.run(store.rollups, on: $0)
    }
  }

  func importCSV(_ files: [CSVKind: String], _ store: Store) async throws -> ImportReport {
    let work = CSVImport(
      files.mapValues { "\(path)/\($0)" }, ImportOptions(rejects: "\(path)/rejects.csv"))
    return try await store.rollups.pool.withConnection {
      try await work.run(store.rollups, on: $0)
    }
  }

  /// The lines of the file of rejects after its header; none when there is no file.
  var rejects: [String] {
    let text = (try? String(contentsOfFile: "\(path)/rejects.csv", encoding: .utf8)) ?? ""
    return text.split(whereSeparator: \.isNewline).dropFirst().map(String.init)
  }
}

extension ImportReport {
  /// New and changed rows of all tables.
  var written: Int { tables.reduce(0) { $0 + $1.outcome.inserted + $1.outcome.changed } }
}

extension Pool {
  /// The rows of a statement with one text column, sorted.
  func texts(_ query: Query) async throws -> [String] {
    try await withConnection { connection in
      try await connection.query(query).map { try $0.decode(String.self) }
    }.sorted()
  }
}
