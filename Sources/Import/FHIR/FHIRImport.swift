import Foundation
import Postgres
import RollupStore

/// Imports a folder of FHIR R4 resources, as a bulk export leaves them: `Patient.ndjson`,
/// `Observation-2.ndjson.gz` and so on.
public struct FHIRImport: Sendable {
  private let intake: Intake

  /// - Throws: ``ImportFailure`` when the folder has no file whose name has a resource type.
  public init(_ folder: String, _ options: ImportOptions = ImportOptions()) throws {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      throw ImportFailure("\(folder): no such readable folder")
    }
    let files = names.sorted().compactMap { name in
      ResourceType(ofFile: name).map { Intake.File(path: "\(folder)/\(name)", rows: $0) }
    }
    guard !files.isEmpty else {
      throw ImportFailure(
        "\(folder): no file to import; expected names such as Patient.ndjson or "
          + "Observation-2.ndjson.gz, of "
          + ResourceType.allCases.map(\.rawValue).joined(separator: ", "))
    }
    intake = Intake(
      files: files, tables: FHIRTables.create, resolve: FHIRTables.resolve, options: options)
  }

  /// Reads the files and writes what they say.
  /// - Throws: ``ImportFailure`` before anything is written.
  public func run(_ store: RollupStore, on connection: Connection) async throws -> ImportReport {
    try await intake.run(store, on: connection)
  }
}
