import ArgumentParser
import Backfill
import Commands
import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// The `rollup-backfill` command.
@main
struct BackfillCommand: Command, Program {
  static let configuration = CommandConfiguration(
    commandName: "rollup-backfill",
    abstract: "Make the rollups of past periods right from the sources.",
    discussion: """
      For example: rollup-backfill --from 2020-01, on as many machines as you like with --join RUN.

      Safe at any time, beside readers and writers, and as often as you like: what is right already is not rewritten, and \
      closed periods keep their rows. Quarters are computed from all their months, so a span that begins within one is \
      widened to it. Interrupted (Ctrl-C), killed or cut off, the same command again, or --resume, goes on with what is \
      left.

      \(completionAdvice("rollup-backfill"))
      """,
    version: projectVersion)

  static func main() async { await start() }

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions
  @OptionGroup var scope: ScopeOptions

  @Option(help: "Workers of this process, each on a connection of its own.")
  var workers = 2

  @Flag(help: "Go on with the last run that is not finished.")
  var resume = false

  @Flag(help: "Begin again, also where a run of the same command is unfinished.")
  var anew = false

  @Option(help: "Work on this run, beside others.")
  var join: Int64?

  @Option(help: "Give this run up: what it has not done stays undone, and is in no closing's way.")
  var giveUp: Int64?

  @Flag(help: "Print what would be done, and do nothing.")
  var dryRun = false

  @Option(help: "At most so many patients a second, of all workers of this process.")
  var maxRate: Double?

  @Option(
    help:
      "Rest while a commit takes more than so many milliseconds; 0 for never. Default: three times what it takes at the beginning."
  )
  var maxLatency: Double?

  @Option(help: "Rest while a replica is more than so many seconds behind.")
  var maxLag = 10.0

  @Option(help: "After how many seconds of silence a worker is taken for dead.")
  var lease = 30.0

  @Option(help: "How progress is said: text or json.")
  var logFormat: LogFormat = .text

  enum LogFormat: String, CaseIterable, ExpressibleByArgument { case text, json }

  var databaseDescription: String? { database.described }

  func validate() throws {
    let what = [scope.from != nil, resume, join != nil, giveUp != nil]
    guard what.filter({ $0 }).count == 1 else {
      throw ValidationError(
        "name one of --from 2020-01, --resume, --join RUN and --give-up RUN; 'rollup status' lists runs"
      )
    }
    if scope.from == nil, scope.isNarrowed {
      throw ValidationError("--resume, --join and --give-up are of a run as it was begun")
    }
    if anew, scope.from == nil { throw ValidationError("--anew goes with --from") }
    if dryRun, scope.from == nil { throw ValidationError("--dry-run goes with --from") }
    guard (1...64).contains(workers) else {
      throw ValidationError("--workers must be between 1 and 64")
    }
    if let maxRate, maxRate <= 0 { throw ValidationError("--max-rate must be above 0") }
    if let maxLatency, maxLatency < 0 {
      throw ValidationError("--max-latency must be 0 or more milliseconds")
    }
    guard maxLag > 0 else { throw ValidationError("--max-lag must be above 0 seconds") }
    guard (0.2...3600).contains(lease) else {
      throw ValidationError("--lease must be between 0.2 and 3600 seconds")
    }
  }

  func execute() async throws {
    // A worker has a connection, and needs a second one to say that its chunk failed.
    let name = Worker.newName()
    let pool = try await database.pool(size: workers * 2 + 3, as: name)
    let store = try await RollupStore(pool, Rollups.catalog)
    try await SourceTrust(store.catalog).check(pool)
    try await run(store, as: name)
    await pool.close()
  }

