/// What somebody knows who can add and subtract: equations between numbers that are not known. It decides by ranks, in
/// whole numbers modulo a prime, and shares nothing with the suppression that it checks.
struct LinearKnowledge {
  private static let prime = 998_244_353
  private var rows: [[Int: Int]] = []

  /// The unknowns of an equation and their coefficients; what is on the other side is known.
  mutating func know(_ coefficients: [Int: Int]) {
    let row = coefficients.filter { $0.value != 0 }
    if !row.isEmpty { rows.append(row.mapValues { ($0 + Self.prime) % Self.prime }) }
  }

  /// The unknowns that have one value only: whose own equation adds nothing to the others.
  func determined(among unknowns: [Int]) -> [Int] {
    let places = Dictionary(uniqueKeysWithValues: unknowns.enumerated().map { ($1, $0) })
    var echelon: [[Int]] = []
    for row in rows {
      var dense = Array(repeating: 0, count: unknowns.count)
      for (unknown, coefficient) in row {
        if let place = places[unknown] { dense[place] = coefficient }
      }
      let reduced = Self.reduce(dense, echelon)
      if reduced.contains(where: { $0 != 0 }) { echelon.append(reduced) }
    }
    return unknowns.enumerated().filter { place, _ in
      var own = Array(repeating: 0, count: unknowns.count)
      own[place] = 1
      return Self.reduce(own, echelon).allSatisfy { $0 == 0 }
    }.map(\.element)
  }

  private static func reduce(_ row: [Int], _ echelon: [[Int]]) -> [Int] {
    var row = row
    for other in echelon {
      guard let lead = other.firstIndex(where: { $0 != 0 }), row[lead] != 0 else { continue }
      let factor = row[lead] * inverse(other[lead]) % prime
      for place in lead..<row.count where other[place] != 0 {
        row[place] = (row[place] + (prime - factor) * other[place]) % prime
      }
    }
    return row
  }

  private static func inverse(_ number: Int) -> Int {
    var (result, base, exponent) = (1, number, prime - 2)
    while exponent > 0 {
      if exponent % 2 == 1 { result = result * base % prime }
      base = base * base % prime
      exponent /= 2
    }
    return result
  }
}
