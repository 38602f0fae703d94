import Foundation
import Output
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
  /// - Throws: ``Output/OutputFailure``.
  public static func writeTemplates(to folder: String) throws -> [String] {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      // Where a file of that name is, Foundation says that it exists.
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
      throw exists ? OutputFailure(folder, code: EEXIST) : OutputFailure(folder, error)
    }
    return try CSVKind.allCases.compactMap { kind in
      let path = "\(folder)/\(kind.rawValue).csv"
      guard !FileManager.default.fileExists(atPath: path) else { return nil }
      try OutputFile.write(Array(kind.template.utf8), to: path)
      return path
    }
  }

  /// Reads the files and writes what they say.
  /// - Throws: ``ImportFailure`` before anything is written.
  public func run(_ store: RollupStore, on connection: Connection) async throws -> ImportReport {
    try await intake.run(store, on: connection)
  }
}
