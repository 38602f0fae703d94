/// The closing protocol (docs/closing-protocol.md): one patient, one period of one rollup, events with ranks 1, 2, 3.
struct ClosingModel: Model {
  /// What runs at the same time, each a transaction.
  enum Program: Hashable {
    case insert(Int)
    case remove(Int)
    case backfill
    case close
    case restate
  }

  /// A rule that is taken out.
  enum Mutation: CaseIterable {
    case none
    /// A closed period is written as an open one.
    case noGuard
    /// A removal looks for what takes the place in the statement that locks the row.
    case oneStatement
    /// A late event that loses leaves no late row.
    case losersTouchNothing
    /// A removal does not lock the patient.
    case noPatientLock
    /// A removal asks whether the period is closed before it holds the partition.
    case closedAskedEarly
    /// Closing does not lock the partition.
    case noPartitionLock
    /// A change that has waited for a late row does not look whether it is still there.
    case noSecondLook
  }

  let programs: [Program]
  let initialEvents: Set<Int>
  let mutation: Mutation

  // MARK: State

  enum Late: Hashable {
    case absent
    case none
    case event(Int)
  }

  struct Entry: Hashable {
    let program: Int
    let event: Int
  }

  struct Task: Hashable {
    var step = 0
    /// What this transaction has written, to be seen by others when it commits.
    var added: Set<Int> = []
    var removed: Set<Int> = []
    var rollup: Int??
    var late: Late?
    var entries: [Entry] = []
    /// What a statement has computed from its snapshot.
    var computed: Int??
    var sawClosed = false
    var believesClosed = false
    /// It has found a late row that another held.
    var hasWaited = false
    var isDone = false
  }

  struct State: Hashable {
    var tasks: [Task]
    var sources: Set<Int>
    var rollup: Int?
    var late = Late.absent
    var ledger: [Entry] = []
    var isClosed = false
    var published: [Int?] = []
    /// What stood when the period closed.
    var wrongAtClosing = false
    var patientExclusive: Int?
    var patientShared: Set<Int> = []
    var partitionShared: Set<Int> = []
    var partitionExclusive: Int?
    /// Who waits for the exclusive lock: others queue behind.
    var partitionQueue: Int?
    var rollupLock: Int?
    var lateLock: Int?
  }

  var initial: State {
    State(
      tasks: programs.map { _ in Task() }, sources: initialEvents, rollup: initialEvents.max())
  }

  func isEnd(_ state: State) -> Bool { state.tasks.allSatisfy(\.isDone) }

  func fault(in state: State) -> String? {
    if state.wrongAtClosing { return "the period closed without an event that was committed" }
    if state.isClosed, let last = state.published.last, state.rollup != last {
      return "a closed row has changed"
    }
    guard isEnd(state) else { return nil }
    let known: Int? =
      switch state.late {
      case .absent: state.rollup
      case .none: nil
      case .event(let event): event
      }
    if known != state.sources.max() { return "what is known now is not what the sources say" }
    for (number, program) in programs.enumerated() {
      let entries = state.ledger.filter { $0.program == number }.count
      switch program {
      case .insert, .remove:
        if entries != (state.tasks[number].sawClosed ? 1 : 0) {
          return "a change is in the ledger \(entries) times"
        }
      case .backfill, .close, .restate: continue
      }
    }
    return nil
  }

  // MARK: Steps

  func next(_ state: State) -> [(name: String, state: State)] {
    programs.indices.compactMap { number in
      guard !state.tasks[number].isDone else { return nil }
      return step(number, state).map { ("\(number): \(programs[number]) \($0.0)", $0.1) }
    }
  }

  private func step(_ number: Int, _ state: State) -> (String, State)? {
    switch programs[number] {
    case .insert(let event): insert(event, number, state)
    case .remove(let event): remove(event, number, state)
    case .backfill: backfill(number, state)
    case .close: close(number, state)
    case .restate: restate(number, state)
    }
  }

  private func insert(_ event: Int, _ number: Int, _ before: State) -> (String, State)? {
    var state = before
    switch state.tasks[number].step {
    case 0:
      // An event that is there already, or is being stored by another, is none of this model's business.
      state.tasks[number].added.insert(event)
      state.tasks[number].step = 1
      return ("stores \(event)", state)
    case 1:
      guard hold(&state, number) else { return nil }
      state.tasks[number].step = 2
      return ("holds the partition", state)
    case 2:
      if waits(number, &state) { return ("waits for the late row", state) }
      guard add(event, number, &state, entering: true) else { return nil }
      state.tasks[number].step = 3
      return ("upserts", state)
    default: return ("commits", commit(number, state))
    }
  }

