import Foundation
import Logging
import Metrics
import Postgres
import Synchronization

/// Takes jobs and does them, some at a time, until it is told to go home.
///
/// ```swift
/// let worker = Worker(jobs, queues: ["letters"], handlers: ["send-letter": { claim in … }])
/// try await worker.run()
/// ```
///
/// It hears of new jobs at once (`LISTEN`), and looks by itself now and then. Its heartbeats say that it is alive; in the
/// same breath it puts back the jobs of workers that are not, makes what schedules are due, and forgets old jobs.
public struct Worker: Sendable {
  /// Does a job; when it returns the job is done, unless it was noted already.
  public typealias Handler = @Sendable (Claim) async throws -> Void
  /// Hears of a failure, and what became of the job.
  public typealias Failed = @Sendable (Job, any Error, Job.State) -> Void

  let jobs: Jobs
  /// The sessions of its pool should be recorded as its own (``ConnectionSettings/sessions(of:)``), so that whoever takes over
  /// can end them.
  public let name: String
  let settings: Settings
  let handlers: [String: Handler]
  let failed: Failed
  let listening: ConnectionSettings?
  let schedules: Schedules?
  let logger: Logger?

  public struct Settings: Sendable, Hashable {
    public var queues: [String]
    /// How many jobs it does at a time.
    public var size: Int
    /// How often it looks without being told.
    public var pollInterval: Duration
    /// How long jobs in hand may go on once it is told to go home.
    public var drainLimit: Duration
    /// Whether it goes home when nothing of its queues waits or is in anybody's hands, and fails when it cannot take jobs.
    public var leavesWhenOver: Bool

    public init(
      queues: [String] = ["default"], size: Int = 4, pollInterval: Duration = .seconds(1),
      drainLimit: Duration = .seconds(30), leavesWhenOver: Bool = false
    ) {
      self.queues = queues
      self.size = size
      self.pollInterval = pollInterval
      self.drainLimit = drainLimit
      self.leavesWhenOver = leavesWhenOver
    }
  }

  /// - Parameters:
  ///   - handlers: by the kind of job; jobs of other kinds are left to others.
  ///   - listening: how to open the session that listens; nil for looking now and then only.
  public init(
    _ jobs: Jobs, name: String = Worker.newName(), settings: Settings = Settings(),
    handlers: [String: Handler], failed: @escaping Failed = { _, _, _ in },
    listening: ConnectionSettings? = nil, schedules: Schedules? = nil, logger: Logger? = nil
  ) {
    self.jobs = jobs
    self.name = name
    self.settings = settings
    self.handlers = handlers
    self.failed = failed
    self.listening = listening
    self.schedules = schedules
    self.logger = logger
  }

  /// A name nobody else has: the machine, the process, a number (a process's own number comes again after a reboot).
  public static func newName() -> String {
    let host = ProcessInfo.processInfo.hostName.prefix(24)
    let once = String(UInt32.random(in: 0...UInt32.max), radix: 36)
    return "worker \(host)-\(ProcessInfo.processInfo.processIdentifier)-\(once)"
  }

  /// A job that the worker has taken.
  public struct Claim: Sendable {
    public let job: Job
    public let jobs: Jobs
    public let worker: String
    fileprivate let noted = Noted()

    /// Notes, in the transaction of the work, that the job is done: then the work is done once.
    /// - Throws: ``LostJob``.
    public func complete(_ outcome: JobOutcome = JobOutcome(), in tx: borrowing Transaction)
      async throws
    {
      try await jobs.complete(job, as: worker, outcome, in: tx)
      noted.isNoted.store(true, ordering: .relaxed)
    }
  }

  fileprivate final class Noted: Sendable {
    let isNoted = Atomic(false)
  }

  // MARK: Working

