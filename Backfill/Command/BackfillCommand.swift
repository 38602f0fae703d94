import ArgumentParser
import Backfill
import Commands
import Foundation
import Hypertension
import PeriodRollups
import RollupStore

/// The `rollup-backfill` command.
@main
struct BackfillCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "rollup-backfill",
    abstract: "Make the rollups of past periods right from the sources.",
    discussion: """
      Safe at any time, beside readers and writers, and as often as you like: what is right already is not rewritten. \
      Quarters are computed from all their months, so a span that begins within one is widened to it. \
      Interrupted (Ctrl-C), it finishes the chunk in hand; the same command again goes on.
      """)

  @OptionGroup var database: DatabaseOptions

  @Option(help: "The first month or quarter, such as 2020-01.", transform: Period.parse)
  var from: Period

  @Option(help: "The last one, itself included. Default: all that follow.", transform: Period.parse)
  var to: Period?

  @Option(help: "Patients a chunk, the unit of work that is committed together.")
  var chunk = 5_000

  var databaseDescription: String? { database.described }

  func validate() throws {
    if chunk < 1 { throw ValidationError("--chunk must be at least 1") }
    if let to, PeriodSpan(from: from, through: to) == nil {
      throw ValidationError("--to \(to) ends before --from \(from) begins")
    }
  }

  func execute() async throws {
    let pool = try await database.pool()
    let store = try await RollupStore(pool, Rollups.catalog)
    let last = if let to { to } else { try await Partitions.lastPeriod(pool) }
    guard let span = PeriodSpan(from: from, through: max(last, from)) else {
      throw Failure.usage("--from \(from) begins after \(last) ends")
    }
    Interruption.catchSignals()
    let run = BackfillRun(store, span: span, chunkSize: chunk)
    let live = Progress("backfilling \(span)", total: try await run.patients(), unit: "patients")
    let report = try await run.run(
      shouldStop: { Interruption.isRequested },
      progress: { live.advance(to: $0.derived.subjects) })
    live.finish()
    await pool.close()
    let derived = report.derived
    Terminal.say(
      """
      \(report.chunks) of \(report.totalChunks) chunks, \(derived.subjects.grouped) patients in \
      \(String(format: "%.1f", live.seconds)) s: \(derived.written.grouped) rows written, \
      \(derived.removed.grouped) removed
      """)
    guard report.chunks == report.totalChunks else {
      Terminal.say("interrupted; the same command again goes on with what is left")
      throw ExitCode(130)
    }
  }
}
