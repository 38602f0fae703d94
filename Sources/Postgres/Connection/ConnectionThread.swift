import Foundation

/// A thread of its own for one connection, as an actor's executor: libpq's blocking calls wait here, never on one of the
/// few threads that all of Swift's tasks share. (Of the bridges measured this was the fastest: docs/decisions/001.)
///
/// Unchecked: `jobs` and `stopped` are touched only with `condition` locked.
final class ConnectionThread: SerialExecutor, @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [UnownedJob] = []
  private var stopped = false

  init() {
    let thread = Thread { [weak self] in
      while let job = self?.next() { job() }
    }
    thread.stackSize = 512 << 10
    thread.name = "postgres"
    thread.start()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    condition.withLock {
      jobs.append(job)
      condition.signal()
    }
  }

  /// The thread ends when all that was enqueued has run.
  func stop() {
    condition.withLock {
      stopped = true
      condition.signal()
    }
  }

  private func next() -> (() -> Void)? {
    condition.lock()
    defer { condition.unlock() }
    while jobs.isEmpty && !stopped { condition.wait() }
    guard !jobs.isEmpty else { return nil }
    let job = jobs.removeFirst()
    return { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }
}
