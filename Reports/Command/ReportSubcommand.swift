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
    let table: ReportTable
    do {
      table = try await report.make(question, pool)
    } catch let refusal as ReportQuestion.Refusal {
      throw Failure.usage(refusal.description)
    }
    await pool.close()
    if question.patients == nil, !table.rows.isEmpty, table.rows.allSatisfy(\.isZero) {
      Terminal.say(
        "no data: nobody is registered and nothing was recorded up to the end of \(question.periodText)"
      )
    }
    try output.write(table, format)
  }

  // MARK: The question

  private func question() throws -> ReportQuestion {
    let report = Definition.report
    var question = ReportQuestion(try periods())
    question.days = try days()
    question.region = RegionChoice(
      state: state, district: district, block: block, facility: facility)
    question.grouping = try by.map(level)
    question.view = edition.map { .edition($0) } ?? (asKnownNow ? .knownNow : .published)
    question.isComparison = compare
    question.limits = try controlledBelow.map(limits) ?? .standard
    question.figures = try figures.map(names) ?? []
    question.suppressBelow = suppressBelow
    question.patients = try patients.map { try indicator($0, report) }
    try check(question)
    return question
  }

  private func check(_ question: ReportQuestion) throws {
    guard [edition != nil, asKnownNow].filter({ $0 }).count < 2 else {
      throw ValidationError("--edition is as published, --as-known-now is not: name one of them")
    }
    guard [compare, patients != nil].filter({ $0 }).count < 2, !(compare && asKnownNow) else {
      throw ValidationError(
        "--compare shows figures as published and as known now; it goes with --edition only")
    }
    guard edition == nil || question.periods.count == 1 else {
      throw ValidationError("--edition is of one period, not of \(question.periods.count)")
    }
    guard patients == nil || question.periods.count == 1 else {
      throw ValidationError("--patients are those of one period, not of \(question.periods.count)")
    }
    guard let suppressBelow else { return }
    guard suppressBelow >= 2 else {
      throw ValidationError("--suppress-below hides counts of fewer people, for example 5")
    }
    guard patients == nil else {
      throw ValidationError(
        "a list of patients hides nobody: --patients goes without --suppress-below")
    }
  }

  /// The most periods that one report shows.
  private static var mostPeriods: Int { 120 }

  private func periods() throws -> ClosedRange<Period> {
    let taken = Definition.report.parameters
    guard taken.contains(.quarter), !Definition.report.takesDays else {
      // It is not asked for a period, and says itself what it is as of.
      let today = CalendarDate(daysSince1970: Int(Date().timeIntervalSince1970 / 86_400))
      let month = Period(.month, containing: today)
      return month...month
    }
    let one = quarter ?? month
    if from != nil || to != nil {
      guard one == nil, trend == nil else {
        throw ValidationError(
          "name one period, or --from and --to, such as --from 2024-01 --to 2024-06")
      }
      return try span()
    }
    guard let one, (quarter == nil) != (month == nil) else {
      throw ValidationError("name one period, for example --quarter 2024Q2 or --month 2024-06")
    }
    let count = trend ?? Definition.report.trend
    guard (1...Self.mostPeriods).contains(count), one.advanced(by: 1 - count).start.year > 0 else {
      throw ValidationError(
        "--trend shows 1 to \(Self.mostPeriods) periods, for example --trend 12")
    }
    return one.advanced(by: 1 - count)...one
  }

  private func span() throws -> ClosedRange<Period> {
    guard let from, let to else {
      throw ValidationError("name both --from and --to, such as --from 2024-01 --to 2024-06")
    }
    let (first, last) = (try Period.parse(from), try Period.parse(to))
    guard first.type == last.type, [.month, .quarter].contains(first.type) else {
      throw ValidationError(
        "--from \(from) and --to \(to) are not both months or both quarters, such as 2024-01 and 2024-06"
      )
    }
    guard first <= last else {
      throw ValidationError("--to \(to) ends before --from \(from) begins")
    }
    guard first.distance(to: last) < Self.mostPeriods else {
      throw ValidationError("--from and --to span more than \(Self.mostPeriods) periods")
    }
    return first...last
  }

  private func days() throws -> ClosedRange<CalendarDate>? {
    guard Definition.report.takesDays else { return nil }
    guard let from, let to else {
      throw ValidationError("name two days, for example --from 2024-01-20 --to 2024-03-05")
    }
    guard let first = CalendarDate(text: from), let last = CalendarDate(text: to) else {
      let wrong = CalendarDate(text: from) == nil ? from : to
      throw ValidationError("'\(wrong)' is not a day. They look like 2024-01-20.")
    }
    guard first <= last else {
      throw ValidationError("--to \(to) is before --from \(from)")
    }
    return first...last
  }

  private func level(_ text: String) throws -> RegionLevel {
    let levels = RegionLevel.allCases.filter { $0 != .all }
    if let level = levels.first(where: { $0.rawValue == text }) { return level }
    throw ValidationError(nearestMessage("level", text, among: levels.map(\.rawValue)))
  }

  private func limits(_ text: String) throws -> ControlLimits {
    guard let limits = ControlLimits(text) else {
      throw ValidationError("'\(text)' is not a pair of limits in mmHg. They look like 140/90.")
    }
    return limits
  }

  private func names(_ text: String) throws -> [String] {
    let all = Definition.report.choosable.map(\.name)
    let names = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    for name in names where !all.contains(name) {
      throw ValidationError(nearestMessage("figure", name, among: all))
    }
    guard !names.isEmpty else {
      throw ValidationError("--figures names at least one, such as \(all.first ?? "")")
    }
    return names
  }

  private func indicator(_ text: String, _ report: Report) throws -> Indicator {
    let all = Indicator.allCases.filter { one in
      report.figures.contains { $0.name == one.rawValue }
    }
    if let indicator = all.first(where: { $0.rawValue == text }) { return indicator }
    throw ValidationError(nearestMessage("figure", text, among: all.map(\.rawValue)))
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

extension CalendarDate {
  /// Reads `2024-01-20`.
  fileprivate init?(text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.count) == [4, 2, 2],
      parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2])
    else { return nil }
    self.init(year: year, month: month, day: day)
  }
}

extension ReportTable.Row {
  /// Whether it counts nothing.
  fileprivate var isZero: Bool {
    cells.dropLast().allSatisfy { cell in
      switch cell {
      case .integer(let number): number == 0
      case .hidden: false
      default: true
      }
    }
  }
}
