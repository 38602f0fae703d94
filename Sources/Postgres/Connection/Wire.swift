import CLibPQ
import Foundation
import Logging

/// A session of the server as libpq has it, with sending and receiving interleaved.
///
/// libpq is put into its non-blocking mode and driven by `poll`: both sides may have megabytes to
/// send at the same time, and neither waits for the other to have read. Not Sendable; only its
/// ``Connection`` uses it, on its own thread.
final class Wire {
  let connection: OpaquePointer
  /// How long the server may stay silent while an answer is due; nil is for ever.
  private let patience: Duration?
  let notices: NoticeLog
  var statements: StatementCache
  var parameters = ParameterBuffer()

  /// How long after the server's own time-out for statements it is given up.
  private static let grace: Duration = .seconds(10)

  /// Connects, which blocks for as long as the server's address and the network take.
  init(settings: ConnectionSettings, statementCapacity: Int, logger: Logger?) throws {
    connection = try Self.connect(settings)
    patience = settings.statementTimeout.map { $0 + Self.grace }
    notices = NoticeLog(logger: logger)
    statements = StatementCache(capacity: statementCapacity)
    PQsetnonblocking(connection, 1)
    PQsetNoticeReceiver(
      connection,
      { context, notice in
        guard let context, let notice else { return }
        Unmanaged<NoticeLog>.fromOpaque(context).takeUnretainedValue().receive(notice)
      }, Unmanaged.passUnretained(notices).toOpaque())
  }

  deinit { PQfinish(connection) }

  /// Whether the operation in progress has sent anything; ``Connection`` resets it.
  var hasSent = false

  /// Whether the COPY from the server that was begun last has been read to its end.
  var isCopyOver = false

  /// Set when the connection must not be used again although libpq sees nothing wrong.
  var isAbandoned = false

  var isBroken: Bool { isAbandoned || PQstatus(connection) != CONNECTION_OK }

  /// Asked for each time: libpq closes it when the connection breaks, and the number may then be
  /// another file's.
  var socket: Int32 { PQsocket(connection) }

  var transactionStatus: PGTransactionStatusType { PQtransactionStatus(connection) }

  // MARK: - Receiving

  /// The next result of what was sent, nil when the statement has no more.
  ///
  /// Sends what is still to be sent while it waits.
  /// - Throws: `connectionLost` or `timeout`; the connection is of no use after either.
  func nextResult() throws -> ServerResult? {
    if PQisBusy(connection) == 1 { try awaitResult() }
    let result = PQgetResult(connection).map(ServerResult.init)
    if let result, result.status == PGRES_FATAL_ERROR { notices.receive(error: result) }
    if let result, isBroken { throw lost(result) }
    return result
  }

  /// - Returns: the first result; the rest are read and dropped.
  /// - Throws: the first error among them.
  func onlyResult() throws -> ServerResult {
    var first: ServerResult?
    var failure: PostgresError?
    while let result = try nextResult() {
      switch result.status {
      case PGRES_FATAL_ERROR:
        failure = failure ?? PostgresError(server: result)
      case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
        failure = failure ?? PostgresError(.misuse, "COPY needs copyIn or copyOut")
        try leaveCopy(result.status)
      default:
        first = first ?? result
      }
    }
    if let failure { throw failure }
    guard let first else { throw lost(nil) }
    return first
  }

  private func awaitResult() throws {
    let deadline = patience.map { ContinuousClock.now + $0 }
    while PQisBusy(connection) == 1 {
      // A failure to send is not the end: the server may have said why before it hung up.
      let isSending = PQflush(connection) == 1
      guard try wait(for: isSending ? POLLIN | POLLOUT : POLLIN, until: deadline) else {
        throw PostgresError(
          .timeout, "the server has not answered in time; the connection was given up")
      }
      if PQconsumeInput(connection) == 0 { return }
    }
  }

  /// - Returns: what `poll` said is possible now; nil when the deadline has passed.
  func poll(for events: Int32, until deadline: ContinuousClock.Instant?) throws -> Int32? {
    while true {
      var descriptor = pollfd(fd: socket, events: Int16(events), revents: 0)
      let left = deadline.map { max(.zero, ContinuousClock.now.duration(to: $0)) }
      let ready = Glibc.poll(&descriptor, 1, left.map { Int32($0.milliseconds + 1) } ?? -1)
      if ready > 0 { return Int32(descriptor.revents) }
      if ready == 0 { return nil }
      guard errno == EINTR else {
        throw PostgresError(.connectionLost, "poll failed: \(String(cString: strerror(errno)))")
      }
    }
  }

  private func wait(for events: Int32, until deadline: ContinuousClock.Instant?) throws -> Bool {
    try poll(for: events, until: deadline) != nil
  }

  // MARK: - Sending

  /// Sends what libpq has gathered, reading what comes meanwhile.
  func flush() throws {
    while true {
      switch PQflush(connection) {
      case 0: return
      case 1: break
      default: throw lost(PQgetResult(connection).map(ServerResult.init))
      }
      let deadline = patience.map { ContinuousClock.now + $0 }
      guard let ready = try poll(for: POLLIN | POLLOUT, until: deadline) else {
        throw PostgresError(.timeout, "the server takes no more; the connection was given up")
      }
      if ready & ~POLLOUT != 0, PQconsumeInput(connection) == 0 {
        throw lost(PQgetResult(connection).map(ServerResult.init))
      }
    }
  }

  /// What to throw when libpq refused to send.
  func refusal() -> PostgresError {
    isBroken ? lost(nil) : PostgresError(.misuse, "libpq refused the statement: \(libpqMessage)")
  }

  /// The error of a connection that has broken, with the server's last words where there are any.
  func lost(_ result: ServerResult?) -> PostgresError {
    let answer = result.flatMap { $0.field(.sqlState) == nil ? nil : PostgresError(server: $0) }
    let lastWords = answer ?? notices.farewell
    return PostgresError(
      .connectionLost,
      "the connection to the server was lost: " + (lastWords?.message ?? libpqMessage),
      sqlState: lastWords?.sqlState)
  }

  /// libpq's own words. They hold no values: those of the server come as results.
  private var libpqMessage: String { Self.message(of: connection) }

  static func message(of connection: OpaquePointer) -> String {
    let text = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
    let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
    return trimmed.isEmpty ? "no reason is known" : trimmed
  }
}
