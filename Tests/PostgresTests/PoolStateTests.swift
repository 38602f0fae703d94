import TestSupport
import Testing

@testable import Postgres

/// What a pool decides, event by event. Connections and waiters are numbers here.
@Suite struct PoolStateTests {
  private func state(size: Int = 2) -> PoolState {
    PoolState(
      limits: .init(
        size: size, idleTimeout: .seconds(60), maximumAge: .seconds(600), checkAfter: .seconds(5),
        reconnectDelay: .milliseconds(100)))
  }

  /// With `count` connections open and idle since the moment 0.
  private func warm(_ count: Int) -> PoolState {
    var state = state(size: count)
    for id in 1...count { _ = state.acquire(id, now: .zero) }
    for id in 1...count { _ = state.connected(id, now: .zero) }
    for id in 1...count { _ = state.release(id, isHealthy: true, now: .zero) }
    return state
  }

  @Test func connectionsAreOpenedAsNeededAndNeverMoreThanTheBound() {
    var state = state()
    #expect(state.acquire(1, now: .zero) == [.connect(1, after: .zero)])
    #expect(state.acquire(2, now: .zero) == [.connect(2, after: .zero)])
    #expect(state.acquire(3, now: .zero) == [])
    #expect(state.connected(2, now: .zero) == [.lend(2, to: 1)])
    #expect(state.connected(1, now: .zero) == [.lend(1, to: 2)])
    #expect(state.release(2, isHealthy: true, now: .zero) == [.lend(2, to: 3)])
    #expect(state.count == 2)
  }

  @Test func whoeverWaitedLongestIsServedFirst() {
    var state = warm(1)
    #expect(state.acquire(11, now: .zero) == [.lend(1, to: 11)])
    for waiter in 12...14 { #expect(state.acquire(waiter, now: .zero) == []) }
    #expect(state.giveUp(13, .cancelled) == [.fail(13, .cancelled)])
    #expect(state.release(1, isHealthy: true, now: .zero) == [.lend(1, to: 12)])
    #expect(state.release(1, isHealthy: true, now: .zero) == [.lend(1, to: 14)])
  }

  @Test func aWaiterFailsOnceAndNotAfterItWasServed() {
    var state = warm(1)
    _ = state.acquire(11, now: .zero)
    _ = state.acquire(12, now: .zero)
    #expect(state.giveUp(12, .timeout) == [.fail(12, .timeout)])
    #expect(state.giveUp(12, .cancelled) == [])
    #expect(state.giveUp(11, .timeout) == [])
    #expect(state.release(1, isHealthy: true, now: .zero) == [])
    #expect(state.idleCount == 1)
  }

  @Test func aBrokenConnectionIsReplacedForWhoeverWaits() {
    var state = warm(1)
    _ = state.acquire(11, now: .zero)
    _ = state.acquire(12, now: .zero)
    #expect(
      state.release(1, isHealthy: false, now: .zero) == [.close(1), .connect(2, after: .zero)])
    #expect(state.connected(2, now: .zero) == [.lend(2, to: 12)])
  }

  @Test func theConnectionUsedLastIsLentFirst() {
    var state = warm(2)
    #expect(state.acquire(11, now: .seconds(1)) == [.lend(2, to: 11)])
    #expect(state.release(2, isHealthy: true, now: .seconds(1)) == [])
    #expect(state.acquire(12, now: .seconds(2)) == [.lend(2, to: 12)])
  }

