import CLibPQ
import Foundation

/// Cancels the statement that is running, and none after it.
///
/// Unchecked: `pointer` is set once; PQcancel may be called from any thread (manual, 34.7), and `armed` is touched
/// only with `lock` held.
final class Canceller: @unchecked Sendable {
  private let pointer: OpaquePointer?
  private let lock = NSLock()
  private var armed = false

  init(_ connection: OpaquePointer) { pointer = PQgetCancel(connection) }
  deinit { PQfreeCancel(pointer) }

  /// From here to ``disarm()`` a statement may be cancelled. Called by the connection's own thread.
  func arm() { lock.withLock { armed = true } }

  /// Waits for a request that is under way, so that it cannot hit the next statement.
  func disarm() { lock.withLock { armed = false } }

  /// Asks the server to cancel, on a thread that may wait for it.
  func cancel() {
    DispatchQueue.global().async { [self] in
      lock.withLock {
        guard armed, let pointer else { return }
        var reason = [CChar](repeating: 0, count: 256)
        _ = PQcancel(pointer, &reason, Int32(reason.count))
      }
    }
  }
}
