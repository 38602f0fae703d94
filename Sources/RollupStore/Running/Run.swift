import Foundation
import Postgres

/// A piece of long work that is a row, in chunks that are jobs (`Migrations/0005_runs.sql`, `0008_runs_are_jobs.sql`).
public struct Run: Hashable, Sendable {
  public let number: Int64
  public let kind: String
  /// What was asked for, as JSON with sorted keys.
  public let task: String
  public let createdAt: Timestamp
  public let createdBy: String
  public let finishedAt: Timestamp?

  /// That of its chunks: whoever works on the run takes from it.
  var queue: String { "run \(number)" }
}

/// The unit of work that is committed together: what a job of a run is asked.
public struct RunChunk: Hashable, Sendable, Codable {
  public var number: Int
  /// Chunks of a step are taken when all of the steps before are over.
  public var step: Int
  public var what: String
  public var scope: Scope
  /// How many subjects, about.
  public var subjects: Int
  /// Which attempt this is, from 1.
  public var attempts = 0

  private enum CodingKeys: String, CodingKey { case number, step, what, scope, subjects }

  public enum Scope: Hashable, Sendable, Codable {
    /// Keys as text; nil where there is no bound.
    case bounds(first: String?, end: String?)
    case subjects([String])
  }

  public init(number: Int, step: Int, what: String, scope: Scope, subjects: Int) {
    self.number = number
    self.step = step
    self.what = what
    self.scope = scope
    self.subjects = subjects
  }

  init(_ job: Job) throws {
    self = try job.decode()
    attempts = job.attempts
  }

  func job(of run: Run) throws -> NewJob {
    var job = try NewJob(run.kind, self, queue: run.queue)
    (job.run, job.weight, job.step) = (run.number, subjects, step)
    return job
  }
}

/// How far a run is.
public struct RunProgress: Hashable, Sendable, Encodable {
  public var chunks = 0
  public var waiting = 0
  public var taken = 0
  public var done = 0
  /// Set aside after too many failures.
  public var aside = 0
  /// Attempts beyond the first of each chunk.
  public var retries = 0
  /// Chunks in hand of workers that were heard of in the last lease.
  public var workers = 0
  /// How many subjects the run is about: those of the step with most.
  public var subjects = 0
  /// Weighed by subjects, over all steps: each may come more than once.
  public var total = 0
  public var completed = 0
  public var written = 0
  public var removed = 0
  /// Differences that a verification found.
  public var found = 0
  /// Seconds from the first chunk that was taken to the last that was done.
  public var seconds = 0.0

  public var isOver: Bool { waiting + taken == 0 }
  /// From 0 to 1.
  public var part: Double { total > 0 ? Double(completed) / Double(total) : 1 }
  public init() {}
}

/// A chunk that was set aside, and why.
public struct FailedChunk: Hashable, Sendable {
  public let number: Int
  public let what: String
  public let failures: Int
  public let error: String
}
