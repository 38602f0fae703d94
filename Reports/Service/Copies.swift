import HTTPTypes
import Hummingbird
import Hypertension
import Synchronization

/// What was made of what the database showed, for whoever asks the same while what it rests on is the same: never stale, and made
/// once for all who ask at a time.
final class Copies<Value: Sendable>: Sendable {
  /// What was made, and of which facilities' patients; nil of what is not to be kept.
  typealias Made = (facilities: AffectedFacilities?, value: Value)
  typealias Look = ChangeHistory.Look

  private let state = Mutex(State())
  private let history: ChangeHistory
  private let size: @Sendable (Value) -> Int

  /// All of them together, in bytes.
  private let most: Int

  private struct State {
    var copies: [CopyQuestion: Copy] = [:]
    var size = 0
    var making: [CopyQuestion: Making] = [:]
  }

  private struct Copy {
    /// What it holds at: it was made after this look, and what it rests on was the same at it.
    var look: Look
    let facilities: AffectedFacilities
    let value: Value
    let size: Int
  }

  /// Of each question one is made at a time, however many ask.
  private struct Making {
    /// The last of those at which it was asked for before it was begun.
    var look: Look
    let task: Task<Value, any Error>
    /// Begun when this one is done.
    var next: (look: Look, task: Task<Value, any Error>)?
  }

  /// - Parameters:
  ///   - most: bytes of all of them together. One that would take a quarter of it is not kept.
  ///   - size: of a value, in bytes.
  init(
    _ history: ChangeHistory, most: Int = 64 << 20, size: @escaping @Sendable (Value) -> Int
  ) {
    self.history = history
    self.most = most
    self.size = size
  }

  /// What is kept, in bytes.
  var keptSize: Int { state.withLock { $0.size } }

  /// The copy that holds now; without one what `make` makes.
  /// - Parameter moment: what the database is now; nil where that is not known.
  func value(
    of question: CopyQuestion, at moment: Moment?,
    _ make: @escaping @Sendable () async throws -> Made
  ) async throws -> Value {
    guard let look = try await history.look(at: moment) else { return try await make().value }
    switch step(question, look, make) {
    case .found(let value): return value
    case .makes(let task): return try await task.value
    case .waits(let task):
      // Another's mistake is not this one's: his token may have been revoked meanwhile.
      if let value = try? await task.value { return value }
      return try await make().value
    }
  }

  private enum Step {
    case found(Value)
    case makes(Task<Value, any Error>)
    case waits(Task<Value, any Error>)
  }

  private func step(
    _ question: CopyQuestion, _ look: Look,
    _ make: @escaping @Sendable () async throws -> Made
  ) -> Step {
    state.withLock { state in
      if let value = holding(question, look, &state) { return .found(value) }
      guard let making = state.making[question] else {
        let task = task(question, after: nil, make)
        state.making[question] = Making(look: look, task: task)
        return .makes(task)
      }
      if making.look >= look { return .waits(making.task) }
      // What is being made is of before this question. The next is begun when it is done, for all who have asked by then.
      let task = making.next?.task ?? task(question, after: making.task, make)
      state.making[question]?.next = (max(look, making.next?.look ?? look), task)
      return making.next == nil ? .makes(task) : .waits(task)
    }
  }

  /// The copy, if it holds at a look.
  private func holding(_ question: CopyQuestion, _ look: Look, _ state: inout State) -> Value? {
    guard let copy = state.copies[question],
      history.isSame(copy.facilities, from: copy.look, to: look)
    else { return nil }
    state.copies[question]?.look = max(copy.look, look)
    return copy.value
  }

  private func task(
    _ question: CopyQuestion, after previous: Task<Value, any Error>?,
    _ make: @escaping @Sendable () async throws -> Made
  ) -> Task<Value, any Error> {
    Task {
      _ = await previous?.result
      defer { self.end(question) }
      let (look, found) = self.state.withLock { state in
        let look = state.making[question]?.look ?? 0
        return (look, self.holding(question, look, &state))
      }
      // Of what has changed meanwhile the one before may have had all.
      if let found { return found }
      let made = try await make()
      self.keep(made, question, at: look)
      return made.value
    }
  }

  private func end(_ question: CopyQuestion) {
    state.withLock { state in
      state.making[question] = state.making[question]?.next.map {
        Making(look: $0.look, task: $0.task)
      }
    }
  }

  private func keep(_ made: Made, _ question: CopyQuestion, at look: Look) {
    guard let facilities = made.facilities else { return }
    let copy = Copy(
      look: look, facilities: facilities, value: made.value,
      size: size(made.value) + question.address.text.utf8.count)
    guard copy.size < most / 4 else { return }
    state.withLock { state in
      if state.size + copy.size > most {
        // Those that nobody can be shown any more.
        state.copies = state.copies.filter {
          history.isSame($0.value.facilities, from: $0.value.look, to: look)
        }
        state.size = state.copies.values.reduce(0) { $0 + $1.size }
      }
      if state.size + copy.size > most {
        state.copies.removeAll()
        state.size = 0
      }
      state.size += copy.size - (state.copies.updateValue(copy, forKey: question)?.size ?? 0)
    }
  }
}

/// What is asked, and by whom: tokens of one scope are shown the same.
struct CopyQuestion: Hashable, Sendable {
  let scope: AccessToken.Scope
  let readsLists: Bool
  /// With what is asked, byte by byte: an address may have letters that are not percent-encoded.
  let address: ExactText
}

extension CopyQuestion {
  init(scope: AccessToken.Scope, readsLists: Bool, address: String) {
    self.init(scope: scope, readsLists: readsLists, address: ExactText(address))
  }

  init(_ visitor: Gate.Visitor, _ request: Request) {
    self.init(
      scope: visitor.admission.scope, readsLists: visitor.admission.readsLists,
      address: ExactText(request.uri.string))
  }
}
