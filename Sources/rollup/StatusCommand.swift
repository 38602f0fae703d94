import ArgumentParser
import Commands
import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// `rollup status`.
struct StatusCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show the deployment and its last runs: chunks, rates, workers, on whatever machine.",
    discussion: """
      CSV of the runs on standard output, the latest first; the rest on standard error. With --readiness, CSV of what may \
      be read instead: each period type and each added column of the rollups, since when it is declared, and which days \
      are filled.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions

  @Option(help: "How many runs.")
  var runs = 10

  @Flag(help: "List what may be read, instead of runs.")
  var readiness = false

  var databaseDescription: String? { database.described }

  func validate() throws {
    guard (0...10_000).contains(runs) else {
      throw ValidationError("--runs must be between 0 and 10000")
    }
  }

  func execute() async throws {
    let pool = try await database.pool(size: 1)
    let store = try await RollupStore(pool, Rollups.catalog)
    let editions = try await store.editions()
    let closed = Set(editions.map(\.edition.period))
    let last = closed.max { ($0.end, $0.type) < ($1.end, $1.type) }
    Terminal.say("reporting time zone \(store.timeZone)")
    Terminal.say(
      "\(closed.count.grouped) periods are closed"
        + (last.map { ", the last \($0)" } ?? "")
        + ", \(editions.filter { $0.edition.number > 1 }.count.grouped) restatements")
    try await sayWhatIsDue(store)
    let records = try await store.readiness()
    let unfilled = records.filter { !$0.isFilled }
    for record in unfilled { Terminal.say(Self.advice(record)) }
    if readiness { list(records) } else { try await list(Runs(pool)) }
    await pool.close()
  }

  /// The first period, what is overdue, and the quarter that is not over.
  private func sayWhatIsDue(_ store: RollupStore) async throws {
    let closer = Closer(store, publishing: CarePublication(), author: "")
    let schedule = try await closer.schedule()
    var first = schedule.first.sentence
    if let period = schedule.first.period {
      first +=
        "; dated before it, and in no figure of a period: \(try await closer.dated(before: period))"
    }
    Terminal.say(first)
    Terminal.say(overdueOf: schedule)
    let now = Period(.quarter, containing: schedule.today)
    if let sentence = schedule.standing(of: now).sentence(on: now) { Terminal.say(sentence) }
  }

  /// `heart_rate of blood-pressure is declared since …, and not filled yet: rollup-backfill …`
  private static func advice(_ record: ReadinessRecord) -> String {
    let item = record.item
    let columns = item.kind == .column ? " --columns \(item.name)" : ""
    return "\(what(item)) of \(item.rollup) may not be read yet, declared \(record.since): "
      + "'rollup-backfill --from 2018-01 --only \(item.rollup)\(columns)' fills it"
  }

  private static func what(_ item: ReadinessItem) -> String {
    item.kind == .column ? item.name : PeriodType(code: item.name)?.plural ?? item.name
  }

  private func list(_ records: [ReadinessRecord]) {
    Terminal.print(
      record: [
        "rollup", "what", "name", "declared_at", "readable", "from", "to", "filled_at", "run",
      ])
    for record in records {
      Terminal.print(
        record: [
          record.item.rollup, record.item.kind.rawValue, Self.what(record.item),
          "\(record.since)", record.isFilled ? "yes" : "no",
          record.from.map { "\($0)" } ?? "", record.to.map { "\($0)" } ?? "",
          record.filledAt.map { "\($0)" } ?? "", record.run.map(String.init) ?? "",
        ])
    }
  }

  private func list(_ runs: Runs) async throws {
    let records = try await runs.last(self.runs)
    guard !records.isEmpty else { return Terminal.say("no run yet") }
    Terminal.print(record: Self.columns)
    for record in records {
      let progress = try await runs.progress(record.number)
      let completed = progress.part * Double(progress.subjects)
      let rate = progress.seconds > 0 ? completed / progress.seconds : 0
      let numbers = [
        progress.chunks, progress.done, progress.waiting, progress.taken, progress.aside,
        progress.retries, progress.workers, Int(completed), Int(rate), progress.written,
        progress.removed, progress.found,
      ].map(String.init)
      Terminal.print(
        record: [
          "\(record.number)", record.kind, Self.status(of: record, progress),
          "\(record.createdAt)", record.finishedAt.map { "\($0)" } ?? "",
        ] + numbers + [record.task])
    }
  }

  private static let columns = [
    "run", "kind", "status", "begun_at", "finished_at", "chunks", "done", "waiting", "taken",
    "aside", "retries", "workers", "patients", "rate", "written", "removed", "found", "task",
  ]

  private static func status(of run: Run, _ progress: RunProgress) -> String {
    if run.finishedAt != nil { return progress.done == progress.chunks ? "finished" : "given up" }
    if progress.workers > 0 { return "running" }
    return progress.isOver ? "failed" : "stopped"
  }
}
