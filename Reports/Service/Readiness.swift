import Postgres
import Synchronization

/// Whether the database has what a service needs. It is asked on a connection of its own: when all others are taken, this is what one
/// wants to know.
final class Readiness: Sendable {
  private let probe: Pool
  private let known = Mutex(false)

  init(_ probe: Pool) { self.probe = probe }

  /// What a service calls first, and what its last migration made.
  private static let question: Query = """
    SELECT coalesce(has_function_privilege(to_regprocedure('rollup.enter(text)'), 'EXECUTE'), false)
      AND to_regprocedure('rollup.refuse_odd_region(text[])') IS NOT NULL
    """

  /// - Throws: ``Refusal/notMigrated``; an error of the database.
  func check() async throws {
    let isReady: Bool
    do {
      isReady = try await probe.withConnection { connection in
        try await connection.query(Self.question).only(Bool.self)
      }
    } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
      // Of the schema itself.
      isReady = false
    }
    known.withLock { $0 = isReady }
    guard isReady else { throw Refusal.notMigrated }
  }

  /// Checks until it is ready; from then on every statement tells.
  func checkOnce() async throws {
    if known.withLock({ $0 }) { return }
    try await check()
  }

  func close() async { await probe.close() }
}
