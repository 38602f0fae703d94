import ArgumentParser

/// What `run.sh` measures with and psql and pgbench cannot do: writes through the client and the
/// library, and the time and memory of a whole command.
@main
struct Benchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark", abstract: "Measurements for 'make bench'.",
    subcommands: [
      WritesCommand.self, StatementCommand.self, LoadCommand.self, MeasureCommand.self,
    ])
}
