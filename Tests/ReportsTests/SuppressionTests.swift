import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

@testable import Reports

/// From what a report with `--suppress-below` shows, nobody can compute a number that it does not show.
@Suite struct SuppressionTests {
  /// Whole reports of random programmes, of two quarters, read as a stranger reads them: by the columns' names.
  @Test(arguments: OracleTests.seeds.few)
  func nothingHiddenCanBeComputedFromAReport(seed: UInt64) async throws {
    let programme = RandomProgramme.make(seed: seed &+ 9300)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 2) { database, store in
      try await programme.load(into: store)
      for (limit, grouping) in [(3, nil), (5, nil), (5, RegionLevel.size), (12, .district)] {
        var question = ReportQuestion(
          try Period(parsing: "2023Q4")...Period(parsing: "2024Q1"), grouping: grouping)
        let open = try await DistrictBPReport.report.make(question, database.pool)
        question.suppressBelow = limit
        let table = try await DistrictBPReport.report.make(question, database.pool)
        let stranger = Stranger(table, open)
        #expect(
          stranger.determined.isEmpty, "seed \(seed), below \(limit): \(stranger.determined)")
        expectHidden(table, open, below: limit, seed)
      }
    }
  }

  /// Of a comparison neither side gives anything away, nor the differences between them.
  @Test func nothingHiddenCanBeComputedFromAComparison() async throws {
    let programme = RandomProgramme.make(seed: 9350)
    try await TestDatabase.migrated(timeZone: programme.timeZone, size: 4) { database, store in
      try await programme.load(into: store)
      let period = try Period(parsing: "2024Q1")
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      try await closer.close(period)
      for patient in programme.patients.prefix(40) {
        try await store.record(
          Reading(
            patientID: patient.id, facilityID: nil, systolic: 120, diastolic: 70,
            recordedAt: Date("2024-02-10T06:00:00Z", strategy: .iso8601)))
      }
      var question = ReportQuestion(period)
      question.isComparison = true
      let open = try await DistrictBPReport.report.make(question, database.pool)
      question.suppressBelow = 4
      let table = try await DistrictBPReport.report.make(question, database.pool)
      for suffix in ["", "_now"] {
        let stranger = Stranger(side(table, suffix), side(open, suffix))
        #expect(stranger.determined.isEmpty, "\(suffix): \(stranger.determined)")
      }
      var hidden = 0
      for row in table.rows {
        for (place, column) in table.columns.enumerated() where column.name.hasSuffix("_difference")
        {
          let isHidden = row.cells[place - 1] == .hidden || row.cells[place - 2] == .hidden
          #expect((row.cells[place] == .hidden) == isHidden)
          hidden += isHidden ? 1 : 0
        }
      }
      #expect(hidden > 0)
    }
  }

  /// The columns of one side of a comparison, as a table of its own.
  private func side(_ table: ReportTable, _ suffix: String) -> ReportTable {
    let figures = Dictionary(
      uniqueKeysWithValues: FigureSet.care.figures.map { ($0.name + suffix, $0) })
    let places = table.columns.indices.filter {
      $0 < 7 || figures[table.columns[$0].name] != nil
    }
    return ReportTable(
      name: "side", title: "", facts: [],
      columns: places.map { place in
        figures[table.columns[place].name].map { .init($0) } ?? table.columns[place]
      }, sections: [],
      rows: table.rows.map { row in
        .init(label: row.label, depth: row.depth, cells: places.map { row.cells[$0] })
      })
  }

  /// Every small count is hidden, every rate of a hidden count, and what is shown is what it was.
  private func expectHidden(
    _ table: ReportTable, _ open: ReportTable, below limit: Int, _ seed: UInt64
  ) {
    #expect(table.rows.count == open.rows.count)
    for (row, whole) in zip(table.rows, open.rows) {
      for (place, column) in table.columns.enumerated() {
        guard let figure = column.figure else { continue }
        let cell = row.cells[place]
        if case .integer(let number) = whole.cells[place], (1..<limit).contains(number) {
          #expect(cell == .hidden, "seed \(seed): \(figure.name) of \(row.label) is \(number)")
        }
        let parts = figure.counts.compactMap { table.place(of: $0) }.map { row.cells[$0] }
        if parts.contains(.hidden) {
          #expect(cell == .hidden, "seed \(seed): \(figure.name)")
        } else {
          #expect(cell == whole.cells[place], "seed \(seed): \(figure.name)")
        }
      }
    }
  }

  /// The same on trees of many shapes, with counts of all magnitudes, in three periods.
  @Test(arguments: TestSupport.seeds(20))
  func nothingHiddenIsDetermined(seed: UInt64) throws {
    var random = Seeded(seed)
    let lines = Self.lines(&random)
    for limit in [2, 5, 11] {
      let hidden = Suppression(limit: limit, figures: .care).hidden(lines)
      var knowledge = LinearKnowledge()
      let names = FigureSet.care.counts
      func cell(_ line: Int, _ name: String) -> Int? {
        names.firstIndex(of: name).map { line * names.count + $0 }
      }
      let unknown = Set(
        lines.indices.flatMap { line in hidden[line].compactMap { cell(line, $0) } })
      func isHidden(_ part: (Int, String)) -> Bool { hidden[part.0].contains(part.1) }
      func know(_ whole: (Int, String), _ parts: [(Int, String)]) {
        // A whole that is shown does not tell that few people are behind what is not.
        let left = parts.filter(isHidden).reduce(0) { $0 + lines[$1.0].tally[$1.1] }
        if !isHidden(whole), parts.contains(where: isHidden) {
          #expect(left >= limit, "seed \(seed), below \(limit): \(whole)")
        }
        var coefficients: [Int: Int] = [:]
        for (part, sign) in [(whole, 1)] + parts.map({ ($0, -1) }) {
          guard let cell = cell(part.0, part.1), unknown.contains(cell) else { continue }
          coefficients[cell, default: 0] += sign
        }
        knowledge.know(coefficients)
      }
      for line in lines.indices {
        for (whole, parts) in Stranger.wholes { know((line, whole), parts.map { (line, $0) }) }
        let children = lines.indices.filter { lines[$0].parent == line }
        if !children.isEmpty {
          for name in names { know((line, name), children.map { ($0, name) }) }
        }
        if let next = lines.indices.first(where: {
          lines[$0].key == lines[line].key && lines[$0].period == lines[line].period + 1
        }) {
          know(
            (next, "cumulative_registrations"),
            [(line, "cumulative_registrations"), (next, "new_registrations")])
        }
      }
      let determined = knowledge.determined(among: unknown.sorted())
      #expect(determined.isEmpty, "seed \(seed), below \(limit)")
      for (number, line) in lines.enumerated() {
        for name in names where (1..<limit).contains(line.tally[name]) {
          #expect(hidden[number].contains(name), "seed \(seed): \(name) is \(line.tally[name])")
        }
      }
    }
  }

  @Test func whatIsLargeStays() {
    var tally = Tally()
    for name in FigureSet.care.counts { tally[name] = 100 }
    let line = Suppression.Line(parent: nil, key: [], period: 0, isAll: false, tally: tally)
    #expect(Suppression(limit: 5, figures: .care).hidden([line]) == [[]])
  }

  /// Two periods of one region: the running total would give the new ones away.
  @Test func aRunningTotalGivesNothingAway() {
    func line(_ period: Int, total: Int, new: Int) -> Suppression.Line {
      Suppression.Line(
        parent: nil, key: [ExactText("x")], period: period, isAll: false,
        tally: Tally(["cumulative_registrations": total, "new_registrations": new]))
    }
    let hidden = Suppression(limit: 5, figures: .care).hidden([
      line(0, total: 100, new: 10), line(1, total: 103, new: 3),
    ])
    #expect(hidden[1].contains("new_registrations"))
    #expect((hidden[0].union(hidden[1])).contains("cumulative_registrations"))
  }

  /// A forest of three levels in three periods, its sums right.
  private static func lines(_ random: inout Seeded) -> [Suppression.Line] {
    var shape: [(parent: Int?, key: String)] = [(nil, "all")]
    for district in 0..<Int.random(in: 1...3, using: &random) {
      shape.append((0, "\(district)"))
      let parent = shape.count - 1
      for facility in 0..<Int.random(in: 1...4, using: &random) {
        shape.append((parent, "\(district).\(facility)"))
      }
    }
    var totals = Array(repeating: 0, count: shape.count)
    var lines: [Suppression.Line] = []
    for period in 0..<3 {
      var tallies = shape.indices.map { line -> Tally in
        guard !shape.contains(where: { $0.parent == line }) else { return Tally() }
        var tally = Tally()
        func draw() -> Int {
          [0, 0, 1, 2, 4, 5, 7, 12, 40, 300].randomElement(using: &random) ?? 0
        }
        for (whole, parts) in Stranger.wholes {
          for part in parts { tally[part] = draw() }
          tally[whole] = parts.reduce(0) { $0 + tally[$1] }
        }
        tally["new_registrations"] = draw()
        tally["dead"] = draw()
        totals[line] += tally["new_registrations"] + (period == 0 ? 20 : 0)
        tally["cumulative_registrations"] = totals[line]
        return tally
      }
      for line in shape.indices.reversed() {
        if let parent = shape[line].parent { tallies[parent] = tallies[parent] + tallies[line] }
      }
      for (number, (parent, key)) in shape.enumerated() {
        lines.append(
          Suppression.Line(
            parent: parent.map { $0 + period * shape.count }, key: [ExactText(key)], period: period,
            isAll: false, tally: tallies[number]))
      }
    }
    return lines
  }
}

