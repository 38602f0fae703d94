import PeriodRollups
import Synchronization

/// Carries plans out in this process: the chunks of a level side by side, as many at a time as its size says, over the
/// projector's pool.
public struct InProcess: Engine {
  public var size: Int

  public init(size: Int = 4) { self.size = max(1, size) }

  public func begin(_ plan: Plan, for projector: Projector) async throws -> any Undertaking {
    let tally = LocalTally()
    let task = Task { try await carryOut(plan, projector, tally) }
    return LocalUndertaking(task: task, tally: tally)
  }

  private func carryOut(_ plan: Plan, _ projector: Projector, _ tally: LocalTally) async throws {
    for level in 0..<plan.levels {
      var chunks: [ProjectionChunk] = []
      for stage in plan.stages(of: level) { chunks += try await projector.chunks(of: stage) }
      tally.add { $0.chunks += chunks.count }
      try await derive(chunks, projector, tally)
    }
    tally.add { $0.isOver = true }
  }

  private func derive(
    _ chunks: [ProjectionChunk], _ projector: Projector, _ tally: LocalTally
  ) async throws {
    try await withThrowingTaskGroup(of: JobOutcome.self) { group in
      var rest = chunks[...]
      while let chunk = rest.popFirst() {
        if chunks.count - rest.count > size, let outcome = try await group.next() {
          tally.add(outcome)
        }
        group.addTask { try await projector.derive(chunk) }
      }
      for try await outcome in group { tally.add(outcome) }
    }
  }
}

private final class LocalTally: Sendable {
  private let progress = Mutex(ProjectionProgress())

  func add(_ change: (inout ProjectionProgress) -> Void) { progress.withLock { change(&$0) } }

  func add(_ outcome: JobOutcome) {
    add {
      $0.done += 1
      $0.written += outcome.written
      $0.removed += outcome.removed
      $0.emitted += outcome.emitted
    }
  }

  var now: ProjectionProgress { progress.withLock { $0 } }
}

private struct LocalUndertaking: Undertaking {
  let task: Task<Void, any Error>
  let tally: LocalTally

  func wait() async throws {
    try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  func progress() async throws -> ProjectionProgress { tally.now }
  func cancel() async throws { task.cancel() }
}
