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

  @Flag(
    help:
      "Verify the closed periods: rows, digests, the chain and the guard. Ends at the first that differs."
  )
  var closed = false

  @Flag(
    help:
      "Compare what the closed periods would be now, their rows and what came late, instead of the open ones."
  )
  var knownNow = false

  @Flag(help: "With --closed: list all that differs.")
  var all = false

  @Option(help: "How many patients are compared at a time.")
  var chunk = 5_000

  @Option(help: "List at most this many differences; all are counted.")
  var limit = 1_000

  var databaseDescription: String? { database.described }

  func validate() throws {
    if chunk < 1 { throw ValidationError("--chunk must be at least 1") }
    if closed, knownNow { throw ValidationError("--closed and --known-now are two verifications") }
  }

  func execute() async throws {
    let pool = try await database.pool()
    let store = try await RollupStore(pool, Rollups.catalog)
    if closed { return try await verifyClosed(store) }
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
      list(try await store.verify(chunk, in: span, asKnownNow: knownNow))
      progress.advance(by: 1)
    }
    if !knownNow { list(try await store.verifyCounts(in: span)) }
    progress.finish()
    await pool.close()
    guard found == 0 else {
      Terminal.say("\(found.grouped) rows differ from the sources; 'rollup-backfill' mends them")
      throw ExitCode(1)
    }
    let what = knownNow ? "closed periods as known now" : "the rollups"
    Terminal.say("\(what) equal the sources (\(span == .all ? "all periods" : "\(span)"))")
  }
}

extension VerifyCommand {
  private func verifyClosed(_ store: RollupStore) async throws {
    let editions = try await store.editions()
    let progress = Progress("verifying", total: editions.count, unit: "editions")
    var found = 0
    try await ClosedVerification(store, publishing: CarePublication()).run(
      progress: { _ in progress.advance(by: 1) },
      found: { finding in
        found += 1
        Terminal.print("\(finding)")
        return all
      })
    progress.finish()
    await store.pool.close()
    guard found == 0 else {
      Terminal.say(
        all
          ? "\(found.grouped) things are not as they were published"
          : "this is the first that is not as it was published; --all lists the rest")
      throw ExitCode(1)
    }
    Terminal.say("all \(editions.count.grouped) editions are as they were published")
  }
}

extension Drift {
  /// Ids, numbers and names of periods: nothing in it needs quoting.
  fileprivate var line: String {
    [kind.rawValue, rollup, period?.description ?? "", key, expected ?? "", actual ?? ""]
      .joined(separator: ",")
  }
}