  /// Works until ``Shift/end()`` of the given shift, or until the task is cancelled. Jobs in hand are finished first, for as
  /// long as the drain limit allows; the rest is put back.
  public func run(_ shift: Shift = Shift()) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await listen(shift) }
      group.addTask { try await tend(shift) }
      // A task of its own, which outlives a cancellation: what is done is noted before the worker goes.
      let notary = Task { await noteDone(shift) }
      let taking = await withTaskGroup(of: Void.self) { hands in
        let taking = await takeJobs(shift, &hands)
        await drain(shift)
        for await _ in hands {}
        return taking
      }
      shift.finish()
      await notary.value
      // Not in this task, which may have been cancelled.
      await Task { try? await jobs.retire(name) }.value
      group.cancelAll()
      try taking.get()
      while let outcome = await group.nextResult() {
        if case .failure(let error) = outcome, !Self.isCancellation(error) { throw error }
      }
    }
  }

  private func takeJobs(_ shift: Shift, _ hands: inout TaskGroup<Void>) async -> Result<
    Void, any Error
  > {
    for await _ in shift.signals {
      do {
        while !shift.isOver, shift.free(of: settings.size) > 0 {
          let taken = try await jobs.take(
            shift.free(of: settings.size), of: settings.queues, kinds: Array(handlers.keys),
            as: name)
          for job in taken { begin(job, shift, &hands) }
          if settings.leavesWhenOver, taken.isEmpty, try await jobs.isOver(settings.queues) {
            return .success(())
          }
          if taken.count < settings.size { break }
        }
      } catch {
        if settings.leavesWhenOver { return .failure(error) }
        logger?.warning("no jobs can be taken: \(error)")
      }
      if shift.isOver || Task.isCancelled { break }
    }
    return .success(())
  }

  private func begin(_ job: Job, _ shift: Shift, _ hands: inout TaskGroup<Void>) {
    let task = Task { await perform(job, shift) }
    shift.began(job, task)
    hands.addTask {
      await task.value
      shift.ended(job)
    }
  }

  private func perform(_ job: Job, _ shift: Shift) async {
    let claim = Claim(job: job, jobs: jobs, worker: name)
    let start = ContinuousClock.now
    do {
      guard let handler = handlers[job.kind] else { return }
      try await within(job.timeLimit) { try await handler(claim) }
      if !claim.noted.isNoted.load(ordering: .relaxed) { shift.done(job) }
      report(job, "done", since: start)
    } catch {
      // Not in this task, which may have been cancelled.
      await Task { await settle(job, error, shift) }.value
      report(job, error is LostJob ? "lost" : "failed", since: start)
    }
  }

  private func settle(_ job: Job, _ error: any Error, _ shift: Shift) async {
    do {
      if Self.isCancellation(error), shift.isSentHome(job) {
        try await jobs.putBack(job, as: name)
      } else if Self.isLostServer(error), job.attempts < Self.mostAttempts {
        try await jobs.putBack(job, as: name, for: jobs.policy.backoff)
      } else {
        let state = try await jobs.fail(job, as: name, Self.describe(error))
        if let state { failed(job, error, state) }
        logger?.warning(
          "job \(job.id) (\(job.kind)) failed, now \(state?.rawValue ?? "another's"): \(error)")
      }
    } catch {
      // The lease will run out.
      logger?.warning("that job \(job.id) ended could not be noted: \(error)")
    }
  }

  /// - Throws: ``JobTimeOut``.
  private func within(_ seconds: Int?, _ body: @Sendable @escaping () async throws -> Void)
    async throws
  {
    guard let seconds else { return try await body() }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        try await body()
        return true
      }
      group.addTask {
        try await Task.sleep(for: .seconds(seconds))
        return false
      }
      defer { group.cancelAll() }
      let isDone = try await group.next() ?? true
      guard isDone else { throw JobTimeOut(seconds: seconds) }
    }
  }

  private func report(_ job: Job, _ outcome: String, since start: ContinuousClock.Instant) {
    let dimensions = [("kind", job.kind), ("outcome", outcome)]
    Counter(label: "rollup_jobs", dimensions: dimensions).increment()
    Metrics.Timer(label: "rollup_job_seconds", dimensions: dimensions)
      .record(duration: ContinuousClock.now - start)
    if let taken = job.takenAt {
      let waited = taken.microseconds - max(job.createdAt.microseconds, job.notBefore.microseconds)
      Metrics.Timer(label: "rollup_job_wait_seconds", dimensions: [("kind", job.kind)])
        .record(duration: .microseconds(waited))
    }
  }

  static func isCancellation(_ error: any Error) -> Bool {
    error is CancellationError || (error as? PostgresError)?.kind == .cancelled
  }

  /// That the server was restarted, or the session ended, is no failure of the job; unless it happens to it again and again.
  private static func isLostServer(_ error: any Error) -> Bool {
    switch (error as? PostgresError)?.kind {
    case .connectionLost, .connectionFailed, .commitUnknown: true
    default: false
    }
  }

  private static let mostAttempts = 50

  private static func describe(_ error: any Error) -> String { String("\(error)".prefix(2000)) }

  // MARK: Going home

  private func drain(_ shift: Shift) async {
    let deadline = ContinuousClock.now + settings.drainLimit
    while shift.free(of: settings.size) < settings.size, ContinuousClock.now < deadline,
      !Task.isCancelled
    {
      try? await Task.sleep(for: .milliseconds(20))
    }
    shift.sendHome()
  }

  // MARK: Beside the work

  private func listen(_ shift: Shift) async throws {
    while true {
      if let listening {
        do {
          let connection = try await Connection.connect(listening)
          try await connection.listen(to: Jobs.channel)
          while true {
            let heard = try await connection.notifications(within: settings.pollInterval)
            if heard.isEmpty || heard.contains(where: { settings.queues.contains($0.payload) }) {
              shift.signal()
            }
          }
        } catch  where Self.isCancellation(error) {
          throw error
        } catch {
          logger?.warning("the session that listens was lost: \(error)")
        }
      }
      try await Task.sleep(for: settings.pollInterval)
      shift.signal()
    }
  }

  private func tend(_ shift: Shift) async throws {
    var beats = 0
    while true {
      do {
        if beats % 40 == 39 { try await jobs.prune() }
        try await schedules?.makeDue()
        let (mine, cancelled) = try await jobs.heartbeat(name)
        shift.keep(mine, cancelled: cancelled)
        try await jobs.rescue(by: name)
      } catch  where Self.isCancellation(error) {
        throw error
      } catch {
        logger?.warning("no heartbeat: \(error)")
      }
      beats += 1
      try await Task.sleep(for: min(jobs.policy.lease / 4, .seconds(5)))
    }
  }

  /// Notes jobs that are done, as many as have gathered, in one statement; a last time when the shift is finished.
  private func noteDone(_ shift: Shift) async {
    for await _ in shift.doneSignals {
      do { try await flush(shift) } catch {
        logger?.warning("jobs that are done could not be noted: \(error)")
        try? await Task.sleep(for: .milliseconds(100))
        shift.signalDone()
      }
    }
    try? await flush(shift)
  }

  private func flush(_ shift: Shift) async throws {
    let done = shift.takeDone()
    guard !done.isEmpty else { return }
    do {
      try await jobs.pool.transaction(.readCommitted, retrying: .standard) { tx in
        _ = try await tx.commit(after: [Jobs.completion(done, name)])
      }
    } catch {
      shift.putBackDone(done)
      throw error
    }
  }
}

/// An attempt took longer than the job allows.
public struct JobTimeOut: Error, Hashable, CustomStringConvertible {
  public let seconds: Int
  public var description: String { "not done within \(seconds) seconds" }
}
