import CLibPQ
import Logging

/// Takes the server's notices to the log, where libpq would print them to the standard error.
final class NoticeLog {
  let logger: Logger?
  /// How many have come. A COPY asks, to tell a notice from an error.
  private(set) var count = 0
  /// What the server said when it ended the session. It comes as an error, or, while nothing is
  /// asked of the server, as a notice.
  private(set) var farewell: PostgresError?

  init(logger: Logger?) { self.logger = logger }

  /// To be called with every error: a fatal one is the last.
  func receive(error: ServerResult) {
    if let severity = error.field(.severity) { hear(severity, Redaction(error)) }
  }

  private func hear(_ severity: String, _ redaction: Redaction) {
    guard severity == "FATAL" || severity == "PANIC" else { return }
    farewell = PostgresError(.connectionLost, redaction.message, sqlState: redaction.sqlState)
  }

  /// - Parameter notice: belongs to libpq, which frees it after this call
  func receive(_ notice: OpaquePointer) {
    count += 1
    let severity = ServerResult.field(.severity, of: notice) ?? "NOTICE"
    let redaction = Redaction(
      sqlState: ServerResult.field(.sqlState, of: notice) ?? "00000",
      message: ServerResult.field(.message, of: notice) ?? "",
      isTranslated: ServerResult.field(.localizedSeverity, of: notice) != severity)
    hear(severity, redaction)
    guard let logger, logger.logLevel <= .debug else { return }
    // What a function of the database raises may hold anything.
    let isRaised = ServerResult.field(.context, of: notice) != nil
    let message = isRaised ? "(raised within a function, withheld)" : redaction.message
    logger.debug("\(severity) \(redaction.sqlState): \(message)")
  }
}
