import ArgumentParser
import Commands
import Foundation
import Hypertension
import PeriodRollups
import Reports

/// What the options ask.
extension ReportSubcommand {
  /// - Throws: `ValidationError`, which says what is expected.
  func question() throws -> ReportQuestion {
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
