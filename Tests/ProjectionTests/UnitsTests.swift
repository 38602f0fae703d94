import PeriodRollups
import TestSupport
import Testing

/// Chunks of units that are locked by slots.
@Suite struct UnitsTests {
  /// No two chunks share a slot, unless one slot has more than a chunk may have: they would wait for each other.
  @Test(arguments: seeds(20))
  func chunksAreCutBetweenSlots(seed: UInt64) {
    var random = Seeded(seed)
    let most = Int.random(in: 1...40, using: &random)
    var units: [(unit: String, slot: Int)] = []
    for slot in 0..<Int.random(in: 0...60, using: &random) {
      for _ in 0..<Int.random(in: 0...(most / 3 + 1), using: &random) {
        units.append(("\(units.count)", slot))
      }
    }
    let slots = Dictionary(uniqueKeysWithValues: units.map { ($0.unit, $0.slot) })
    let chunks = Units.cut(units, most: most)
    #expect(chunks.flatMap(\.self) == units.map(\.unit), "all, once, in order")
    #expect(chunks.allSatisfy { !$0.isEmpty && $0.count <= most })
    let biggest = Dictionary(grouping: units, by: \.slot).values.map(\.count).max() ?? 0
    guard biggest <= most else { return }
    for (chunk, next) in zip(chunks, chunks.dropFirst()) {
      #expect(Set(chunk.map { slots[$0] }).isDisjoint(with: next.map { slots[$0] }))
      // And no more of them than that takes.
      #expect(chunk.count + biggest > most)
    }
  }

  @Test func aSlotThatIsTooLargeIsCut() {
    let units = (0..<10).map { (unit: "\($0)", slot: 7) } + [(unit: "10", slot: 8)]
    #expect(Units.cut(units, most: 4).map(\.count) == [4, 4, 3])
  }
}
