import Testing

/// Every interleaving of small cases of the closing protocol. Each rule is needed: taken out, a case fails.
@Suite struct ClosingModelTests {
  private typealias Program = ClosingModel.Program

  private static let programs: [Program] = [
    .insert(1), .insert(3), .remove(1), .remove(2), .remove(3), .backfill, .close, .restate,
  ]

  /// Sets of up to four programs of which none stores an event twice, at least one of them closing.
  private static func cases(upTo most: Int) -> [(programs: [Program], events: Set<Int>)] {
    var sets: [[Program]] = [[]]
    for program in programs {
      sets += sets.filter { $0.count < most }.map { $0 + [program] }
    }
    // The same removal twice, and two closings, meet each other too.
    sets += [
      [.remove(2), .remove(2), .close], [.close, .close, .insert(3)],
      [.close, .restate, .restate, .insert(3)],
    ]
    return sets.filter { $0.contains(.close) || $0.contains(.restate) }.flatMap { set in
      [Set<Int>(), [2], [1, 2], [2, 3], [1, 2, 3]].compactMap { events in
        let stored = set.compactMap { program -> Int? in
          if case .insert(let event) = program { return event }
          return nil
        }
        return events.isDisjoint(with: stored) ? (set, events) : nil
      }
    }
  }

  private static func verdicts(_ mutation: ClosingModel.Mutation, upTo most: Int) -> (
    states: Int, first: (programs: [Program], trace: [String], fault: String)?
  ) {
    var states = 0
    for (programs, events) in cases(upTo: most) {
      let verdict = check(
        ClosingModel(programs: programs, initialEvents: events, mutation: mutation))
      states += verdict.states
      if let (trace, fault) = verdict.counterexample {
        return (states, (programs, ["events \(events.sorted())"] + trace, fault))
      }
    }
    return (states, nil)
  }

  @Test func nothingIsLostNothingClosedChangesNobodyWaitsForEver() {
    let (states, first) = Self.verdicts(.none, upTo: 4)
    #expect(first == nil, "\(String(describing: first))")
    #expect(states > 10_000, "\(states) states were visited")
  }

  @Test(arguments: ClosingModel.Mutation.allCases.filter { $0 != .none })
  func everyRuleIsNeeded(mutation: ClosingModel.Mutation) {
    // That a late row is there, goes, and is waited for meanwhile takes four.
    let (_, first) = Self.verdicts(mutation, upTo: mutation == .noSecondLook ? 4 : 3)
    #expect(first != nil, "\(mutation) goes unnoticed")
    if let first {
      print("\(mutation): \(first.fault): \(first.trace.joined(separator: "; "))")
    }
  }

  @Test func lockingInOneOrderNobodyWaitsForEver() {
    for closings in 1...2 {
      let writers = [([0, 1, 2], false), ([0, 2], false), ([1, 2], false)]
      let orders = writers + (0..<closings).map { _ in ([0, 1, 2], true) }
      let verdict = check(
        LockOrderModel(orders: orders.map { (partitions: $0.0, isClosing: $0.1) }))
      #expect(verdict.counterexample == nil, "\(String(describing: verdict.counterexample))")
    }
  }

  @Test func lockingInAnotherOrderIsADeadlock() {
    let verdict = check(
      LockOrderModel(orders: [(partitions: [0, 1], isClosing: false), ([1, 0], true)]))
    #expect(verdict.counterexample?.fault == "deadlock")
  }
}
