import ArgumentParser
import Commands

/// What `run.sh` measures with and psql and pgbench cannot do: writes through the client and the
/// library, and the time and memory of a whole command.
@main
struct Benchmark: Program {
  static let configuration = CommandConfiguration(
    commandName: "benchmark", abstract: "Measurements for 'make bench'.",
    subcommands: [
      WritesCommand.self, StatementCommand.self, LoadCommand.self, MeasureCommand.self,
    ])

  static func main() async { await start() }
}
