/// A system of which every reachable state is visited.
protocol Model {
  associatedtype State: Hashable
  var initial: State { get }
  /// What can happen next, each with a name for the trace.
  func next(_ state: State) -> [(name: String, state: State)]
  /// What is wrong with a state; nil when nothing is.
  func fault(in state: State) -> String?
  /// Whether a state from which nothing can happen is an end and no deadlock.
  func isEnd(_ state: State) -> Bool
}

/// What came of visiting all states.
struct Verdict {
  var states = 0
  /// The shortest way to a fault, and the fault; nil when there is none.
  var counterexample: (trace: [String], fault: String)?
}

/// Visits every reachable state, nearest first, so that a trace to a fault is a shortest one.
func check<M: Model>(_ model: M) -> Verdict {
  var verdict = Verdict()
  var seen: [M.State: Int] = [model.initial: 0]
  var queue: [(state: M.State, parent: Int, step: String)] = [(model.initial, -1, "")]
  var head = 0
  func trace(to place: Int) -> [String] {
    var (steps, place) = ([String](), place)
    while place > 0 {
      steps.append(queue[place].step)
      place = queue[place].parent
    }
    return steps.reversed()
  }
  while head < queue.count {
    let state = queue[head].state
    let following = model.next(state)
    let fault =
      model.fault(in: state)
      ?? (following.isEmpty && !model.isEnd(state) ? "deadlock" : nil)
    if let fault {
      verdict.counterexample = (trace(to: head), fault)
      break
    }
    for (name, next) in following where seen[next] == nil {
      seen[next] = queue.count
      queue.append((next, head, name))
    }
    head += 1
  }
  verdict.states = queue.count
  return verdict
}
