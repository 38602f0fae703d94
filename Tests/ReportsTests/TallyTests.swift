import Hypertension
import TestSupport
import Testing

/// Counts by name, against a dictionary.
@Suite struct TallyTests {
  private static let names = ["a", "b", "c", "d", "e"]

  @Test(arguments: seeds(50))
  func itAddsByName(seed: UInt64) {
    var random = Seeded(seed)
    let columns = [Tally.Columns(["a", "b", "c"]), Tally.Columns(["c", "d"])]
    func some() -> (Tally, [String: Int]) {
      switch Int.random(in: 0..<4, using: &random) {
      case 0: return (Tally(), [:])
      case 1:
        let counts = Dictionary(
          uniqueKeysWithValues: Self.names.filter { _ in Bool.random(using: &random) }.map {
            ($0, Int.random(in: 0...3, using: &random))
          })
        return (Tally(counts), counts)
      case 2:
        let counts = [1, 2, 3].map { $0 * Int.random(in: 0...3, using: &random) }
        return (
          Tally(columns[0], counts), Dictionary(uniqueKeysWithValues: zip(["a", "b", "c"], counts))
        )
      default:
        let counts = [Int.random(in: 0...3, using: &random), 0]
        return (Tally(columns[1], counts), ["c": counts[0], "d": 0])
      }
    }
    var (sum, expected) = some()
    for _ in 0..<20 {
      let (tally, counts) = some()
      if Bool.random(using: &random) { sum += tally } else { sum = sum + tally }
      expected.merge(counts, uniquingKeysWith: +)
      let name = Self.names.randomElement(using: &random) ?? "a"
      sum[name] += 1
      expected[name, default: 0] += 1
      for name in Self.names { #expect(sum[name] == expected[name] ?? 0) }
      #expect(sum == Tally(expected) && sum.hashValue == Tally(expected).hashValue)
      #expect(sum != Tally(expected.merging(["a": 1], uniquingKeysWith: +)))
    }
    #expect(Tally(["a": 0]) == Tally() && Tally(["a": 0]).isZero && !sum.isZero)
  }
}
