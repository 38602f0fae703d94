import Logging
import Postgres
import ServiceLifecycle

/// Has the database forget notes of changes that nobody asks for any more; there may be nobody else who does.
struct Forgetting: Service {
  let pool: Pool
  let logger: Logger

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do {
          try await pool.withConnection { connection in
            _ = try await connection.query(
              "SELECT rollup.forget_changes() WHERE NOT pg_is_in_recovery()")
          }
        } catch {
          // It is tried again, and whoever asks for a page is told what is wrong.
          logger.debug("notes of changes were not forgotten", metadata: ["error": "\(error)"])
        }
        try? await Task.sleep(for: .seconds(600))
      }
    }
  }
}
