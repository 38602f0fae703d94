import ArgumentParser
import Commands
import Foundation
import Hypertension
import PeriodRollups
import RollupStore

/// `rollup verify`: the rollups against the plain query over the sources.
struct VerifyCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract:
      "Compare the rollups with the sources; list what differs. Exit code 1 when anything does.",
    discussion:
      "Each difference is a line of CSV: kind,rollup,period,key,expected,actual. Keys only, no values of patients."
  )

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var span: SpanOptions

  @Option(help: "How many patients are compared at a time.")
  var chunk = 5_000

  @Option(help: "List at most this many differences; all are counted.")
  var limit = 1_000

  var databaseDescription: String? { database.described }

  func validate() throws {
    if chunk < 1 { throw ValidationError("--chunk must be at least 1") }
  }

  func execute() async throws {
    let pool = try await database.pool()
    let store = try await RollupStore(pool, Rollups.catalog)
    let span = try span.span(from: PeriodSpan.all.first, to: PeriodSpan.all.last)
    let chunks = try await store.chunks(of: chunk, keyedBy: UUID.self)
    let progress = Progress("verifying", total: chunks.count, unit: "chunks")
    var found = 0
    func list(_ drifts: [Drift]) {
      if found == 0, !drifts.isEmpty { Terminal.print("kind,rollup,period,key,expected,actual") }
      for drift in drifts.prefix(max(0, limit - found)) { Terminal.print(drift.line) }
      found += drifts.count
    }
    for chunk in chunks {
      list(try await store.verify(chunk, in: span))
      progress.advance(by: 1)
    }
    list(try await store.verifyCounts(in: span))
    progress.finish()
    await pool.close()
    guard found == 0 else {
      Terminal.say("\(found.grouped) rows differ from the sources; 'rollup-backfill' mends them")
      throw ExitCode(1)
    }
    Terminal.say("the rollups equal the sources (\(span == .all ? "all periods" : "\(span)"))")
  }
}

extension Drift {
  /// Ids, numbers and names of periods: nothing in it needs quoting.
  fileprivate var line: String {
    [kind.rawValue, rollup, period?.description ?? "", key, expected ?? "", actual ?? ""]
      .joined(separator: ",")
  }
}
