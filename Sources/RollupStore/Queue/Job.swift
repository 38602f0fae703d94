import Foundation
import Postgres

/// Work that is asked for: a row that a worker on any machine takes (`Migrations/0007_jobs.sql`).
///
/// ```swift
/// try await jobs.enqueue(NewJob("send-letter", Letter(to: patient), queue: "letters"), in: tx)
/// ```
public struct NewJob: Sendable, Hashable {
  /// Which handler does it.
  public var kind: String
  /// JSON.
  public var arguments: String
  public var queue: String
  /// Smaller goes first.
  public var priority: Int
  /// Not before this time; nil for at once.
  public var notBefore: Timestamp?
  /// As long as a job of the kind with this key has not begun, no other is made.
  public var uniqueKey: String?
  /// Jobs that have to be done first.
  public var needs: [Int64]
  /// How often it may fail before it is set aside.
  public var maxFailures: Int
  /// Seconds after which an attempt is given up; nil for no limit.
  public var timeLimit: Int?
  /// The work that it is a part of, and how much of it.
  public var run: Int64?
  public var weight: Int
  /// From 1: it is taken when the jobs of the steps before are over, in its queue; 0 for no steps.
  public var step: Int

  public init(
    _ kind: String, arguments: String = "{}", queue: String = "default", priority: Int = 0,
    notBefore: Timestamp? = nil, uniqueKey: String? = nil, needs: [Int64] = [],
    maxFailures: Int = 5, timeLimit: Int? = nil, run: Int64? = nil, weight: Int = 0, step: Int = 0
  ) {
    self.kind = kind
    self.arguments = arguments
    self.queue = queue
    self.priority = priority
    self.notBefore = notBefore
    self.uniqueKey = uniqueKey
    self.needs = needs
    self.maxFailures = maxFailures
    self.timeLimit = timeLimit
    self.run = run
    self.weight = weight
    self.step = step
  }

  /// - Throws: what encoding the arguments throws.
  public init(_ kind: String, _ arguments: some Encodable, queue: String = "default") throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    self.init(
      kind, arguments: String(decoding: try encoder.encode(arguments), as: UTF8.self), queue: queue)
  }
}

/// A job as it stands.
public struct Job: Sendable, Hashable {
  public let id: Int64
  public let queue: String
  public let kind: String
  /// JSON.
  public let arguments: String
  public let priority: Int
  public let state: State
  public let run: Int64?
  /// Which attempt this is, from 1; with the worker's name it says whose the job is.
  public let attempts: Int
  public let failures: Int
  public let timeLimit: Int?
  public let createdAt: Timestamp
  public let notBefore: Timestamp
  public let takenAt: Timestamp?
  public let doneAt: Timestamp?
  public let worker: String?
  public let error: String?

  public enum State: String, Sendable, Hashable, CaseIterable {
    /// Jobs that it needs are not done.
    case blocked
    case waiting
    case taken
    case done
    /// It has failed too often.
    case aside
    case cancelled
  }

  /// The arguments, read.
  public func decode<Arguments: Decodable>(_: Arguments.Type = Arguments.self) throws -> Arguments {
    try JSONDecoder().decode(Arguments.self, from: Data(arguments.utf8))
  }

  static let columns = """
    j.id, j.queue, j.kind, j.arguments::text, j.priority::bigint, j.state, j.run, j.attempts::bigint, \
    j.failures::bigint, j.time_limit::bigint, j.created_at, j.not_before, j.taken_at, j.done_at, j.worker, j.error
    """

  init(_ row: Row) throws {
    id = try row.decode(0)
    queue = try row.decode(1)
    kind = try row.decode(2)
    arguments = try row.decode(3)
    priority = try row.decode(4)
    state = State(rawValue: try row.decode(5)) ?? .aside
    run = try row.decode(6)
    attempts = try row.decode(7)
    failures = try row.decode(8)
    timeLimit = try row.decode(9)
    createdAt = try row.decode(10)
    notBefore = try row.decode(11)
    takenAt = try row.decode(12)
    doneAt = try row.decode(13)
    worker = try row.decode(14)
    error = try row.decode(15)
  }
}

/// Another worker has taken the job over; nothing that was done for it in a transaction with ``Claim/complete(_:in:)`` was
/// committed.
public struct LostJob: Error, Hashable, CustomStringConvertible {
  public let id: Int64
  public var description: String { "job \(id) was taken over by another worker" }
}

/// How jobs are handed out.
public struct JobPolicy: Hashable, Sendable {
  /// How long a worker may be silent before it is taken for dead.
  public var lease: Duration
  /// How long a failed job waits, twice as long each time, at most an hour.
  public var backoff: Duration
  /// How long done and cancelled jobs are kept.
  public var history: Duration

  public init(
    lease: Duration = .seconds(30), backoff: Duration = .seconds(1),
    history: Duration = .seconds(7 * 86_400)
  ) {
    self.lease = lease
    self.backoff = backoff
    self.history = history
  }
}

/// What an attempt did, for the record.
public struct JobOutcome: Sendable, Hashable {
  public var written = 0
  public var removed = 0
  public var emitted = 0
  /// Differences that a verification found.
  public var found = 0
  /// Of a chunk of projections, by the projection's name.
  public var parts: [String: Part] = [:]
  public init() {}

  /// As JSON; nil without any.
  var partsText: String? {
    guard !parts.isEmpty, let data = try? JSONEncoder().encode(parts) else { return nil }
    return String(decoding: data, as: UTF8.self)
  }

  /// What one of several projections has done.
  public struct Part: Sendable, Hashable, Codable {
    public var written: Int
    public var removed: Int
    public var emitted: Int
    /// In the database, for what is derived there.
    public var seconds: Double
  }

  public init(_ derived: Derived, found: Int = 0) {
    (written, removed) = (derived.written, derived.removed)
    self.found = found
  }
}
