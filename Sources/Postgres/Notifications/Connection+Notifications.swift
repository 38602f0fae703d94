import CLibPQ
import Foundation

extension Connection {
  /// Begins to hear what is said on a channel from now on.
  ///
  /// A notification that is committed before this returns may be missed: look for what there is to do afterwards, not
  /// before.
  public func listen(to channel: String) async throws {
    try await execute("LISTEN \(identifier: channel)")
  }

  /// Waits for notifications on the channels of ``listen(to:)``.
  ///
  /// The connection waits with its own thread and executes nothing else meanwhile: give a listener a connection of its
  /// own.
  /// - Returns: all that have come, in order; empty when none has within the limit.
  /// - Throws: `connectionLost`; `cancelled` at once when the task is, and the connection stays usable; `misuse` within
  ///   a transaction, where the server sends none.
  public nonisolated(nonsending) func notifications(within limit: Duration) async throws
    -> [ServerNotification]
  {
    guard transactionStatus != .inTransaction, transactionStatus != .failed else {
      throw PostgresError(.misuse, "notifications do not come within a transaction")
    }
    let alarm = try Alarm()
    return try await withTaskCancellationHandler {
      let heard = try await hear(until: .now + limit, or: alarm)
      if heard.isEmpty, Task.isCancelled { throw Connection.cancelled }
      return heard
    } onCancel: {
      alarm.ring()
    }
  }

  private func hear(until deadline: ContinuousClock.Instant, or alarm: Alarm) async throws
    -> [ServerNotification]
  {
    try await perform(ignoringCancellation: true) { wire, _ in
      try wire.notifications(until: deadline, or: alarm)
    }
  }
}

extension Wire {
  func notifications(until deadline: ContinuousClock.Instant, or alarm: Alarm) throws
    -> [ServerNotification]
  {
    while true {
      guard PQconsumeInput(connection) == 1 else { throw lost(nil) }
      let heard = takeNotifications()
      if !heard.isEmpty { return heard }
      guard try waitForInput(until: deadline, or: alarm) else { return [] }
    }
  }

  private func takeNotifications() -> [ServerNotification] {
    var heard: [ServerNotification] = []
    while let notify = PQnotifies(connection) {
      defer { PQfreemem(notify) }
      heard.append(
        ServerNotification(
          channel: String(cString: notify.pointee.relname),
          payload: String(cString: notify.pointee.extra), backend: notify.pointee.be_pid))
    }
    return heard
  }

  /// - Returns: whether the server has sent something; false when the time is over or the alarm has rung.
  private func waitForInput(until deadline: ContinuousClock.Instant, or alarm: Alarm) throws
    -> Bool
  {
    while true {
      var descriptors = [
        pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
        pollfd(fd: alarm.descriptor, events: Int16(POLLIN), revents: 0),
      ]
      let left = max(.zero, ContinuousClock.now.duration(to: deadline))
      let ready = Glibc.poll(&descriptors, 2, Int32(clamping: left.milliseconds + 1))
      if ready < 0, errno == EINTR { continue }
      guard ready >= 0 else {
        throw PostgresError(.connectionLost, "poll failed: \(String(cString: strerror(errno)))")
      }
      return descriptors[1].revents == 0 && descriptors[0].revents != 0
    }
  }
}

/// Something a `poll` can be woken with, from any thread.
final class Alarm: Sendable {
  /// Readable once it has rung.
  let descriptor: Int32
  private let bell: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw PostgresError(
        .misuse, "no file descriptor is left: \(String(cString: strerror(errno)))")
    }
    (descriptor, bell) = (ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  }

  deinit {
    close(descriptor)
    close(bell)
  }

  func ring() {
    var stroke: UInt8 = 1
    _ = write(bell, &stroke, 1)
  }
}
