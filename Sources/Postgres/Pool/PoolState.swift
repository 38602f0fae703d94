/// The decisions of a pool: an event goes in, an ``Action`` to carry out comes back. It knows no socket, clock or task.
///
/// Times are seconds on any clock that does not go back.
struct PoolState<Member> {
  let size: Int
  /// A member idle for longer than this is looked at before it is lent.
  let checkAfter: Double
  private var idle: [(member: Member, since: Double)] = []
  /// Members lent, being opened or being checked.
  private(set) var busy = 0
  private var waiting: [Int] = []
  private var nextWaiter = 0
  private(set) var isClosed = false

  init(size: Int, checkAfter: Double) {
    self.size = size
    self.checkAfter = checkAfter
  }

  enum Action {
    /// Use this one.
    case lend(Member)
    /// Look whether this one still works; use it, or report ``PoolState/lost()`` and ask again.
    case check(Member)
    /// Make a new one.
    case open
    /// Wait under this number.
    case wait(Int)
    /// The pool is closed.
    case refuse
  }

  /// Somebody wants a member.
  mutating func acquire(now: Double) -> Action {
    if isClosed { return .refuse }
    // The one used last is the likeliest to work, and lets the others grow old.
    if let (member, since) = idle.popLast() {
      busy += 1
      return now - since > checkAfter ? .check(member) : .lend(member)
    }
    if busy < size {
      busy += 1
      return .open
    }
    nextWaiter += 1
    waiting.append(nextWaiter)
    return .wait(nextWaiter)
  }

  enum Return {
    /// Nobody waits.
    case keep
    /// Give it to this waiter.
    case hand(Int)
    /// The pool is closed: close the member.
    case close
  }

  /// A member comes back in order.
  mutating func release(_ member: Member, now: Double) -> Return {
    if !waiting.isEmpty { return .hand(waiting.removeFirst()) }
    busy -= 1
    if isClosed { return .close }
    idle.append((member, now))
    return .keep
  }

  /// A member is gone: it broke, or could not be opened.
  /// - Returns: the waiter who may open another in its place.
  mutating func lost() -> Int? {
    if waiting.isEmpty {
      busy -= 1
      return nil
    }
    return waiting.removeFirst()
  }

  /// A waiter gave up.
  /// - Returns: false when it had been served just then.
  mutating func abandon(_ waiter: Int) -> Bool {
    guard let place = waiting.firstIndex(of: waiter) else { return false }
    waiting.remove(at: place)
    return true
  }

  /// No more lending. Waiters are refused; members that are lent come back and are closed.
  mutating func close() -> (idle: [Member], waiting: [Int]) {
    isClosed = true
    defer { (idle, waiting) = ([], []) }
    return (idle.map(\.member), waiting)
  }
}
