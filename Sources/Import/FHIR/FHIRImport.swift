import Foundation
import Postgres
import RollupStore

/// Imports a folder of FHIR R4 resources, as a bulk export leaves them: `Patient.ndjson`, `Observation-2.ndjson.gz` and
/// so on. The lines are copied to temporary tables, resolved there, and written in batches; memory stays flat.
public struct FHIRImport: Sendable {
  private let files: [(path: String, type: ResourceType)]
  private let options: ImportOptions

  /// - Throws: ``ImportFailure`` when the folder has no file whose name begins with a resource type.
  public init(_ folder: String, _ options: ImportOptions = ImportOptions()) throws {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      throw ImportFailure("\(folder): no such readable folder")
    }
    files = names.sorted().compactMap { name in
      Self.type(of: name).map { ("\(folder)/\(name)", $0) }
    }
    guard !files.isEmpty else {
      throw ImportFailure(
        "\(folder): no file to import; expected names such as Patient.ndjson or Observation-2.ndjson.gz, of "
          + ResourceType.allCases.map(\.rawValue).joined(separator: ", "))
    }
    self.options = options
  }

  static func type(of name: String) -> ResourceType? {
    guard name.hasSuffix(".ndjson") || name.hasSuffix(".ndjson.gz") else { return nil }
    return ResourceType.allCases.first {
      name.hasPrefix($0.rawValue) && name.dropFirst($0.rawValue.count).first?.isLetter != true
    }
  }

  public func run(_ store: RollupStore, on connection: Connection) async throws -> ImportReport {
    var report = ImportReport()
    let rejects = Rejects(options.rejects)
    try await options.prepare(connection, store, FHIRTables.create)
    for (number, file) in files.enumerated() {
      try await copy(file.path, number, file.type, &report, rejects, connection)
    }
    let names = files.map { ($0.path as NSString).lastPathComponent }
    try await options.finish(
      &report, store, connection, resolving: FHIRTables.resolve, names, rejects)
    return report
  }

  private func copy(
    _ path: String, _ number: Int, _ type: ResourceType, _ report: inout ImportReport,
    _ rejects: Rejects, _ connection: Connection
  ) async throws {
    let file = try InputFile(path)
    let name = (path as NSString).lastPathComponent
    let decoder = JSONDecoder()
    let place = report.input(type.rawValue)
    var input = report.inputs[place]
    var lines = LineReader(file)
    try await connection.copyIn(type.copy) { copy in
      while let next = try lines.next() {
        for line in next {
          input.read += 1
          do {
            guard let bytes = line.bytes else {
              throw FHIR.Reject(id: nil, reason: "the line is longer than 8 MiB")
            }
            guard let fields = try type.fields(Data(bytes), decoder) else {
              input.skipped += 1
              continue
            }
            try await copy.write(row: [String(number), String(line.number)] + fields)
          } catch let reject as FHIR.Reject {
            input.rejected += 1
            try rejects.add(name, line.number, type.rawValue, reject.id, reject.reason)
          }
        }
        options.progress("reading \(name)", file.position, file.size)
      }
    }
    report.inputs[place] = input
  }
}
