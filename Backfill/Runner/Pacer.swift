import Foundation

/// Keeps a backfill below a rate.
public actor Pacer {
  /// Patients a second, of all workers of this process; nil for as fast as it goes.
  private let rate: Double?
  private var next = ContinuousClock.now

  public init(rate: Double? = nil) { self.rate = rate }

  /// Waits until a chunk may begin.
  func wait(for subjects: Int) async throws {
    guard let rate, rate > 0 else { return }
    let begin = max(next, .now)
    next = begin + .seconds(Double(subjects) / rate)
    try await Task.sleep(until: begin)
  }
}
