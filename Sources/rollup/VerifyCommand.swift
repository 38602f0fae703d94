import ArgumentParser
import Commands
import Foundation
import Hypertension
import PeriodRollups
import RollupStore
import Synchronization

/// `rollup verify`: the rollups against the plain query over the sources.
struct VerifyCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract:
      "Compare the rollups with the sources; list what differs. Exit code 1 when anything does.",
    discussion: """
      Each difference is a line of CSV: kind,rollup,period,key,expected,actual. Keys only, no values of patients. Nobody \
      waits for a verification; one that was interrupted is gone on with by --resume.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions
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

  @Option(
    help: ArgumentHelp(
      "Look at a share of the patients only, at random, such as 1%.", valueName: "share"),
    transform: { text in
      guard let percent = Double(text.hasSuffix("%") ? String(text.dropLast()) : text),
        percent > 0, percent <= 100
      else {
        throw ValidationError("'\(text)' is no share. It is a number of per cent, such as 1%.")
      }
      return percent / 100
    })
  var sample: Double?

  @Flag(
    help:
      "Mend what differs in open periods, as the backfill does; with --known-now what came late for closed ones, whose rows stay."
  )
  var repair = false

  @Flag(help: "Go on with the last verification that is not finished, as it was begun.")
  var resume = false

  @Option(help: "How many chunks are compared at a time.")
  var workers = 2

  @Option(
    help:
      "How many patients are compared at a time. Default: as many as have a hundred thousand events."
  )
  var chunk: Int?

  @Option(help: "List at most this many differences; all are counted.")
  var limit = 1_000

  var databaseDescription: String? { database.described }

  func validate() throws {
    if let chunk, chunk < 1 { throw ValidationError("--chunk must be at least 1") }
    guard (1...64).contains(workers) else {
      throw ValidationError("--workers must be between 1 and 64")
    }
    if closed, knownNow { throw ValidationError("--closed and --known-now are two verifications") }
    if closed, repair || sample != nil {
      throw ValidationError(
        "closed periods are not mended, and verified whole: --repair and --sample are for open ones"
      )
    }
    if resume, closed || knownNow || repair || sample != nil || chunk != nil || span.isGiven {
      throw ValidationError("--resume goes on with a verification as it was begun")
    }
  }

  func execute() async throws {
    let name = Worker.newName()
    let pool = try await database.pool(size: workers * 2 + 2, as: name)
    let store = try await RollupStore(pool, Rollups.catalog)
    try await SourceTrust(store.catalog, besides: CarePublication().reads).check(pool)
    if closed { return try await verifyClosed(store) }
    let (verification, run) = try await begin(store)
    Interruption.catchSignals()
    let listing = Listing(limit: limit)
    let live = Progress(
      "verifying", total: try await verification.runs.progress(run.number).chunks, unit: "chunks")
    let progress = try await verification.work(
      on: run, workers: workers, as: name,
      shouldStop: { Interruption.isRequested || Terminal.outputHasFailed },
      report: { event in
        live.advance(by: 1)
        if case .failed(let chunk, let error, true) = event {
          Terminal.complain("chunk \(chunk.number) was set aside: \(error)")
        }
      }, found: listing.add)
    live.finish()
    await pool.close()
    try conclude(progress, verification.task)
  }

  private func begin(_ store: RollupStore) async throws -> (VerificationRun, Run) {
    guard !resume else {
      let runs = Runs(store.pool)
      guard let run = try await runs.unfinished(VerificationRun.kind) else {
        throw Failure.usage("no verification is unfinished; 'rollup status' lists them")
      }
      try await runs.retry(run.number)
      let progress = try await runs.progress(run.number)
      Terminal.say(
        "going on with run \(run.number), begun \(run.createdAt): \(progress.done) of \(progress.chunks) chunks are done"
      )
      return (VerificationRun(store, try VerificationTask(text: run.task)), run)
    }
    let span = try span.span(from: PeriodSpan.all.first, to: PeriodSpan.all.last)
    // A sample is of small chunks, so that it is of many places.
    let usual = try await store.usualChunkSize()
    let small = max(1, min(usual / 20, try await store.subjectCount() / 500))
    let task = VerificationTask(
      span, chunk: chunk ?? (sample == nil ? usual : small), sample: sample, knownNow: knownNow,
      repair: repair)
    let verification = VerificationRun(store, task)
    return (verification, try await verification.begin())
  }

  private func conclude(_ progress: RunProgress, _ task: VerificationTask) throws {
    guard progress.isOver, progress.aside == 0 else {
      throw Failure(
        code: progress.isOver ? 1 : 130,
        "not all is verified; 'rollup verify --resume' verifies what is left")
    }
    let found = progress.found.grouped
    if progress.found > 0, task.repair {
      return Terminal.say("\(found) rows differed from the sources and were mended")
    }
    guard progress.found == 0 else {
      throw Failure.difference(
        task.knownNow
          ? "\(found) rows of closed periods, with what came late, are not what the sources say"
          : "\(found) rows differ from the sources; 'rollup verify --repair' or 'rollup-backfill' mends them"
      )
    }
    let what = task.knownNow ? "closed periods as known now" : "the rollups"
    let share = task.sample.map { " in a sample of \(($0 * 100).formatted())%" } ?? ""
    Terminal.say(
      "\(what) equal the sources\(share) (\(task.span == .all ? "all periods" : "\(task.span)"))")
  }
}

/// Prints differences, from several workers, up to a limit.
private final class Listing: Sendable {
  private let limit: Int
  private let printed = Mutex(0)

  init(limit: Int) { self.limit = limit }

  func add(_ drifts: [Drift]) {
    printed.withLock { printed in
      if printed == 0, limit > 0, !drifts.isEmpty {
        Terminal.print(record: ["kind", "rollup", "period", "key", "expected", "actual"])
      }
      let some = drifts.prefix(max(0, limit - printed))
      for drift in some { Terminal.print(record: drift.fields) }
      printed += some.count
    }
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
        return all && !Terminal.outputHasFailed
      })
    progress.finish()
    await store.pool.close()
    guard found == 0 else {
      throw Failure.difference(
        all
          ? "\(found.grouped) things are not as they were published"
          : "this is the first that is not as it was published; --all lists the rest")
    }
    Terminal.say("all \(editions.count.grouped) editions are as they were published")
  }
}

extension Drift {
  fileprivate var fields: [String] {
    [kind.rawValue, rollup, period?.description ?? "", key, expected ?? "", actual ?? ""]
  }
}