  @Test func aConnectionIdleForLongIsCheckedBeforeItIsLent() {
    var state = warm(1)
    #expect(state.acquire(11, now: .seconds(5)) == [.check(1)])
    #expect(state.checked(1, isHealthy: true, now: .seconds(5)) == [.lend(1, to: 11)])
    #expect(state.release(1, isHealthy: true, now: .seconds(6)) == [])
    #expect(state.acquire(12, now: .seconds(20)) == [.check(1)])
    #expect(
      state.checked(1, isHealthy: false, now: .seconds(20)) == [
        .close(1), .connect(2, after: .zero),
      ])
    #expect(state.connected(2, now: .seconds(21)) == [.lend(2, to: 12)])
  }

  @Test func aConnectionThatLooksDeadIsCheckedAndItsWaiterKeepsItsTurn() {
    var state = warm(1)
    #expect(state.acquire(11, now: .zero) == [.lend(1, to: 11)])
    #expect(state.acquire(12, now: .zero) == [])
    #expect(state.suspect(1, for: 11, now: .zero) == [.check(1)])
    #expect(
      state.checked(1, isHealthy: false, now: .zero) == [.close(1), .connect(2, after: .zero)])
    #expect(state.connected(2, now: .zero) == [.lend(2, to: 11)])
  }

  @Test func aConnectionThatCannotBeOpenedFailsOneWaiterAndTriesForTheNext() {
    var state = state(size: 1)
    _ = state.acquire(1, now: .zero)
    _ = state.acquire(2, now: .zero)
    #expect(
      state.connectFailed(1, isServerStarting: false, now: .zero) == [
        .fail(1, .connectionFailed), .connect(2, after: .zero),
      ])
    #expect(
      state.connectFailed(2, isServerStarting: false, now: .zero) == [.fail(2, .connectionFailed)])
    #expect(state.count == 0)
  }

  @Test func aServerThatIsStartingIsWaitedForAsLongAsSomebodyWaits() {
    var state = state(size: 1)
    _ = state.acquire(1, now: .zero)
    #expect(
      state.connectFailed(1, isServerStarting: true, now: .zero) == [
        .connect(1, after: .milliseconds(100))
      ])
    _ = state.giveUp(1, .timeout)
    #expect(state.connectFailed(1, isServerStarting: true, now: .zero) == [])
    #expect(state.count == 0)
  }

  @Test func timeClosesWhatIsIdleAndWhatIsOld() {
    var state = warm(2)
    #expect(state.tick(now: .seconds(59)) == [])
    #expect(state.tick(now: .seconds(60)) == [.close(1), .close(2)])
    state = warm(1)
    _ = state.acquire(11, now: .seconds(1))
    #expect(state.release(1, isHealthy: true, now: .seconds(600)) == [.close(1)])
  }

  @Test func closingFailsWaitersAndWaitsForWhatIsLent() {
    var state = warm(2)
    _ = state.acquire(11, now: .zero)
    #expect(state.close() == [.close(1)])
    #expect(state.acquire(12, now: .zero) == [.fail(12, .poolClosed)])
    #expect(state.release(2, isHealthy: true, now: .zero) == [.close(2), .drained])
    #expect(state.close() == [.drained])
    var waiting = self.state(size: 1)
    _ = waiting.acquire(1, now: .zero)
    #expect(waiting.close() == [.fail(1, .poolClosed)])
    #expect(waiting.connected(1, now: .zero) == [.close(1), .drained])
  }

  /// Whatever happens in whatever order: the bound holds, a waiter gets one answer, nothing is
  /// lost.
  @Test(arguments: 0..<20) func noSequenceOfEventsBreaksTheRules(seed: UInt64) {
    var random = Seeded(seed)
    var state = state(size: 3)
    var model = Model()
    for step in 0..<2000 {
      let now = Duration.milliseconds(step * 100)
      model.carryOut(model.nextEvent(&state, now, &random))
      #expect(state.count <= 3)
      #expect(model.problems == [])
    }
    // Everybody goes home.
    model.carryOut(state.close())
    while let actions = model.finishOne(&state, .seconds(1000)) { model.carryOut(actions) }
    #expect(model.problems == [])
    #expect(model.waiting.isEmpty && model.isDrained)
  }
}

/// What a pool would have done so far, and what it did wrong.
private struct Model {
  var waiting: Set<Int> = []
  var lent: Set<Int> = []
  var connecting: Set<Int> = []
  var checking: Set<Int> = []
  var open: Set<Int> = []
  var isDrained = false
  var problems: [String] = []
  private var lastWaiter = 0

  mutating func nextEvent(
    _ state: inout PoolState, _ now: Duration, _ random: inout Seeded
  ) -> [PoolState.Action] {
    let isHealthy = Int.random(in: 0..<4, using: &random) > 0
    switch Int.random(in: 0..<8, using: &random) {
    case 0...2:
      lastWaiter += 1
      waiting.insert(lastWaiter)
      return state.acquire(lastWaiter, now: now)
    case 3:
      guard let waiter = waiting.randomElement(using: &random) else { return [] }
      return state.giveUp(waiter, .timeout)
    case 4...5:
      guard let id = lent.randomElement(using: &random) else { return [] }
      lent.remove(id)
      return state.release(id, isHealthy: isHealthy, now: now)
    case 6:
      guard let id = connecting.randomElement(using: &random) else { return [] }
      connecting.remove(id)
      if !isHealthy {
        return state.connectFailed(id, isServerStarting: Bool.random(using: &random), now: now)
      }
      open.insert(id)
      return state.connected(id, now: now)
    default:
      guard let id = checking.randomElement(using: &random) else { return state.tick(now: now) }
      checking.remove(id)
      return state.checked(id, isHealthy: isHealthy, now: now)
    }
  }

  /// Brings to its end one of the things under way.
  mutating func finishOne(_ state: inout PoolState, _ now: Duration) -> [PoolState.Action]? {
    if let id = lent.popFirst() { return state.release(id, isHealthy: true, now: now) }
    if let id = checking.popFirst() { return state.checked(id, isHealthy: true, now: now) }
    guard let id = connecting.popFirst() else { return nil }
    return state.connectFailed(id, isServerStarting: true, now: now)
  }

  mutating func carryOut(_ actions: [PoolState.Action]) {
    for action in actions {
      switch action {
      case .lend(let id, let waiter):
        if waiting.remove(waiter) == nil { problems.append("\(waiter) was answered twice") }
        if !open.contains(id) { problems.append("\(id) is not open") }
        if !lent.insert(id).inserted { problems.append("\(id) was lent twice") }
      case .fail(let waiter, _):
        if waiting.remove(waiter) == nil { problems.append("\(waiter) was answered twice") }
      case .connect(let id, _): connecting.insert(id)
      case .check(let id):
        if lent.contains(id) { problems.append("\(id) was checked while lent") }
        checking.insert(id)
      case .close(let id):
        if lent.contains(id) { problems.append("\(id) was closed while lent") }
        open.remove(id)
      case .drained: isDrained = true
      }
    }
  }
}
