import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import TestSupport
import Testing

/// Every cell of the report equals the oracle's, which counts from the sources by the words of
/// INDICATORS.md.
///
/// `ROLLUP_SEEDS=100` tries more programmes, `ROLLUP_SEED=7` one of them again.
@Suite struct OracleTests {
  static let seeds = TestSupport.seeds(12)

  @Test(arguments: seeds)
  func theReportIsWhatTheSourcesSay(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      if seed % 2 == 0 {
        try await programme.record(in: store)
      } else {
        try await programme.load(into: store)
      }
      var random = Seeded(seed &+ 1_000_000)
      for _ in 0..<14 {
        let question = Question.random(programme, using: &random)
        let expected = question.expected(programme)
        let actual = try await question.ask(database.pool)
        if let difference = Self.difference(expected, actual) {
          Issue.record("seed \(seed), \(programme.timeZone), \(question): \(difference)")
          return
        }
      }
    }
  }

  /// The first difference, said by row and column.
  private static func difference(_ expected: [[String]], _ actual: [[String]]) -> String? {
    for (number, (wanted, found)) in zip(expected, actual).enumerated() where wanted != found {
      let places = Oracle.header.indices.filter { wanted[$0] != found[$0] }
      let cells = places.map { "\(Oracle.header[$0]) \(found[$0]), expected \(wanted[$0])" }
      return
        "row \(number) (\(wanted[1...6].joined(separator: "|"))): \(cells.joined(separator: "; "))"
    }
    return expected.count == actual.count ? nil : "\(actual.count) rows, expected \(expected.count)"
  }
}

/// One report that is asked for.
struct Question: CustomStringConvertible {
  let span: Oracle.Span
  /// The month of now: year * 12 + month, month from 0.
  let now: Int
  let limits: ControlLimits
  var state: String?
  var district: String?

  static func random(_ programme: Programme, using random: inout Seeded) -> Question {
    // Long past, within the data, the present, the future.
    let month = Int.random(in: (2022 * 12 + 3)...(2025 * 12 + 5), using: &random)
    let isQuarter = Bool.random(using: &random)
    let now =
      Bool.random(using: &random) ? month + Int.random(in: -2...3, using: &random) : 2026 * 12
    var question = Question(
      span: .init(isQuarter: isQuarter, first: isQuarter ? month / 3 * 3 : month), now: now,
      limits: [.standard, .standard, ControlLimits(systolic: 130, diastolic: 80)].randomElement(
        using: &random)
        ?? .standard)
    // Where a deleted facility is all there is of a region the report has no rows of it.
    let facility = programme.facilities.filter { !$0.isDeleted }.randomElement(using: &random)
    if Bool.random(using: &random) { question.district = facility?.district }
    if Int.random(in: 0..<3, using: &random) == 0 { question.state = facility?.state }
    return question
  }

  func expected(_ programme: Programme) -> [[String]] {
    Oracle(programme: programme, now: now, limits: (limits.systolic, limits.diastolic))
      .rows(span, state: state, district: district)
  }

  func ask(_ pool: Pool) async throws -> [[String]] {
    let today = try #require(CalendarDate(year: now / 12, month: now % 12 + 1, day: 17))
    let report = try await DistrictBP(
      Period(parsing: span.name), district: district, state: state, limits: limits
    ).make(pool, today: today)
    #expect(report.columns.map(\.name) == Oracle.header)
    return report.rows.map { $0.cells.map(\.text) }
  }

  var description: String {
    "\(span.name), now \(now / 12)-\(now % 12 + 1), below \(limits.systolic)/\(limits.diastolic), "
      + "state \(state ?? "-"), district \(district ?? "-")"
  }
}

extension ReportTable.Cell {
  var text: String {
    switch self {
    case .text(let text): text
    case .integer(let number): String(number)
    case .rate(let tenths): "\(tenths / 10).\(tenths % 10)"
    case .empty: ""
    case .hidden: "*"
    }
  }
}
