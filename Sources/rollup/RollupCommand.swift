import ArgumentParser
import Commands

/// The `rollup` command: everything but backfilling and reports, which have commands of their own.
@main
struct RollupCommand: Program {
  static let configuration = CommandConfiguration(
    commandName: "rollup",
    abstract: "Keeps the most recent reading of each patient in each month and quarter.",
    discussion: """
      To begin: 'rollup migrate --time-zone Asia/Kolkata', then 'rollup import csv' or 'rollup sample-data', \
      'rollup-backfill --from 2020-01', and 'report district-bp --quarter 2024Q2'.

      \(completionAdvice("rollup"))
      """,
    version: projectVersion,
    subcommands: [
      DatabaseCommand.self, MigrateCommand.self, ImportCommand.self, SampleDataCommand.self,
      CloseCommand.self, RestateCommand.self, LateCommand.self, StatusCommand.self,
      DigestCommand.self,
      ExplainCommand.self,
      VerifyCommand.self,
      WorkerCommand.self, JobsCommand.self, GraphCommand.self, TokenCommand.self,
    ])

  static func main() async { await start() }
}
