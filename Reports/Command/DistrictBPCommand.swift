import ArgumentParser
import Commands
import Foundation
import Hypertension
import PeriodRollups
import Reports
import RollupStore

/// `report district-bp`.
struct DistrictBPCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "district-bp",
    abstract:
      "Registrations, care, control and cohorts of each facility, block, district and state.",
    discussion:
      "For example: report district-bp --quarter 2024Q2 --district Bathinda --output bathinda.csv")

  enum FormatName: String, CaseIterable, ExpressibleByArgument { case csv, json, table }

  @OptionGroup var database: DatabaseOptions

  @OptionGroup var which: PeriodOptions

  @Option(help: "Only this district.")
  var district: String?

  @Option(help: "Only this state.")
  var state: String?

  @Option(help: "csv, json or table. Default: table on a terminal, csv otherwise.")
  var format: FormatName?

  @Option(help: "Write to this file instead of standard output.")
  var output: String?

  @Option(
    help: "Count blood pressure as controlled below these limits, in mmHg.",
    transform: { text in
      guard let limits = ControlLimits(text) else {
        throw ValidationError("'\(text)' is not a pair of limits in mmHg. They look like 140/90.")
      }
      return limits
    })
  var controlledBelow: ControlLimits = .standard

  @Option(help: "An edition of a closed period. Default: the last.")
  var edition: Int?

  @Flag(help: "Of a closed period the figures as they would be today.")
  var asKnownNow = false

  @Flag(help: "Of a closed period the published figures, those of today and the difference.")
  var compare = false

  @Option(
    help: "The patients behind a figure, such as controlled or missed_visit.",
    transform: { text in
      if let indicator = Indicator(rawValue: text) { return indicator }
      let names = Indicator.allCases.map(\.rawValue)
      let near = nearest(to: text, among: names)
      throw ValidationError(
        "'\(text)' is not a figure. "
          + (near.isEmpty
            ? "They are \(names.joined(separator: ", "))."
            : "Near it: \(near.joined(separator: ", ")).")
      )
    })
  var patients: Indicator?

  @Flag(help: "Leave text in CSV as it is that a spreadsheet would take for a formula.")
  var raw = false

  var databaseDescription: String? { database.described }

  func validate() throws {
    _ = try which.one()
    guard [edition != nil, asKnownNow].filter({ $0 }).count < 2 else {
      throw ValidationError("--edition is as published, --as-known-now is not: name one of them")
    }
    guard [compare, patients != nil].filter({ $0 }).count < 2, !(compare && asKnownNow) else {
      throw ValidationError(
        "--compare shows figures as published and as known now; it goes with --edition only")
    }
  }

  func execute() async throws {
    let period = try which.one()
    let pool = try await database.pool(size: 1)
    let view =
      edition.map { DistrictBP.View.edition($0) } ?? (asKnownNow ? .knownNow : .published)
    let report = DistrictBP(
      period, district: district, state: state, limits: controlledBelow, view: view)
    let table =
      if let patients {
        try await report.patients(patients, pool)
      } else if compare {
        try await report.compare(pool)
      } else {
        try await report.make(pool)
      }
    await pool.close()
    if patients == nil, table.rows.allSatisfy(\.isZero) {
      Terminal.say(
        "no data: nobody is registered and nothing was recorded up to the end of \(period)")
    }
    let toTerminal = output == nil && Terminal.outputIsTerminal
    try write(table, as: format ?? (toTerminal ? .table : .csv))
  }

  private func write(_ table: ReportTable, as name: FormatName) throws {
    let plain =
      !Terminal.outputIsTerminal || output != nil
      || ProcessInfo.processInfo.environment["NO_COLOR"]?.isEmpty == false
    let format: any Format =
      switch name {
      case .csv: CSVFormat(raw: raw)
      case .json: JSONFormat()
      case .table: TableFormat(width: Terminal.width, colour: !plain)
      }
    var bytes: [UInt8] = []
    try format.write(table) { bytes += $0 }
    guard let output else { return FileHandle.standardOutput.write(Data(bytes)) }
    do {
      // Under another name first: the file is there whole or not at all.
      try Data(bytes).write(to: URL(fileURLWithPath: output), options: .atomic)
    } catch {
      throw Failure(code: 73, "cannot write \(output): \(error.localizedDescription)")
    }
  }
}

extension ReportTable.Row {
  /// Whether it counts nothing.
  fileprivate var isZero: Bool {
    cells.dropLast().allSatisfy { cell in
      if case .integer(let number) = cell { return number == 0 }
      return true
    }
  }
}
