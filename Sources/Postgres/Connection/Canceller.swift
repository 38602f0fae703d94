import CLibPQ
import Foundation

/// Cancels the statement that a connection is executing, and never another.
///
/// A cancellation goes to the server over a connection of its own and hits whatever the session is
/// executing when it arrives. So a statement is *armed* before it is sent and *disarmed* after it
/// has ended, and disarming waits for a cancellation that is on its way: the next statement begins
/// when nothing can hit it any more. A session that executes nothing ignores a cancellation, which
/// is also why one is repeated for as long as the statement lasts: the first may come before the
/// statement does.
///
/// Unchecked: every variable is only touched under `condition`, and `PQcancel` may be called from
/// any thread with the same `PGcancel` (libpq's manual, 34.7).
final class Canceller: @unchecked Sendable {
  private let condition = NSCondition()
  private var handle: OpaquePointer?
  private var lastTicket = 0
  /// The statement that is being executed.
  private var armed: Int?
  private var isRequested = false
  /// Whether a cancellation is on its way.
  private var isCalling = false

  /// How long a statement is given to end before the cancellation is repeated.
  private static let patience: TimeInterval = 0.1

  deinit {
    if let handle { PQfreeCancel(handle) }
  }

  /// To be called once, when there is a connection.
  func attach(_ connection: OpaquePointer) {
    condition.lock()
    handle = PQgetCancel(connection)
    condition.unlock()
  }

  /// - Returns: the ticket by which the statement that is about to be sent can be cancelled.
  func arm() -> Int {
    condition.lock()
    defer { condition.unlock() }
    lastTicket += 1
    armed = lastTicket
    isRequested = false
    return lastTicket
  }

  /// - Returns: whether somebody wanted to cancel the statement.
  @discardableResult
  func disarm() -> Bool {
    condition.lock()
    defer { condition.unlock() }
    armed = nil
    guard isRequested else { return false }
    condition.broadcast()
    while isCalling { condition.wait() }
    return true
  }

  /// Cancels the statement with that ticket if it is still the one being executed. Does not wait.
  func cancel(_ ticket: Int) {
    condition.lock()
    defer { condition.unlock() }
    guard armed == ticket, !isRequested else { return }
    isRequested = true
    Thread.detachNewThread { self.call(until: ticket) }
  }

  /// Cancels whatever the session executes, from its own thread, to leave a COPY behind.
  func cancelNow() {
    condition.lock()
    let handle = handle
    condition.unlock()
    Self.send(handle)
  }

  private func call(until ticket: Int) {
    condition.lock()
    defer { condition.unlock() }
    while armed == ticket {
      isCalling = true
      let handle = handle
      condition.unlock()
      Self.send(handle)
      condition.lock()
      isCalling = false
      condition.broadcast()
      if armed == ticket { _ = condition.wait(until: Date(timeIntervalSinceNow: Self.patience)) }
    }
  }

  private static func send(_ handle: OpaquePointer?) {
    guard let handle else { return }
    // What PQcancel has to say is not kept: when it fails the server is gone, and the statement
    // will say so itself.
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
      _ = PQcancel(handle, message.baseAddress, Int32(message.count))
    }
  }
}
