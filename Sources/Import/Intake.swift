import Foundation
import Postgres
import RollupStore

/// What every import does: the rows of its files are copied to raw tables, resolved there in SQL,
/// and written in batches; memory stays flat. So the order of files and of rows does not matter,
/// and all files are read to their ends before the first row is written.
struct Intake {
  /// A file, and what is in it.
  struct File: Sendable {
    let path: String
    let rows: any Rows

    /// What the rejects call it.
    var name: String { (path as NSString).lastPathComponent }
  }

  let files: [File]
  /// Makes the raw tables.
  let tables: String
  /// From the raw tables to the ready ones, in this order.
  let resolve: [String]
  let options: ImportOptions

  func run(_ store: RollupStore, on connection: Connection) async throws -> ImportReport {
    var report = ImportReport()
    let rejects = Rejects(options.rejects)
    try await prepare(connection, store)
    for (number, file) in files.enumerated() {
      try await copy(file, number, &report, rejects, connection)
    }
    for (index, statement) in resolve.enumerated() {
      options.progress("resolving", index, resolve.count)
      try await connection.script(statement)
    }
    for (name, count) in try await rejects.collect(files.map(\.name), from: connection) {
      report.inputs[report.input(name)].rejected += count
    }
    let writing = Writing(store: store, connection: connection, sourcesOnly: options.sourcesOnly) {
      options.progress("writing \($0)", $1, $2)
    }
    report.tables = try await writing.run()
    return report
  }

  /// Makes the temporary tables; local times are in the reporting time zone from here on.
  private func prepare(_ connection: Connection, _ store: RollupStore) async throws {
    _ = try await connection.query("SELECT set_config('TimeZone', \(store.timeZone), false)")
    try await connection.script(
      "SET client_min_messages = error; SET work_mem = '64MB'; SET jit = off")
    try await connection.script(ReadyTables.create)
    try await connection.script(tables)
  }

  private func copy(
    _ file: File, _ number: Int, _ report: inout ImportReport, _ rejects: Rejects,
    _ connection: Connection
  ) async throws {
    let input = try InputFile(file.path)
    var reader = file.rows.reader(of: file.path)
    let place = report.input(file.rows.name)
    var counts = report.inputs[place]
    try await connection.copyIn(file.rows.copy) { copy in
      var isOver = false
      while !isOver {
        var rows: [Row] = []
        if let bytes = try input.next() {
          try reader.feed(bytes) { rows.append($0) }
        } else {
          try reader.finish { rows.append($0) }
          isOver = true
        }
        for row in rows {
          counts.read += 1
          switch row.content {
          case .fields(let fields):
            try await copy.write(row: [String(number), String(row.line)] + fields)
          case .notOurs:
            counts.skipped += 1
          case .reject(let reject):
            counts.rejected += 1
            try rejects.add(file.name, row.line, file.rows.name, reject.id, reject.reason)
          }
        }
        options.progress("reading \(file.name)", input.position, input.size)
      }
    }
    report.inputs[place] = counts
  }
}
