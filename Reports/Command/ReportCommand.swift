import ArgumentParser

/// The `report` command.
@main
struct ReportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Reports from the rollups.",
    subcommands: [DistrictBPCommand.self])
}
