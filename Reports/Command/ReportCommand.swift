import ArgumentParser
import Commands
import Hypertension
import Reports

/// The `report` command: a subcommand for each report that is declared, and one that lists them.
@main
struct ReportCommand: Program {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Reports from the rollups.",
    discussion: """
      'report list' says which there are, 'report NAME --help' what each may be asked.

      \(completionAdvice("report"))
      """,
    version: projectVersion,
    subcommands: [ListCommand.self, ServeCommand.self] + Report.all.map { subcommand($0) })

  static func main() async { await start() }

  private static func subcommand<D: ReportDefinition>(_: D.Type) -> any ParsableCommand.Type {
    ReportSubcommand<D>.self
  }
}

/// `report list`.
struct ListCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Which reports there are, or which figures one can be asked for."
  )

  @Argument(help: "A report, for its figures.")
  var report: String?

  @OptionGroup var notes: NoteOptions

  func execute() async throws {
    let all = Report.all.map { $0.report }
    guard let report else {
      let width = all.map(\.name.count).max() ?? 0
      for one in all {
        Terminal.print(one.name.padded(to: width) + "  " + one.summary)
      }
      return
    }
    guard let one = all.first(where: { $0.name == report }) else {
      throw Failure.usage(nearestMessage("report", report, among: all.map(\.name)))
    }
    let figures = one.choosable
    let width = figures.map(\.name.count).max() ?? 0
    for figure in figures { Terminal.print(figure.name.padded(to: width) + "  " + figure.title) }
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
