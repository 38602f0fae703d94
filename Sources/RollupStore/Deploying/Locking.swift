import PeriodRollups
import Postgres

extension Transaction {
  /// Takes locks on tables for whose sake others have to wait. One that is not had soon is given up and asked for again, so
  /// that others do not queue behind one who himself waits for a long transaction.
  func lock(_ statements: [Statement]) async throws {
    var attempt = 1
    while true {
      do {
        try await savepoint { tx in
          try await tx.execute("SET LOCAL lock_timeout = '200ms'")
          for statement in statements { try await tx.script(statement.text) }
        }
        try await execute("SET LOCAL lock_timeout = 0")
        return
      } catch let error as PostgresError
        where error.sqlState == .lockNotAvailable && attempt < 300
      {
        attempt += 1
        try await Task.sleep(for: .milliseconds(Int.random(in: 50...400)))
      }
    }
  }
}
