import ArgumentParser
import Commands
import Hypertension
import PeriodRollups

/// `benchmark statement`: what `store.record(reading)` sends, with every rollup that a reading
/// feeds, for pgbench. (`rollup explain` shows one rollup at a time.)
struct StatementCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "statement", abstract: "Print the statement that inserts a reading.")

  @OptionGroup var notes: NoteOptions

  func execute() async throws {
    Terminal.print(
      "\(SourceWrites(Tables.BloodPressures.source, in: Rollups.catalog).insert)")
  }
}
