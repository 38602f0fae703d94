import Foundation
import Synchronization

/// A worker's time at work: what it has in hand, and whether it is over.
public final class Shift: Sendable {
  private struct State {
    var hands: [Int64: Task<Void, Never>] = [:]
    var sentHome: Set<Int64> = []
    var done: [Job] = []
    var isOver = false
  }

  private let state = Mutex(State())
  /// One for each time that there may be something to take.
  let signals: AsyncStream<Void>
  private let signalling: AsyncStream<Void>.Continuation
  /// One for each time that something is done.
  let doneSignals: AsyncStream<Void>
  private let doneSignalling: AsyncStream<Void>.Continuation

  public init() {
    (signals, signalling) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    (doneSignals, doneSignalling) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    signal()
  }

  /// Takes no more jobs; those in hand are finished.
  public func end() {
    state.withLock { $0.isOver = true }
    signal()
  }

  var isOver: Bool { state.withLock { $0.isOver } }

  func signal() { signalling.yield() }
  func signalDone() { doneSignalling.yield() }

  func finish() {
    signalling.finish()
    doneSignalling.finish()
  }

  // MARK: What is in hand

  func free(of size: Int) -> Int { state.withLock { size - $0.hands.count } }

  func began(_ job: Job, _ task: Task<Void, Never>) { state.withLock { $0.hands[job.id] = task } }

  func ended(_ job: Job) {
    state.withLock {
      $0.hands[job.id] = nil
      $0.sentHome.remove(job.id)
    }
    signal()
  }

  /// Stops what is no longer the worker's, or was cancelled.
  func keep(_ mine: Set<Int64>, cancelled: Set<Int64>) {
    state.withLock { state in
      // One that was taken after the question was asked is not in the answer: only cancelled ones are sure.
      for (id, task) in state.hands where cancelled.contains(id) { task.cancel() }
    }
  }

  /// Stops everything in hand, to be put back.
  func sendHome() {
    state.withLock { state in
      for (id, task) in state.hands {
        state.sentHome.insert(id)
        task.cancel()
      }
    }
  }

  func isSentHome(_ job: Job) -> Bool { state.withLock { $0.sentHome.contains(job.id) } }

  // MARK: What is done

  func done(_ job: Job) {
    state.withLock { $0.done.append(job) }
    signalDone()
  }

  func takeDone() -> [Job] {
    state.withLock { state in
      defer { state.done.removeAll() }
      return state.done
    }
  }

  func putBackDone(_ jobs: [Job]) { state.withLock { $0.done.insert(contentsOf: jobs, at: 0) } }
}
