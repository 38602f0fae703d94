import ArgumentParser
import Commands
import Hypertension
import PeriodRollups
import RollupStore

/// `rollup explain`: the SQL that a declaration turns into.
struct ExplainCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Print every statement that is derived from a rollup's declaration.")

  @Argument(help: "The rollup: \(Rollups.catalog.names.joined(separator: ", ")).")
  var rollup: String

  @OptionGroup var notes: NoteOptions

  func execute() async throws {
    guard let explanation = Explanation(rollup, in: Rollups.catalog) else {
      let near = nearest(to: rollup, among: Rollups.catalog.names, atMost: 1).first
      throw Failure.usage(
        "there is no rollup '\(rollup)'" + (near.map { "; did you mean \($0)?" } ?? "")
          + " There are \(Rollups.catalog.names.joined(separator: ", ")).")
    }
    Terminal.print("\(explanation)")
  }
}