/// One who has the table and nothing else.
private struct Stranger {
  /// The hidden cells that can be computed: row and column.
  let determined: [String]

  static let wholes: [(String, [String])] = [
    ("assigned_patients", ["under_care", "lost_to_follow_up"]),
    ("patients_with_bp", ["bp_controlled", "bp_uncontrolled"]),
    ("denominator", ["controlled", "uncontrolled", "missed_visit", "visited_no_bp"]),
    (
      "cohort_registered",
      [
        "cohort_controlled", "cohort_uncontrolled", "cohort_missed_visit", "cohort_visited_no_bp",
      ]
    ),
  ]

  /// - Parameter open: the same with nothing hidden, for what is true of it and need not be.
  init(_ table: ReportTable, _ open: ReportTable) {
    let names = table.columns.map(\.name)
    let width = names.count
    let rows = table.rows.map { $0.cells.map(\.text) }
    func text(_ row: Int, _ name: String) -> String {
      names.firstIndex(of: name).map { rows[row][$0] } ?? ""
    }
    let counts = table.columns.compactMap { column -> String? in
      guard let figure = column.figure, !figure.isRate else { return nil }
      return column.name
    }
    var knowledge = LinearKnowledge()
    func know(_ whole: (Int, String), _ parts: [(Int, String)]) {
      var coefficients: [Int: Int] = [:]
      for (cell, sign) in [(whole, 1)] + parts.map({ ($0, -1) }) where text(cell.0, cell.1) == "*" {
        guard let place = names.firstIndex(of: cell.1) else { return }
        coefficients[cell.0 * width + place, default: 0] += sign
      }
      knowledge.know(coefficients)
    }
    // A row's parts are the rows one level further in, in the same period and region.
    let regions = ["state", "district", "block"]
    let depths = rows.indices.map { row in
      switch text(row, "level") {
      case "all": 0
      case "state": 1
      case "district": 2
      case "block": 3
      default: 4
      }
    }
    func isWithin(_ inner: Int, _ outer: Int) -> Bool {
      text(inner, "period") == text(outer, "period") && depths[inner] > depths[outer]
        && regions.allSatisfy { text(outer, $0).isEmpty || text(outer, $0) == text(inner, $0) }
    }
    for row in rows.indices {
      for (whole, parts) in Self.wholes { know((row, whole), parts.map { (row, $0) }) }
      let within = rows.indices.filter { isWithin($0, row) }
      let parts = within.filter { one in !within.contains { isWithin(one, $0) } }
      let leaves = depths.max() ?? 0
      // Where facilities are left out, blocks are not all of a district.
      if !parts.isEmpty, leaves == 4 || depths[row] < 2 {
        for name in counts { know((row, name), parts.map { ($0, name) }) }
      }
      let earlier = rows.indices.filter { other in
        text(other, "period") < text(row, "period")
          && (names.prefix(7).dropFirst() + ["size"]).allSatisfy { name in
            text(other, name) == text(row, name)
          }
      }
      if let before = earlier.first {
        know(
          (row, "cumulative_registrations"),
          [(before, "cumulative_registrations"), (row, "new_registrations")])
      }
      // True where everybody was registered somewhere; then it is known.
      let whole = ["cumulative_registrations", "assigned_patients", "dead"].map { name in
        open.place(of: name).flatMap { open.rows[row].cells[$0].number } ?? 0
      }
      if text(row, "level") == "all", whole[0] == whole[1] + whole[2] {
        know((row, "cumulative_registrations"), [(row, "assigned_patients"), (row, "dead")])
      }
    }
    let hidden = rows.indices.flatMap { row in
      names.indices.filter { counts.contains(names[$0]) && rows[row][$0] == "*" }
        .map { row * width + $0 }
    }
    determined = knowledge.determined(among: hidden).map {
      "\(table.rows[$0 / width].label) \(text($0 / width, "period")) \(names[$0 % width])"
    }
  }
}