  private func run(_ store: RollupStore, as name: String) async throws {
    let policy = JobPolicy(lease: .seconds(lease))
    if dryRun {
      let backfill = BackfillRun(store, try await scope.task(store.pool), policy: policy)
      return say(try await backfill.plan(), backfill.task)
    }
    if let giveUp {
      let runs = Runs(store.pool, policy: policy)
      let run = try await find(giveUp, runs)
      guard run.finishedAt == nil else { throw Failure.usage("run \(run.number) is over already") }
      let left = try await runs.giveUp(run.number)
      // What it was loading goes with it.
      try await Loader.tidy(store)
      return Terminal.say("run \(run.number) is given up, \(left.grouped) chunks undone")
    }
    let (run, backfill) = try await begin(store, policy)
    Interruption.catchSignals()
    let (workers, pacer) = (workers, Pacer(rate: maxRate))
    let strain =
      maxLatency == 0
      ? nil
      : Strain(
        latency: maxLatency.map { .seconds($0 / 1000) }, lag: .seconds(maxLag))
    let live = LiveProgress(run, backfill, pacer, asJSON: logFormat == .json)
    let progress: RunProgress
    do {
      progress = try await live.show {
        try await backfill.work(
          on: run, workers: workers, as: name, pacer: pacer, mindful: strain,
          shouldStop: { Interruption.isRequested }, report: live.note)
      }
    } catch {
      Terminal.complain(
        "run \(run.number) is not finished: 'rollup-backfill --resume' goes on with it")
      throw error
    }
    try await sum(up: progress, run, backfill, live)
  }

  private func begin(_ store: RollupStore, _ policy: JobPolicy) async throws -> (Run, BackfillRun) {
    if scope.from != nil {
      let backfill = BackfillRun(store, try await scope.task(store.pool), policy: policy)
      let (run, isNew) = try await backfill.begin(anew: anew)
      Terminal.say(
        isNew
          ? "run \(run.number); others may work on it too: rollup-backfill --join \(run.number)"
          : "going on with run \(run.number), begun \(run.createdAt); --anew begins again")
      return (run, backfill)
    }
    let runs = Runs(store.pool, policy: policy)
    let run = try await find(join, runs)
    let backfill = BackfillRun(store, try BackfillTask(text: run.task), policy: policy)
    if resume { try await runs.retry(run.number) }
    Terminal.say("going on with run \(run.number): \(backfill.task.description)")
    return (run, backfill)
  }

  /// A backfill by its number, or the last that is not finished.
  private func find(_ number: Int64?, _ runs: Runs) async throws -> Run {
    let found =
      if let number { try await runs.run(number) } else {
        try await runs.unfinished(BackfillRun.kind)
      }
    guard let run = found else {
      throw Failure.usage(
        number.map { "there is no run \($0); 'rollup status' lists them" }
          ?? "no run is unfinished; begin one with --from 2020-01")
    }
    guard run.kind == BackfillRun.kind else {
      throw Failure.usage("run \(run.number) is no backfill but a \(run.kind)")
    }
    return run
  }

  private func say(_ plan: BackfillRun.Plan, _ task: BackfillTask) {
    var lines = [task.description]
    // The register of patients has no periods.
    if !plan.periods.isEmpty {
      let counts = plan.periods.map { periods in
        "\(periods.count.grouped) \(periods.count == 1 ? periods.type.word : periods.type.plural)"
      }
      lines.append("\(counts.joined(separator: ", ")); \(plan.closed.grouped) of them closed")
    }
    lines.append("\(plan.patients.grouped) patients in \(plan.chunks.grouped) chunks")
    if plan.loaded > 0 {
      lines.append("\(plan.loaded.grouped) periods of rollups are empty: loaded, then indexed")
    }
    lines.append(
      plan.seconds.map { "about \(Progress.time($0)) at the last run's rate" }
        ?? "how long it takes is not known before the first run")
    Terminal.print(lines.joined(separator: "\n"))
  }

  private func sum(
    up progress: RunProgress, _ run: Run, _ backfill: BackfillRun, _ live: LiveProgress
  ) async throws {
    let editions = try await backfill.store.editions().map(\.edition)
    let closed = Set(editions.map(\.period)).filter(backfill.task.includes).count
    live.end(progress, closed: closed)
    if progress.aside > 0 {
      for chunk in try await backfill.runs.aside(run.number) {
        Terminal.complain(
          "set aside after \(chunk.failures) failures: chunk \(chunk.number), \(chunk.what): \(chunk.error)"
        )
      }
    }
    if !progress.isOver {
      Terminal.complain(
        "interrupted; the same command again, or 'rollup-backfill --resume', goes on with what is left"
      )
      throw ExitCode(130)
    }
    if progress.aside > 0 {
      Terminal.complain(
        "\(progress.aside) chunks were set aside; 'rollup-backfill --resume' tries them again")
      throw ExitCode(1)
    }
  }
}

