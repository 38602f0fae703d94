import ArgumentParser
import Commands
import Hypertension
import Import
import PeriodRollups
import Postgres

/// `rollup import`: records from files.
struct ImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Import facilities, patients, readings and visits from files.",
    subcommands: [ImportFHIR.self, ImportCSV.self])
}

/// What both imports have in common.
struct ImportArguments: ParsableArguments {
  @Flag(help: "Write the source tables only; 'rollup-backfill' makes the rollups afterwards.")
  var sourcesOnly = false

  @Option(help: "The CSV file of what could not be imported; made only when there is any.")
  var rejects = "rejects.csv"

  /// Runs an import and says what became of it.
  func run(
    _ database: DatabaseOptions,
    _ body: (ImportOptions, Store, Connection) async throws -> ImportReport
  ) async throws {
    let live = ImportProgress()
    let options = ImportOptions(sourcesOnly: sourcesOnly, rejects: rejects) { what, done, total in
      live.show(what, done, total)
    }
    let pool = try await database.pool(size: 1)
    let store = try await Store(pool)
    let report: ImportReport
    do {
      report = try await pool.withConnection { try await body(options, store, $0) }
    } catch let failure as ImportFailure {
      live.finish()
      throw Failure.data(failure.description + "\nNothing was imported.")
    }
    live.finish()
    let span = sourcesOnly ? try await store.rollups.spanOfSources() : nil
    await pool.close()
    for input in report.inputs {
      Terminal.say(
        "\(input.name): \(input.read.grouped) read"
          + (input.skipped > 0 ? ", \(input.skipped.grouped) that are none of ours" : "")
          + ", \(input.rejected.grouped) rejected")
    }
    for table in report.tables {
      let outcome = table.outcome
      Terminal.say(
        "\(table.name): \(outcome.inserted.grouped) new, \(outcome.changed.grouped) changed, "
          + "\(outcome.unchanged.grouped) unchanged"
          + (table.moved > 0
            ? ", \(table.moved.grouped) of them stored under another patient before" : ""))
    }
    if report.rejected > 0 {
      Terminal.say(
        "\(report.rejected.grouped) rejected, each with its reason in \(rejects); the rest is imported"
      )
    }
    if let span {
      Terminal.say("Only the sources are written. Next: \(Backfilling.advice(span))")
    }
  }
}

/// What to do after the sources were written without the rollups.
enum Backfilling {
  /// - Parameter span: the months of all sources, wrong dates included; 'rollup verify' looks at all of them.
  static func advice(_ span: PeriodSpan) -> String {
    "'rollup-backfill --from \(span.first) --to \(span.last)', which are the months of all that is there"
  }
}
