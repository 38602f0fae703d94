import Hypertension

/// Which counts are hidden so that no small one can be read or computed: those of 1 to less than a limit, and as many others
/// as it takes.
///
/// What a reader could compute with is a set of equations: a region is the sum of what lies in it, a whole the sum of its
/// parts, a running total the one before and what is new. Where an equation has one hidden count only, or tells that few
/// people stand behind its hidden parts together, another of it is hidden; then, as long as the equations together still determine a hidden count, one more beside it. Zeros stay, since
/// they are nobody, unless nothing else is left to hide.
///
/// The counts are always those of the whole tree and of all figures that belong together, whatever the table shows: two
/// tables of one region and period hide the same.
struct Suppression: Sendable {
  /// Counts from 1 to below it are hidden.
  let limit: Int
  let figures: FigureSet

  /// A row of a table, as far as it can be computed with.
  struct Line: Sendable {
    /// The row it is a part of, earlier in the table.
    let parent: Int?
    /// What it is called in every period.
    let key: [ExactText]
    /// Which period it is of, counted from the first.
    let period: Int
    /// Whether it counts everybody there is.
    let isAll: Bool
    let tally: Tally
  }

  /// The names of the hidden counts of each line.
  func hidden(_ lines: [Line]) -> [Set<String>] {
    let names = figures.counts
    let values = lines.flatMap { line in names.map { line.tally[$0] } }
    var hiding = Hiding(
      values: values, equations: equations(lines, names),
      keeping: Set(names.indices.filter { figures.ofPlaces.contains(names[$0]) }),
      columns: names.count)
    hiding.hide(below: limit)
    return lines.indices.map { line in
      Set(names.indices.filter { hiding.hidden[line * names.count + $0] }.map { names[$0] })
    }
  }

  // MARK: Equations

  private func equations(_ lines: [Line], _ names: [String]) -> [Equation] {
    let place = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    func cell(_ line: Int, _ name: String) -> Int? { place[name].map { line * names.count + $0 } }
    func value(_ cell: Int) -> Int { lines[cell / names.count].tally[names[cell % names.count]] }
    var equations: [Equation] = []
    /// What does not hold is no knowledge: a district of which some facilities are not shown.
    func add(_ whole: Int?, _ parts: [Int?]) {
      let known = parts.compactMap { $0 }
      guard let whole, !known.isEmpty, known.count == parts.count,
        value(whole) == known.reduce(0, { $0 + value($1) })
      else { return }
      equations.append(Equation(whole: whole, parts: known))
    }
    for line in lines.indices {
      for sum in figures.sums { add(cell(line, sum.whole), sum.parts.map { cell(line, $0) }) }
      // Everybody who is registered is assigned or dead; of a region that is not so, for patients move.
      if lines[line].isAll {
        add(
          cell(line, Indicator.cumulativeRegistrations.rawValue),
          [Indicator.assignedPatients, .dead].map { cell(line, $0.rawValue) })
      }
    }
    let children = Dictionary(grouping: lines.indices.filter { lines[$0].parent != nil }) {
      lines[$0].parent ?? 0
    }
    for (parent, parts) in children.sorted(by: { $0.key < $1.key }) {
      for name in names { add(cell(parent, name), parts.map { cell($0, name) }) }
    }
    guard !figures.runningTotals.isEmpty else { return equations }
    let byKey = Dictionary(grouping: lines.indices) { lines[$0].key }
    for same in byKey.values {
      for (before, after) in zip(same, same.dropFirst())
      where lines[after].period == lines[before].period + 1 {
        for running in figures.runningTotals {
          add(
            cell(after, running.total), [cell(before, running.total), cell(after, running.new)])
        }
      }
    }
    return equations
  }
}

/// `whole` is the sum of `parts`; all are numbers of cells.
struct Equation: Sendable {
  let whole: Int
  let parts: [Int]

  var cells: [Int] { [whole] + parts }
}

/// The cells of a table, some of which are hidden.
struct Hiding {
  private let values: [Int]
  private let equations: [Equation]
  /// The columns that are never hidden.
  private let keeping: Set<Int>
  private let columns: Int
  private let equationsOf: [Int: [Int]]
  private(set) var hidden: [Bool]
  private var limit = 0

  init(values: [Int], equations: [Equation], keeping: Set<Int>, columns: Int) {
    self.values = values
    self.equations = equations
    self.keeping = keeping
    self.columns = columns
    hidden = Array(repeating: false, count: values.count)
    var equationsOf: [Int: [Int]] = [:]
    for (number, equation) in equations.enumerated() {
      for cell in equation.cells { equationsOf[cell, default: []].append(number) }
    }
    self.equationsOf = equationsOf
  }

  /// Hides what is small, and whatever it could be computed from.
  mutating func hide(below limit: Int) {
    self.limit = limit
    guard limit > 1 else { return }
    for cell in values.indices where (1..<limit).contains(values[cell]) {
      hidden[cell] = !keeping.contains(cell % columns)
    }
    completeEquations(Array(equations.indices))
    while true {
      let determined = determinedCells()
      if determined.isEmpty { return }
      var touched: [Int] = []
      for cell in determined {
        guard let other = companion(of: cell) else { continue }
        hidden[other] = true
        touched += equationsOf[other] ?? []
      }
      // With everything hidden that belongs together the counts can be any multiple of what they are.
      if touched.isEmpty { return }
      completeEquations(touched)
    }
  }

  /// Hides more of equations that tell too much.
  private mutating func completeEquations(_ numbers: [Int]) {
    var waiting = numbers
    while let number = waiting.popLast() {
      guard let other = missing(equations[number]) else { continue }
      hidden[other] = true
      waiting += equationsOf[other] ?? []
    }
  }

  /// What else an equation has to hide; nil where it hides nothing, or enough.
  private func missing(_ equation: Equation) -> Int? {
    let hiddenParts = equation.parts.filter { hidden[$0] }
    if hiddenParts.count + (hidden[equation.whole] ? 1 : 0) == 1 { return smallest(equation.cells) }
    // What is left of a whole that is shown is the sum of the parts that are not.
    guard !hidden[equation.whole], !hiddenParts.isEmpty,
      hiddenParts.reduce(0, { $0 + values[$1] }) < limit
    else { return nil }
    return smallest(equation.cells.filter { values[$0] > 0 })
  }

  /// The smallest count that is not hidden yet, zeros last.
  private func smallest(_ cells: [Int]) -> Int? {
    cells.filter { !hidden[$0] && !keeping.contains($0 % columns) }.min {
      (values[$0] == 0 ? Int.max : values[$0], $0) < (values[$1] == 0 ? Int.max : values[$1], $1)
    }
  }

  /// A cell whose hiding may help: of the cell's own equations, else of those of hidden cells ever further from it.
  private func companion(of cell: Int) -> Int? {
    var seen: Set<Int> = [cell]
    var ring = [cell]
    while !ring.isEmpty {
      let around = ring.flatMap { equationsOf[$0] ?? [] }.flatMap { equations[$0].cells }
      if let other = smallest(around) { return other }
      ring = around.filter { hidden[$0] && seen.insert($0).inserted }
    }
    return nil
  }

  /// The hidden cells that the equations determine together.
  private func determinedCells() -> [Int] {
    var elimination = Elimination()
    for equation in equations {
      let (plus, minus) = ([equation.whole], equation.parts)
      let coefficients =
        plus.filter { hidden[$0] }.map { ($0, true) }
        + minus.filter { hidden[$0] }.map { ($0, false) }
      if !coefficients.isEmpty { elimination.add(coefficients) }
    }
    return elimination.determined
  }
}
