import Foundation

/// A value that is only touched under a lock.
///
/// On Foundation's lock rather than `Synchronization.Mutex`, which the thread sanitiser cannot see:
/// it took every access to a pool for a race.
///
/// Unchecked: `value` is only touched by ``withLock(_:)``, which holds `lock`, and what is handed out
/// must be Sendable.
final class Locked<Value: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  private var value: Value

  init(_ value: Value) { self.value = value }

  func withLock<Result: Sendable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