extension BackfillTask.Loads: ExpressibleByArgument {}

/// What is to be backfilled.
struct ScopeOptions: ParsableArguments {
  @Option(help: "The first month or quarter, such as 2020-01.", transform: Period.parse)
  var from: Period?

  @Option(help: "The last one, itself included. Default: all that follow.", transform: Period.parse)
  var to: Period?

  @Option(
    help: ArgumentHelp(
      "Only these rollups, by name, such as blood-pressure,visits,registrations.",
      valueName: "names"))
  var only: String?

  @Option(
    help: ArgumentHelp(
      "Fill only these columns of the one rollup that --only names, such as heart_rate.",
      discussion: "Quicker: rows are neither added nor removed, and only what differs is written.",
      valueName: "names"))
  var columns: String?

  @Option(help: "Only patients who are assigned to facilities of this state.")
  var state: String?

  @Option(help: "Only those of this district.")
  var district: String?

  @Option(help: "Only those of this facility, by id.")
  var facility: String?

  @Option(help: "Only this patient, by id.")
  var patient: String?

  @Option(help: "Patients a chunk. Default: as many as have a quarter of a million events.")
  var chunk: Int?

  @Option(
    help:
      "Load empty periods into tables of their own before they are indexed: always or never. Default: from 100,000 events on."
  )
  var load: BackfillTask.Loads?

  var isNarrowed: Bool {
    to != nil || only != nil || columns != nil || state != nil || district != nil || facility != nil
      || patient != nil || chunk != nil || load != nil
  }

  func validate() throws {
    if let chunk, chunk < 1 { throw ValidationError("--chunk must be at least 1") }
    if let from, let to, PeriodSpan(from: from, through: to) == nil {
      throw ValidationError("--to \(to) ends before --from \(from) begins")
    }
    let known = Rollups.catalog.names
    for name in try names(of: only) where !known.contains(name) {
      let near = nearest(to: name, among: known)
      throw ValidationError(
        "there is no rollup '\(name)'; they are \(known.joined(separator: ", "))"
          + (near.isEmpty ? "" : ". Near it: \(near.joined(separator: ", "))"))
    }
    try validateColumns()
    for (option, text) in [("--facility", facility), ("--patient", patient)] {
      guard let text, UUID(uuidString: text) == nil else { continue }
      throw ValidationError(
        "\(option) \(text) is no id; ids look like 3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    }
  }

  private func validateColumns() throws {
    let columns = try names(of: columns, "--columns names no column")
    guard !columns.isEmpty else { return }
    let only = try names(of: only)
    guard only.count == 1 else {
      throw ValidationError(
        "--columns goes with one rollup, for example --only blood-pressure --columns heart_rate")
    }
    guard let rollup = Rollups.catalog.mostRecent.first(where: { $0.name == only[0] }) else {
      throw ValidationError(
        "\(only[0]) has no columns that are filled by themselves: leave --columns out")
    }
    let known = rollup.payload.map(\.name.name)
    for column in columns where !known.contains(column) {
      let near = nearest(to: column, among: known)
      throw ValidationError(
        "\(rollup.name) has no column '\(column)' to fill; it has \(known.joined(separator: ", "))"
          + (near.isEmpty ? "" : ". Near it: \(near.joined(separator: ", "))"))
    }
  }

  private func names(of list: String?, _ complaint: String = "--only names no rollup") throws
    -> [String]
  {
    guard let list else { return [] }
    let names = list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    guard !names.isEmpty else { throw ValidationError(complaint) }
    return names
  }

  func task(_ pool: Pool) async throws -> BackfillTask {
    let from = from ?? PeriodSpan.all.first
    let last = if let to { to } else { try await Partitions.lastPeriod(pool) }
    guard let span = PeriodSpan(from: from, through: max(last, from)) else {
      throw Failure.usage("--from \(from) begins after \(last) ends")
    }
    var task = BackfillTask(span)
    task.only = try names(of: only).sorted()
    task.columns = columns == nil ? nil : try names(of: columns).sorted()
    task.state = state
    task.district = district
    task.facility = facility.flatMap(UUID.init(uuidString:))
    task.patient = patient.flatMap(UUID.init(uuidString:))
    task.chunk = chunk
    task.load = load
    return task
  }
}
