import ArgumentParser
import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// A command of this project: what goes wrong is said on standard error in a sentence, with the exit code of sysexits.h
/// that DESIGN.md section 8 names; data goes to standard output.
public protocol Command: AsyncParsableCommand {
  func execute() async throws
  /// Where the command looked for its database, for the message that there is none.
  var databaseDescription: String? { get }
}

extension Command {
  public var databaseDescription: String? { nil }

  public func run() async throws {
    // A reader that closed the pipe (`| head`) is no error.
    signal(SIGPIPE, SIG_DFL)
    do {
      try await execute()
    } catch let exit as ExitCode {
      throw exit
    } catch {
      let failure = Failure(error, database: databaseDescription)
      Terminal.say("\(Terminal.program): \(failure.message)")
      throw ExitCode(failure.code)
    }
  }
}

/// Why a command ended, and its exit code.
public struct Failure: Error, Sendable {
  public let code: Int32
  public let message: String

  public init(code: Int32, _ message: String) {
    self.code = code
    self.message = message
  }

  /// Bad usage.
  public static func usage(_ message: String) -> Failure { Failure(code: 64, message) }
  /// Data that cannot be read.
  public static func data(_ message: String) -> Failure { Failure(code: 65, message) }
  /// No server, or one that is not ready.
  public static func unavailable(_ message: String) -> Failure { Failure(code: 69, message) }

  init(_ error: any Error, database: String?) {
    switch error {
    case let failure as Failure: self = failure
    case let error as Period.Unreadable: self = .usage(error.description)
    case let error as UnknownRegion: self = .usage(error.description)
    case let error as DeploymentError: self = .init(error)
    case let error as SchemaPlan.Refusal: self = .usage(error.description)
    case let error as Closing.Refusal:
      self = Failure(code: error.isUsage ? 64 : 77, error.description)
    case let error as PostgresError: self = .init(error, database: database)
    case let error as CocoaError:
      self = .data(error.localizedDescription)
    case is CancellationError: self = Failure(code: 130, "interrupted")
    default: self = Failure(code: 70, "\(error)")
    }
  }

  private init(_ error: DeploymentError) {
    switch error {
    case .notMigrated, .busy: self = .unavailable(error.description)
    case .unknownTimeZone, .timeZoneIsSet: self = .usage(error.description)
    case .changedMigration, .unknownMigration: self = .data(error.description)
    }
  }

  private init(_ error: PostgresError, database: String?) {
    switch error.kind {
    case .connectionFailed:
      self = .unavailable(
        "no connection to \(database ?? "the database"): \(error.message)\n"
          + "Name another with --database-url, DATABASE_URL or the PG* variables.")
    case .connectionLost:
      self = .unavailable(
        "the connection to \(database ?? "the database") was lost: \(error.message)\n"
          + "The transaction in hand was not committed; what was reported done before is. The command can be run again."
      )
    case .cancelled:
      self = Failure(code: 130, "interrupted; the transaction in hand was rolled back")
    case .commitUnknown:
      self = .unavailable(
        "the connection to \(database ?? "the database") was lost while a transaction was being committed: whether it was "
          + "is not known. The command can be run again: what is there already is not done twice.")
    case .timeout, .poolTimeout, .poolClosed, .localServer: self = .unavailable("\(error)")
    case .invalidAddress: self = .usage("\(error)")
    case .decoding, .misuse, .transactionAborted: self = Failure(code: 70, "\(error)")
    case .server where error.sqlState == .closedPeriod:
      self = Failure(
        code: 77,
        "\(error.message). Nothing of the transaction in hand was committed. \(error.hint ?? "")")
    case .server where error.sqlState == .insufficientPrivilege:
      self = Failure(
        code: 77,
        "the database role may not do this: \(error). Nothing of the transaction in hand was committed. "
          + "Its members may what 'Roles' in docs/closing.md says of rollup_writer, rollup_reporter and rollup_closer."
      )
    case .server:
      self = Failure(
        code: 70,
        "the database refused a statement: \(error). Nothing of the transaction in hand was committed."
      )
    }
  }
}
