import PeriodRollups

/// Who carries out a plan.
public protocol Engine: Sendable {
  /// Begins it and returns at once.
  func begin(_ plan: Plan, for projector: Projector) async throws -> any Undertaking
}

/// A plan that is being carried out.
public protocol Undertaking: Sendable {
  /// Waits for its end.
  /// - Throws: ``ProjectionFailed``; `CancellationError` when it was cancelled.
  func wait() async throws
  /// How far it is.
  func progress() async throws -> ProjectionProgress
  /// Stops it; chunks that are done stay done.
  func cancel() async throws
}

/// How far a plan is.
public struct ProjectionProgress: Sendable, Hashable {
  /// Chunks that are known of; those of a later level are found when it begins.
  public var chunks = 0
  public var done = 0
  public var written = 0
  public var removed = 0
  /// Actions noted.
  public var emitted = 0
  public var isOver = false
  public init() {}
}

/// A projection that is being materialised.
public struct Projecting<P: Projectable>: Sendable {
  let undertaking: any Undertaking
  let result: ProjectedRows<P>

  /// Waits, and gives the rows.
  public func rows() async throws -> ProjectedRows<P> {
    try await undertaking.wait()
    return result
  }

  public func progress() async throws -> ProjectionProgress { try await undertaking.progress() }
  public func cancel() async throws { try await undertaking.cancel() }
}

/// A projection could not be materialised; what was committed before stays, and is right.
public struct ProjectionFailed: Error, CustomStringConvertible {
  public let target: String
  /// Why, a line for each chunk that failed; ids only.
  public let reasons: [String]
  public var description: String {
    "'\(target)' could not be materialised: \(reasons.joined(separator: "; "))"
  }
}
