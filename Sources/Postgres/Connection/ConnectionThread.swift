import Foundation

/// A thread on which one actor runs and no other.
///
/// libpq waits for the server by blocking. On the threads that Swift's tasks share that would
/// starve every other task, so a connection has its own. It was also the fastest of the bridges
/// measured.
///
/// Unchecked: `jobs` and `isStopped` are only touched under `condition`.
final class ConnectionThread: SerialExecutor, @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [UnownedJob] = []
  private var isStopped = false

  init(name: String) {
    let thread = Thread { [self] in run() }
    thread.name = name
    thread.stackSize = 1 << 20
    thread.start()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    condition.lock()
    jobs.append(job)
    condition.unlock()
    condition.signal()
  }

  /// Lets the thread end once nothing is left to run. Called when the actor is gone.
  func stop() {
    condition.lock()
    isStopped = true
    condition.unlock()
    condition.signal()
  }

  private func run() {
    while let batch = next() {
      for job in batch { job.runSynchronously(on: asUnownedSerialExecutor()) }
    }
  }

  /// The jobs that wait, in order; nil when there will be none any more.
  private func next() -> [UnownedJob]? {
    condition.lock()
    defer { condition.unlock() }
    while jobs.isEmpty, !isStopped { condition.wait() }
    guard !jobs.isEmpty else { return nil }
    defer { jobs.removeAll(keepingCapacity: true) }
    return jobs
  }
}
