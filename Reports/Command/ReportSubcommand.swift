import ArgumentParser
import Commands
import Foundation
import Hypertension
import PeriodRollups
import Reports
import RollupStore

/// `report NAME`, made from the report's definition: it has every option there is, shows those that the report takes, and
/// refuses the others.
struct ReportSubcommand<Definition: ReportDefinition>: Command {
  static var configuration: CommandConfiguration {
    let report = Definition.report
    let example = "For example: \(report.example)"
    return CommandConfiguration(
      commandName: report.name, abstract: report.summary,
      discussion: report.discussion.isEmpty ? example : "\(report.discussion)\n\n\(example)")
  }

  private static func help(_ parameter: ReportParameter) -> ArgumentHelp {
    let isTaken = Definition.report.parameters.contains(parameter)
    return ArgumentHelp(parameter.help(of: Definition.report)).shown(isTaken)
  }

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions

  @Option(help: Self.help(.quarter), transform: { try Period.parse($0, as: .quarter) })
  var quarter: Period?

  @Option(help: Self.help(.month), transform: { try Period.parse($0, as: .month) })
  var month: Period?

  @Option(help: Self.help(.from))
  var from: String?

  @Option(help: Self.help(.to))
  var to: String?

  @Option(help: Self.help(.trend))
  var trend: Int?

  @Option(help: Self.help(.state))
  var state: String?

  @Option(help: Self.help(.district))
  var district: String?

  @Option(help: Self.help(.block))
  var block: String?

  @Option(help: Self.help(.facility))
  var facility: String?

  @Option(help: Self.help(.by))
  var by: String?

  @Option(help: Self.help(.figures))
  var figures: String?

  @Option(help: Self.help(.controlledBelow))
  var controlledBelow: String?

  @Option(help: Self.help(.edition))
  var edition: Int?

  @Flag(help: Self.help(.asKnownNow))
  var asKnownNow = false

  @Flag(help: Self.help(.compare))
  var compare = false

  @Option(help: Self.help(.suppressBelow))
  var suppressBelow: Int?

  @Option(help: Self.help(.patients))
  var patients: String?

  @OptionGroup(title: "Output") var output: OutputOptions

  var databaseDescription: String? { database.described }

  private var asked: [ReportParameter] {
    let given: [(ReportParameter, Bool)] = [
      (.quarter, quarter != nil), (.month, month != nil), (.from, from != nil), (.to, to != nil),
      (.trend, trend != nil), (.state, state != nil), (.district, district != nil),
      (.block, block != nil), (.facility, facility != nil), (.by, by != nil),
      (.figures, figures != nil), (.controlledBelow, controlledBelow != nil),
      (.edition, edition != nil), (.asKnownNow, asKnownNow), (.compare, compare),
      (.suppressBelow, suppressBelow != nil), (.patients, patients != nil),
    ]
    return given.filter(\.1).map(\.0)
  }

  func validate() throws {
    let report = Definition.report
    if let other = asked.first(where: { !report.parameters.contains($0) }) {
      throw ValidationError(
        "'\(report.name)' takes no --\(other.rawValue). For example: \(report.example)")
    }
    _ = try question()
  }

  func execute() async throws {
    let report = Definition.report
    let question = try question()
    let format = try output.makeFormat()
    let pool = try await database.pool(size: 1)
    try await checkBegun(question, pool)
    let table: ReportTable
    do {
      table = try await report.make(question, pool)
    } catch let refusal as ReportQuestion.Refusal {
      throw Failure.usage(refusal.description)
    }
    await pool.close()
    if let reason = table.emptiness { Terminal.say("no data: \(reason)") }
    try output.write(table, format)
  }
}

extension ReportParameter {
  fileprivate func help(of report: Report) -> String {
    guard self == .from || self == .to else { return help }
    let what = report.takesDays ? "day, such as 2024-01-20" : "month or quarter, such as 2024-01"
    return self == .from ? "The first \(what)." : "The last \(what), itself included."
  }
}

extension ArgumentHelp {
  fileprivate func shown(_ isShown: Bool) -> ArgumentHelp {
    var help = self
    help.visibility = isShown ? .default : .hidden
    return help
  }
}