  private func remove(_ event: Int, _ number: Int, _ before: State) -> (String, State)? {
    var state = before
    switch state.tasks[number].step {
    case 0:
      if mutation != .noPatientLock {
        guard state.patientExclusive == nil, state.patientShared.isEmpty else { return nil }
        state.patientExclusive = number
      }
      state.tasks[number].believesClosed = state.isClosed
      if !state.sources.contains(event) {
        // Nothing to remove.
        return ("finds nothing", commit(number, state))
      }
      if mutation == .oneStatement {
        state.tasks[number].computed = .some(others(event, number, state))
      }
      state.tasks[number].step = 1
      return ("locks the patient", state)
    case 1:
      guard hold(&state, number) else { return nil }
      state.tasks[number].step = 2
      return ("holds the partition", state)
    case 2:
      if waits(number, &state) { return ("waits for the late row", state) }
      guard add(event, number, &state, entering: false) else { return nil }
      state.tasks[number].step = 3
      return ("locks the row by adding \(event)", state)
    case 3:
      if mutation != .closedAskedEarly {
        state.tasks[number].believesClosed = state.tasks[number].sawClosed
      }
      if writesRollup(state.tasks[number]), rollup(number, state) == event {
        state.tasks[number].rollup = .some(
          state.tasks[number].computed ?? others(event, number, state))
      }
      state.tasks[number].removed.insert(event)
      state.tasks[number].step = 4
      return ("puts the next in its place, removes \(event)", state)
    case 4:
      if state.tasks[number].believesClosed {
        guard state.lateLock == nil || state.lateLock == number else { return nil }
        state.lateLock = number
        let next = others(event, number, state)
        state.tasks[number].late = next.map { .event($0) } ?? Late.none
        state.tasks[number].entries.append(Entry(program: number, event: event))
      }
      state.tasks[number].step = 5
      return ("settles", state)
    case 5:
      // It holds the late row since it was settled.
      if state.tasks[number].believesClosed, saysNothingNew(late(number, state), state) {
        state.tasks[number].late = .absent
      }
      state.tasks[number].step = 6
      return ("drops a late row that says what the closed row says", state)
    default: return ("commits", commit(number, state))
    }
  }

  private func saysNothingNew(_ late: Late, _ state: State) -> Bool {
    switch late {
    case .absent: false
    case .none: state.rollup == nil
    case .event(let event): state.rollup == event
    }
  }

  private func backfill(_ number: Int, _ before: State) -> (String, State)? {
    var state = before
    switch state.tasks[number].step {
    case 0:
      guard state.patientExclusive == nil else { return nil }
      state.patientShared.insert(number)
      state.tasks[number].step = 1
      return ("locks the patient for share", state)
    case 1:
      state.tasks[number].computed = .some(state.sources.max())
      state.tasks[number].step = 2
      return ("looks", state)
    case 2:
      // What is there already is not written again.
      guard let most = state.tasks[number].computed ?? nil, most != state.rollup else {
        return ("finds nothing to do", commit(number, state))
      }
      guard hold(&state, number) else { return nil }
      state.tasks[number].step = 3
      return ("holds the partition", state)
    case 3:
      guard let most = state.tasks[number].computed ?? nil,
        add(most, number, &state, entering: false)
      else { return nil }
      state.tasks[number].step = 4
      return ("upserts", state)
    default: return ("commits", commit(number, state))
    }
  }

  private func close(_ number: Int, _ before: State) -> (String, State)? {
    var state = before
    switch state.tasks[number].step {
    case 0:
      if mutation == .noPartitionLock {
        state.tasks[number].step = 2
        return ("does not wait", state)
      }
      guard state.partitionQueue == nil, state.partitionExclusive == nil else { return nil }
      state.partitionQueue = number
      state.tasks[number].step = 1
      return ("waits for the partition", state)
    case 1:
      guard state.partitionShared.isEmpty else { return nil }
      state.partitionQueue = nil
      state.partitionExclusive = number
      state.tasks[number].step = 2
      return ("locks the partition", state)
    default:
      if !state.isClosed {
        if state.rollup != state.sources.max() { state.wrongAtClosing = true }
        state.published = [state.rollup]
        state.isClosed = true
      }
      return ("publishes, guards and commits", commit(number, state))
    }
  }

  private func restate(_ number: Int, _ before: State) -> (String, State)? {
    var state = before
    switch state.tasks[number].step {
    case 0, 1: return close(number, state).map { ($0.0, $0.1) }
    default:
      if state.isClosed {
        switch state.late {
        case .absent: break
        case .none: state.rollup = nil
        case .event(let event): state.rollup = event
        }
        state.late = .absent
        if state.rollup != state.sources.max() { state.wrongAtClosing = true }
        state.published.append(state.rollup)
      }
      return ("takes in what is late, publishes and commits", commit(number, state))
    }
  }

  // MARK: Parts

  /// Takes the partition's shared lock, and sees whether it is guarded.
  private func hold(_ state: inout State, _ number: Int) -> Bool {
    guard state.partitionExclusive == nil, state.partitionQueue == nil else { return false }
    state.partitionShared.insert(number)
    state.tasks[number].sawClosed = state.isClosed
    return true
  }

  private func writesRollup(_ task: Task) -> Bool { !task.sawClosed || mutation == .noGuard }

