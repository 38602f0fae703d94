/// Which unknowns a set of linear equations determines, whatever is on their other sides: Gauss and Jordan's elimination,
/// row by row, keeping only what is not zero.
///
/// It computes modulo the prime 2^61 - 1, exactly and without fractions. That it finds an unknown free which rational
/// numbers would determine takes a determinant that the prime divides; the equations of tables have coefficients of 1
/// and -1 and determinants far below it.
struct Elimination {
  private typealias Line = [Int: Residue]
  /// By the unknown that the line is solved for.
  private var lines: [Int: Line] = [:]
  /// Which lines an unknown stands in, besides its own.
  private var uses: [Int: Set<Int>] = [:]

  /// Adds an equation: its unknowns, and whether their coefficient is 1 or -1.
  mutating func add(_ coefficients: [(unknown: Int, isPositive: Bool)]) {
    var line: Line = [:]
    for (unknown, isPositive) in coefficients {
      add(isPositive ? .one : -.one, to: unknown, of: &line)
    }
    for unknown in line.keys.sorted() {
      guard let factor = line[unknown], let solved = lines[unknown] else { continue }
      for (other, coefficient) in solved { add(-(factor * coefficient), to: other, of: &line) }
    }
    guard let pivot = line.keys.min(), let first = line[pivot] else { return }
    let inverse = first.inverse
    line = line.mapValues { $0 * inverse }
    for user in uses.removeValue(forKey: pivot) ?? [] { replace(pivot, in: user, by: line) }
    for unknown in line.keys where unknown != pivot { uses[unknown, default: []].insert(pivot) }
    lines[pivot] = line
  }

  /// The unknowns whose line says nothing of another one.
  var determined: [Int] { lines.filter { $0.value.count == 1 }.keys.sorted() }

  private mutating func replace(_ pivot: Int, in user: Int, by line: Line) {
    guard var old = lines[user], let factor = old[pivot] else { return }
    for (unknown, coefficient) in line {
      add(-(factor * coefficient), to: unknown, of: &old)
      guard unknown != user, unknown != pivot else { continue }
      if old[unknown] == nil {
        uses[unknown]?.remove(user)
      } else {
        uses[unknown, default: []].insert(user)
      }
    }
    lines[user] = old
  }

  private func add(_ value: Residue, to unknown: Int, of line: inout Line) {
    let sum = (line[unknown] ?? .zero) + value
    line[unknown] = sum == .zero ? nil : sum
  }
}

/// A whole number modulo 2^61 - 1.
struct Residue: Hashable, Sendable {
  private static let prime: UInt64 = (1 << 61) - 1
  private let value: UInt64

  static let zero = Residue(value: 0)
  static let one = Residue(value: 1)

  private init(value: UInt64) { self.value = value }

  static func + (a: Self, b: Self) -> Self {
    let sum = a.value + b.value
    return Residue(value: sum >= prime ? sum - prime : sum)
  }

  static prefix func - (a: Self) -> Self {
    Residue(value: a.value == 0 ? 0 : prime - a.value)
  }

  static func * (a: Self, b: Self) -> Self {
    Residue(value: prime.dividingFullWidth(a.value.multipliedFullWidth(by: b.value)).remainder)
  }

  /// Fermat: the power of the prime less two. Of zero, zero.
  var inverse: Residue {
    var (result, base, exponent) = (Residue.one, self, Self.prime - 2)
    while exponent > 0 {
      if exponent & 1 == 1 { result = result * base }
      base = base * base
      exponent >>= 1
    }
    return result
  }
}
