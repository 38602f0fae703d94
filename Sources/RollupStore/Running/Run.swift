import Foundation
import Postgres

/// A piece of long work that is a row, in chunks that are rows (`Migrations/0005_runs.sql`).
public struct Run: Hashable, Sendable {
  public let number: Int64
  public let kind: String
  /// What was asked for, as JSON with sorted keys.
  public let task: String
  public let createdAt: Timestamp
  public let createdBy: String
  public let finishedAt: Timestamp?
}

/// The unit of work that is committed together, and taken by one worker at a time.
public struct RunChunk: Hashable, Sendable {
  public var number: Int
  /// Chunks of a step are taken when all of the steps before are over.
  public var step: Int
  public var what: String
  public var scope: Scope
  /// How many subjects, about.
  public var subjects: Int
  /// Which attempt this is, from 1; with the worker's name it says whose the chunk is.
  public var attempts = 0

  public enum Scope: Hashable, Sendable {
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
  /// Workers that were alive in the last lease.
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