  /// Finds a late row that another holds. What comes of it matters only to the rule that is taken out: who waits looks again.
  private func waits(_ number: Int, _ state: inout State) -> Bool {
    guard mutation == .noSecondLook, !writesRollup(state.tasks[number]), state.late != .absent,
      let holder = state.lateLock, holder != number, !state.tasks[number].hasWaited
    else { return false }
    state.tasks[number].hasWaited = true
    return true
  }

  /// The guarded upsert; of a closed period the guard's. False while a row's lock is another's.
  private func add(_ event: Int, _ number: Int, _ state: inout State, entering: Bool) -> Bool {
    if writesRollup(state.tasks[number]) {
      guard state.rollupLock == nil || state.rollupLock == number else { return false }
      state.rollupLock = number
      let now = rollup(number, state)
      state.tasks[number].rollup = .some(now.map { max($0, event) } ?? event)
    } else {
      let loses = state.rollup.map { event < $0 } ?? false
      if mutation != .losersTouchNothing || !loses || late(number, state) != .absent {
        guard state.lateLock == nil || state.lateLock == number else { return false }
        state.lateLock = number
        let isGone = state.tasks[number].hasWaited && late(number, state) == .absent
        state.tasks[number].late =
          switch late(number, state) {
          case .absent where isGone: .absent
          case .absent: .event(state.rollup.map { max($0, event) } ?? event)
          case .none: .event(event)
          case .event(let other): .event(max(other, event))
          }
      }
    }
    if entering, state.tasks[number].sawClosed {
      state.tasks[number].entries.append(Entry(program: number, event: event))
    }
    return true
  }

  /// The row as this transaction sees it.
  private func rollup(_ number: Int, _ state: State) -> Int? {
    if let mine = state.tasks[number].rollup { return mine }
    return state.rollup
  }

  private func late(_ number: Int, _ state: State) -> Late {
    state.tasks[number].late ?? state.late
  }

  /// The most recent of the other events that are committed now.
  private func others(_ event: Int, _ number: Int, _ state: State) -> Int? {
    state.sources.subtracting([event]).max()
  }

  private func commit(_ number: Int, _ before: State) -> State {
    var state = before
    let task = state.tasks[number]
    state.sources.formUnion(task.added)
    state.sources.subtract(task.removed)
    if let rollup = task.rollup { state.rollup = rollup }
    if let late = task.late { state.late = late }
    state.ledger += task.entries
    state.tasks[number].isDone = true
    if state.patientExclusive == number { state.patientExclusive = nil }
    state.patientShared.remove(number)
    state.partitionShared.remove(number)
    if state.partitionExclusive == number { state.partitionExclusive = nil }
    if state.partitionQueue == number { state.partitionQueue = nil }
    if state.rollupLock == number { state.rollupLock = nil }
    if state.lateLock == number { state.lateLock = nil }
    return state
  }
}

/// Writers lock the partitions of a month's and a quarter's rollups one after the other; so does whoever closes.
struct LockOrderModel: Model {
  struct State: Hashable {
    /// How many of its locks each has.
    var held: [Int] = []
    /// Whether it has queued for its next lock.
    var waits: [Bool] = []
  }

  /// The partitions that each locks, in its order; a closing locks exclusively.
  let orders: [(partitions: [Int], isClosing: Bool)]

  var initial: State {
    State(held: orders.map { _ in 0 }, waits: orders.map { _ in false })
  }

  func fault(in state: State) -> String? { nil }

  func isEnd(_ state: State) -> Bool {
    orders.indices.allSatisfy { state.held[$0] > orders[$0].partitions.count }
  }

  func next(_ state: State) -> [(name: String, state: State)] {
    orders.indices.compactMap { number in
      let (partitions, isClosing) = orders[number]
      var after = state
      if state.held[number] > partitions.count { return nil }
      if state.held[number] == partitions.count {
        after.held[number] += 1
        return ("\(number) commits", after)
      }
      let wanted = partitions[state.held[number]]
      let others = orders.indices.filter { $0 != number }
      let isHeld = others.contains {
        holds($0, wanted, state) && (isClosing || orders[$0].isClosing)
      }
      let isQueued =
        !isClosing
        && others.contains { orders[$0].isClosing && state.waits[$0] && wants($0, wanted, state) }
      if isHeld || isQueued {
        if state.waits[number] || !isClosing { return nil }
        after.waits[number] = true
        return ("\(number) queues for \(wanted)", after)
      }
      after.held[number] += 1
      after.waits[number] = false
      return ("\(number) locks \(wanted)", after)
    }
  }

  private func holds(_ number: Int, _ partition: Int, _ state: State) -> Bool {
    let (partitions, held) = (orders[number].partitions, state.held[number])
    return held <= partitions.count && partitions.prefix(held).contains(partition)
  }

  private func wants(_ number: Int, _ partition: Int, _ state: State) -> Bool {
    let (partitions, held) = (orders[number].partitions, state.held[number])
    return held < partitions.count && partitions[held] == partition
  }
}
