/// Lets tasks that work at the same time finish in order.
actor Turns {
  private var place = 0
  private var isStopped = false
  private var waiting: [Int: CheckedContinuation<Void, any Error>] = [:]

  /// Waits until all before this place are done.
  /// - Throws: `CancellationError` when one of them failed.
  func wait(for place: Int) async throws {
    if isStopped { throw CancellationError() }
    if place <= self.place { return }
    try await withCheckedThrowingContinuation { waiting[place] = $0 }
  }

  /// The one whose turn it was is done.
  func next() {
    place += 1
    waiting.removeValue(forKey: place)?.resume()
  }

  /// One failed: those that wait for it give up.
  func stop() {
    isStopped = true
    for (_, one) in waiting { one.resume(throwing: CancellationError()) }
    waiting = [:]
  }
}
