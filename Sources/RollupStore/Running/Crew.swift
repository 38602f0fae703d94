import Foundation
import Postgres
import Synchronization

/// Workers of this process on a run, beside those of other machines.
public struct Crew: Sendable {
  public let runs: Runs
  public let run: Run
  /// One name a worker: the machine, the process, a number.
  public let workers: [String]

  public init(_ runs: Runs, on run: Run, size: Int) {
    self.runs = runs
    self.run = run
    let process = "\(ProcessInfo.processInfo.hostName)-\(ProcessInfo.processInfo.processIdentifier)"
    // A process number comes again after a reboot.
    let once = String(UInt32.random(in: 0...UInt32.max), radix: 36)
    workers = (1...max(1, size)).map { "\(process)-\(once)-\($0)" }
  }

  /// A chunk that a worker has taken.
  public struct Claim: Sendable {
    public let chunk: RunChunk
    let run: Int64
    let worker: String
    let runs: Runs

    /// Notes, in the transaction of the work, that the chunk is done.
    /// - Throws: ``LostChunk``.
    public func complete(_ derived: Derived, found: Int = 0, in tx: borrowing Transaction)
      async throws
    {
      try await runs.complete(chunk, of: run, as: worker, derived, found: found, in: tx)
    }
  }

  /// Something the crew has to say.
  public enum Event: Sendable {
    case done(RunChunk)
    case failed(RunChunk, String, isAside: Bool)
  }

  /// Works until every chunk is done or set aside, whoever does them, or until it is told to stop.
  /// - Parameters:
  ///   - shouldStop: asked between chunks.
  ///   - pace: called before each chunk with how many subjects it has.
  ///   - work: does a chunk and calls ``Claim/complete(_:in:)`` in the transaction that does it.
  public func work(
    shouldStop: @Sendable @escaping () -> Bool = { false },
    pace: @Sendable @escaping (RunChunk) async throws -> Void = { _ in },
    report: @Sendable @escaping (Event) -> Void = { _ in },
    _ work: @Sendable @escaping (Claim, Connection) async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        while true {
          do { try await Task.sleep(for: runs.policy.lease / 4) } catch { return false }
          // A heartbeat that is not heard is one of several; the server's end is noticed by the workers.
          try? await runs.heartbeat(run.number, workers)
        }
      }
      for worker in workers {
        group.addTask {
          try await go(worker, shouldStop, pace, report, work)
          return true
        }
      }
      var left = workers.count
      while left > 0, let isWorker = try await group.next() {
        if isWorker { left -= 1 }
      }
      group.cancelAll()
    }
  }

  private func go(
    _ worker: String, _ shouldStop: () -> Bool, _ pace: (RunChunk) async throws -> Void,
    _ report: (Event) -> Void, _ work: (Claim, Connection) async throws -> Void
  ) async throws {
    while !shouldStop() {
      let chunk = try await runs.pool.withConnection { connection -> RunChunk? in
        guard let chunk = try await runs.take(run.number, as: worker, on: connection) else {
          return nil
        }
        do {
          try await pace(chunk)
          try await work(
            Claim(chunk: chunk, run: run.number, worker: worker, runs: runs), connection)
          report(.done(chunk))
        } catch is LostChunk {
          // Whoever has it does it.
        } catch is CancellationError {
          throw CancellationError()
        } catch {
          try await fail(chunk, worker, "\(error)", report)
        }
        return chunk
      }
      if chunk != nil { continue }
      if try await runs.progress(run.number).isOver { return }
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  private func fail(
    _ chunk: RunChunk, _ worker: String, _ error: String, _ report: (Event) -> Void
  ) async throws {
    let isAside = try await runs.fail(chunk, of: run.number, as: worker, error)
    report(.failed(chunk, error, isAside: isAside))
  }
}
