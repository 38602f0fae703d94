import ArgumentParser
import Commands
import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// `rollup jobs`: what workers have done and are to do.
struct JobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "List, retry and cancel jobs.",
    subcommands: [List.self, Retry.self, Cancel.self], defaultSubcommand: List.self)

  struct List: Command {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "The last jobs as CSV, the latest first.")

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var notes: NoteOptions

    @Option(
      help:
        "Only in these states, with commas: \(Job.State.allCases.map(\.rawValue).joined(separator: ", "))."
    )
    var state = ""

    @Option(help: "Only of this kind.")
    var kind: String?

    @Option(help: "Only of this run.")
    var run: Int64?

    @Option(help: "How many.")
    var limit = 50

    @Flag(help: "How many jobs each queue has in each state, instead.")
    var counts = false

    var databaseDescription: String? { database.described }

    func validate() throws {
      guard (1...1_000_000).contains(limit) else {
        throw ValidationError("--limit must be between 1 and 1000000")
      }
      _ = try states()
    }

    private func states() throws -> [Job.State] {
      try state.split(separator: ",").map { name in
        guard let state = Job.State(rawValue: String(name)) else {
          let known = Job.State.allCases.map(\.rawValue)
          let near = nearest(to: String(name), among: known, atMost: 1).first
          throw ValidationError(
            "there is no state '\(name)'" + (near.map { "; did you mean \($0)?" } ?? "")
              + " There are \(known.joined(separator: ", ")).")
        }
        return state
      }
    }

    func execute() async throws {
      let pool = try await database.pool(size: 1)
      let jobs = Jobs(pool)
      if counts {
        Terminal.print(record: ["queue", "state", "jobs"])
        for count in try await jobs.counts() {
          Terminal.print(record: [count.queue, count.state.rawValue, "\(count.jobs)"])
        }
      } else {
        Terminal.print(record: Self.columns)
        for job in try await jobs.last(limit, states: states(), kind: kind, run: run) {
          Terminal.print(record: Self.record(job))
        }
      }
      await pool.close()
    }

    private static let columns = [
      "id", "queue", "kind", "state", "priority", "run", "attempts", "failures", "created_at",
      "taken_at", "done_at", "worker", "error",
    ]

    private static func record(_ job: Job) -> [String] {
      [
        "\(job.id)", job.queue, job.kind, job.state.rawValue, "\(job.priority)",
        job.run.map { "\($0)" } ?? "", "\(job.attempts)", "\(job.failures)", "\(job.createdAt)",
        job.takenAt.map { "\($0)" } ?? "", job.doneAt.map { "\($0)" } ?? "", job.worker ?? "",
        job.error ?? "",
      ]
    }
  }

  struct Retry: Command {
    static let configuration = CommandConfiguration(
      commandName: "retry", abstract: "Give jobs that were set aside or cancelled another try.")

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var notes: NoteOptions
    @Argument(help: "Their numbers.") var ids: [Int64]

    var databaseDescription: String? { database.described }

    func execute() async throws {
      let pool = try await database.pool(size: 1)
      let count = try await Jobs(pool).retry(ids)
      await pool.close()
      let outcome = "\(count) of \(ids.count) will be tried again"
      guard count == ids.count else { throw Failure.difference(outcome) }
      Terminal.say(outcome)
    }
  }

  struct Cancel: Command {
    static let configuration = CommandConfiguration(
      commandName: "cancel",
      abstract: "Cancel jobs, and those that need them.",
      discussion: "One that a worker has is stopped with the worker's next heartbeat.")

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var notes: NoteOptions
    @Argument(help: "Their numbers.") var ids: [Int64]

    var databaseDescription: String? { database.described }

    func execute() async throws {
      let pool = try await database.pool(size: 1)
      let count = try await Jobs(pool).cancel(ids)
      await pool.close()
      guard count > 0 else { throw Failure.difference("0 jobs cancelled") }
      Terminal.say("\(count) jobs cancelled")
    }
  }
}
