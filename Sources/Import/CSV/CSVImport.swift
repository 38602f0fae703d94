import Foundation
import Postgres
import RollupStore

/// Imports CSV files of facilities, patients, readings, blood sugars and visits, any of them. `docs/import.md`
/// has their columns.
public struct CSVImport: Sendable {
  private let intake: Intake

  /// - Parameter files: a path each, plain or compressed with gzip.
  public init(_ files: [CSVKind: String], _ options: ImportOptions = ImportOptions()) {
    intake = Intake(
      files: CSVKind.allCases.compactMap { kind in
        files[kind].map { Intake.File(path: $0, rows: kind) }
      }, tables: CSVTables.create, resolve: CSVTables.resolve, options: options)
  }

  /// Writes `facilities.csv` and so on with a header and two rows each; a file that is there stays
  /// as it is.
  /// - Returns: the paths that were written.
  public static func writeTemplates(to folder: String) throws -> [String] {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return try CSVKind.allCases.compactMap { kind in
      let path = "\(folder)/\(kind.rawValue).csv"
      guard !FileManager.default.fileExists(atPath: path) else { return nil }
      try kind.template.write(toFile: path, atomically: true, encoding: .utf8)
      return path
    }
  }

  /// Reads the files and writes what they say.
  /// - Throws: ``ImportFailure`` before anything is written.
  public func run(_ store: RollupStore, on connection: Connection) async throws -> ImportReport {
    try await intake.run(store, on: connection)
  }
}
