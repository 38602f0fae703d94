import Postgres
import RollupStore

/// How an import is done, whatever it reads.
public struct ImportOptions: Sendable {
  /// Leave the rollups to a backfill.
  public var sourcesOnly: Bool
  /// The file of rejects; made only when there are any.
  public var rejects: String
  /// Called with what is being done, how much of it is, and how much there is.
  public var progress: @Sendable (String, Int, Int) -> Void

  public init(
    sourcesOnly: Bool = false, rejects: String = "rejects.csv",
    progress: @escaping @Sendable (String, Int, Int) -> Void = { _, _, _ in }
  ) {
    self.sourcesOnly = sourcesOnly
    self.rejects = rejects
    self.progress = progress
  }

  /// Makes the temporary tables; local times are in the reporting time zone from here on.
  func prepare(_ connection: Connection, _ store: RollupStore, _ tables: String) async throws {
    try await connection.query("SELECT set_config('TimeZone', \(store.timeZone), false)")
    try await connection.script(
      "SET client_min_messages = error; SET work_mem = '64MB'; SET jit = off")
    try await connection.script(ReadyTables.create)
    try await connection.script(tables)
  }

  /// From the raw tables to the source tables.
  func finish(
    _ report: inout ImportReport, _ store: RollupStore, _ connection: Connection,
    resolving statements: [String], _ files: [String], _ rejects: Rejects
  ) async throws {
    for (index, statement) in statements.enumerated() {
      progress("resolving", index, statements.count)
      try await connection.script(statement)
    }
    for (name, count) in try await rejects.collect(files, from: connection) {
      report.inputs[report.input(name)].rejected += count
    }
    let writing = Writing(store: store, connection: connection, sourcesOnly: sourcesOnly) {
      self.progress("writing \($0)", $1, $2)
    }
    report.tables = try await writing.run()
  }
}
