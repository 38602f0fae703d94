import Postgres
import Synchronization

/// What has changed while a service runs, in steps: looks at the database, and of which facilities patients' rows have changed
/// from each to the next (docs/decisions/034-changes-are-noted.md).
///
/// What was read after a look still holds at a later one if none of the facilities that it rests on is among the changes
/// between them.
public final class ChangeHistory: Sendable {
  /// The number of a look; a later one has a greater.
  public typealias Look = Int

  private struct Step {
    let moment: Moment
    /// What pages show besides rollups and editions.
    let circumstances: String
    /// Since the look before; nil where that may be anything.
    let changed: Set<String>?
  }

  private struct State {
    var steps: [Step] = []
    /// The number of the first of them.
    var first = 0
    var looking: Task<Look, any Error>?
    /// Begun when that is done.
    var next: Task<Look, any Error>?

    var last: Look { first + steps.count - 1 }
  }

  private let state = Mutex(State())
  private let ask: @Sendable (_ since: Moment?) async throws -> Answer?

  /// What a look sees.
  struct Answer: Sendable {
    let moment: Moment
    let circumstances: String
    let changed: [String]?
  }

  public convenience init(_ pool: Pool) {
    self.init { since in
      do {
        return try await Self.answer(pool, since)
      } catch let error as PostgresError where error.kind == .connectionLost {
        // The server was restarted underneath, and this connection is the first to learn of it.
        return try await Self.answer(pool, since)
      }
    }
  }

  private static func answer(_ pool: Pool, _ since: Moment?) async throws -> Answer? {
    let (moment, circumstances, changed) = try await pool.withConnection { connection in
      try await connection.prepared(
        """
        SELECT \(unescaped: Moment.expression), rollup.circumstances(), rollup.changes_since(\(since?.snapshot)::pg_snapshot)
        """
      ).only((String?, String, [String]?).self)
    }
    return Moment(moment).map {
      Answer(moment: $0, circumstances: circumstances, changed: changed)
    }
  }

  init(asking ask: @escaping @Sendable (_ since: Moment?) async throws -> Answer?) {
    self.ask = ask
  }

  /// A look that saw whatever was committed when this was called.
  /// - Parameter moment: what the database was then or later.
  /// - Returns: nil where that cannot be known.
  public func look(at moment: Moment?) async throws -> Look? {
    guard let moment else { return nil }
    let task = state.withLock { state -> Task<Look, any Error>? in
      if let last = state.steps.last, last.moment == moment { return nil }
      guard let looking = state.looking else {
        let task = look(after: nil)
        state.looking = task
        return task
      }
      // What is being looked at may be of before this was called.
      if let next = state.next { return next }
      let task = look(after: looking)
      state.next = task
      return task
    }
    guard let task else { return state.withLock { $0.last } }
    do {
      return try await task.value
    } catch is Unknown {
      return nil
    }
  }

  /// What was not changed from one look to another.
  /// - Returns: whether what rests on these facilities is the same at both.
  public func isSame(_ facilities: AffectedFacilities, from: Look, to: Look) -> Bool {
    guard from < to else { return true }
    return state.withLock { state in
      guard from >= state.first, to <= state.last else { return false }
      return state.steps[(from + 1 - state.first)...(to - state.first)].allSatisfy { step in
        guard let changed = step.changed else { return false }
        switch facilities {
        case .all: return changed.isEmpty
        case .these(let ids): return changed.isDisjoint(with: ids)
        }
      }
    }
  }

  /// The database does not say what it is.
  private struct Unknown: Error {}

  /// How many steps are remembered; some minutes of a busy programme's.
  private static let most = 4096

  private func look(after previous: Task<Look, any Error>?) -> Task<Look, any Error> {
    Task {
      _ = await previous?.result
      defer {
        state.withLock { state in
          state.looking = state.next
          state.next = nil
        }
      }
      let since = state.withLock { $0.steps.last }
      guard let answer = try await ask(since?.moment) else { throw Unknown() }
      return state.withLock { state in
        let isContinued =
          since?.circumstances == answer.circumstances
          && since?.moment.circumstances == answer.moment.circumstances
        state.steps.append(
          Step(
            moment: answer.moment, circumstances: answer.circumstances,
            changed: isContinued ? answer.changed.map(Set.init) : nil))
        if state.steps.count > Self.most {
          let dropped = state.steps.count / 2
          state.steps.removeFirst(dropped)
          state.first += dropped
        }
        return state.last
      }
    }
  }
}
