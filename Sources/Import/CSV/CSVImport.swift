import CSV
import Foundation
import Postgres
import RollupStore

/// Imports CSV files of facilities, patients, readings and visits, any of them. `docs/import.md` has their columns.
public struct CSVImport: Sendable {
  private let files: [(path: String, kind: CSVKind)]
  private let options: ImportOptions

  public init(_ files: [CSVKind: String], _ options: ImportOptions = ImportOptions()) {
    self.files = CSVKind.allCases.compactMap { kind in files[kind].map { ($0, kind) } }
    self.options = options
  }

  /// Writes `facilities.csv` and so on with a header and two rows each; a file that is there stays as it is.
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

  public func run(_ store: RollupStore, on connection: Connection) async throws -> ImportReport {
    var report = ImportReport()
    let rejects = Rejects(options.rejects)
    try await options.prepare(connection, store, CSVTables.create)
    for (number, file) in files.enumerated() {
      try await copy(file.path, number, file.kind, &report, rejects, connection)
    }
    let names = files.map { ($0.path as NSString).lastPathComponent }
    try await options.finish(
      &report, store, connection, resolving: CSVTables.resolve, names, rejects)
    return report
  }

  private func copy(
    _ path: String, _ number: Int, _ kind: CSVKind, _ report: inout ImportReport,
    _ rejects: Rejects, _ connection: Connection
  ) async throws {
    let file = try InputFile(path)
    let name = (path as NSString).lastPathComponent
    let place = report.input(kind.rawValue)
    var input = report.inputs[place]
    let parser = CSVParser()
    var header: CSVHeader?
    var records: [CSVRecord] = []
    try await connection.copyIn(kind.copy) { copy in
      var isOver = false
      while !isOver {
        if let bytes = try file.next() {
          try parser.feed(bytes[...]) { records.append($0) }
        } else {
          try parser.finish { records.append($0) }
          isOver = true
        }
        for record in records {
          guard let columns = header else {
            header = try CSVHeader(kind, record.fields, path: path)
            continue
          }
          input.read += 1
          do {
            let fields = try columns.fields(record)
            try await copy.write(row: [String(number), String(record.line)] + fields)
          } catch let reject as CSVReject {
            input.rejected += 1
            try rejects.add(name, record.line, kind.rawValue, reject.id, reject.reason)
          }
        }
        records.removeAll(keepingCapacity: true)
        options.progress("reading \(name)", file.position, file.size)
      }
    }
    guard header != nil else {
      throw ImportFailure("\(path): it is empty; expected a header of column names")
    }
    report.inputs[place] = input
  }
}
