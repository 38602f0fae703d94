import HTTPTypes
import Hummingbird
import Hypertension
import Synchronization

/// What was made of what the database showed, for whoever asks the same while it shows the same: never stale, and made once
/// for all who ask at a time.
final class Copies<Value: Sendable>: Sendable {
  typealias Dated = (moment: Moment?, value: Value)

  private let state = Mutex(State())
  private let size: @Sendable (Value) -> Int

  /// All of them together, in bytes.
  private let most: Int

  private struct State {
    var copies: [CopyQuestion: Copy] = [:]
    var size = 0
    var making: [CopyQuestion: Making] = [:]
  }

  private struct Copy {
    let moment: Moment
    let value: Value
    let size: Int
  }

  /// Of each question one is made at a time, however many ask.
  private struct Making {
    /// When it was asked for; nil of one that waited for the one before.
    let moment: Moment?
    let task: Task<Value, any Error>
    /// Begun when this one is done.
    var next: Task<Value, any Error>?
  }

  /// - Parameters:
  ///   - most: bytes of all of them together. One that would take a quarter of it is not kept.
  ///   - size: of a value, in bytes.
  init(most: Int = 64 << 20, size: @escaping @Sendable (Value) -> Int) {
    self.most = most
    self.size = size
  }

  /// What is kept, in bytes.
  var keptSize: Int { state.withLock { $0.size } }

  /// The copy of that moment; without one what `make` makes.
  /// - Parameter moment: what the database is now; nil where that is not known.
  func value(
    of question: CopyQuestion, at moment: Moment?,
    _ make: @escaping @Sendable () async throws -> Dated
  ) async throws -> Value {
    guard let moment else { return try await make().value }
    switch step(question, moment, make) {
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
    _ question: CopyQuestion, _ moment: Moment,
    _ make: @escaping @Sendable () async throws -> Dated
  ) -> Step {
    state.withLock { state in
      if let copy = state.copies[question], copy.moment == moment { return .found(copy.value) }
      guard let making = state.making[question] else {
        let task = task(question, after: nil, make)
        state.making[question] = Making(moment: moment, task: task)
        return .makes(task)
      }
      if making.moment == moment { return .waits(making.task) }
      // What is being made is of before this question. The next is begun when it is done, for all who have asked by then.
      if let next = making.next { return .waits(next) }
      let task = task(question, after: making.task, make)
      state.making[question]?.next = task
      return .makes(task)
    }
  }

  private func task(
    _ question: CopyQuestion, after previous: Task<Value, any Error>?,
    _ make: @escaping @Sendable () async throws -> Dated
  ) -> Task<Value, any Error> {
    Task {
      _ = await previous?.result
      defer { self.end(question) }
      let made = try await make()
      self.keep(made, question)
      return made.value
    }
  }

  private func end(_ question: CopyQuestion) {
    state.withLock { state in
      // Of which moment the next will be nobody knows yet.
      state.making[question] = state.making[question]?.next.map { Making(moment: nil, task: $0) }
    }
  }

  private func keep(_ made: Dated, _ question: CopyQuestion) {
    // It may have been made of a later moment than the one that it was asked at.
    guard let moment = made.moment else { return }
    let copy = Copy(
      moment: moment, value: made.value, size: size(made.value) + question.address.utf8.count)
    guard copy.size < most / 4 else { return }
    state.withLock { state in
      if state.size + copy.size > most {
        // Those of earlier moments are shown to nobody any more.
        state.copies = state.copies.filter { $0.value.moment == moment }
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
  /// With what is asked.
  let address: String
}

extension CopyQuestion {
  init(_ visitor: Gate.Visitor, _ request: Request) {
    self.init(
      scope: visitor.admission.scope, readsLists: visitor.admission.readsLists,
      address: request.uri.string)
  }
}
