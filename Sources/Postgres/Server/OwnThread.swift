import Foundation

/// Runs what blocks on a thread of its own, so that Swift's tasks, which share few threads, go on.
package func onItsOwnThread<Value: Sendable>(
  _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}
