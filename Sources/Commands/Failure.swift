import Foundation
import Hypertension
import Output
import PeriodRollups
import Postgres
import RollupStore

/// Why a command ended, and its exit code (DESIGN.md section 8).
public struct Failure: Error, Sendable {
  public let code: Int32
  public let message: String

  public init(code: Int32, _ message: String) {
    self.code = code
    self.message = message
  }

  /// Something differs from what it should be.
  public static func difference(_ message: String) -> Failure { Failure(code: 1, message) }
  /// Bad usage.
  public static func usage(_ message: String) -> Failure { Failure(code: 64, message) }
  /// Data that cannot be read.
  public static func data(_ message: String) -> Failure { Failure(code: 65, message) }
  /// No server, or one that is not ready.
  public static func unavailable(_ message: String) -> Failure { Failure(code: 69, message) }
  /// A mistake of the program's own.
  static func mistake(_ message: String) -> Failure { Failure(code: 70, message) }
  /// Refused by a closed period, or for want of rights.
  public static func refused(_ message: String) -> Failure { Failure(code: 77, message) }

  /// Output that cannot be written.
  public init(_ failure: OutputFailure) {
    self.init(code: 73, failure.description)
  }

  init(_ error: any Error, database: String?) {
    switch error {
    case let failure as Failure: self = failure
    case let failure as OutputFailure: self = .init(failure)
    case let error as Period.Unreadable: self = .usage(error.description)
    case let error as UnknownRegion: self = .usage(error.description)
    case let error as DeploymentError: self = .init(error)
    case let error as SchemaPlan.Refusal: self = .usage(error.description)
    case let error as Closing.Refusal:
      self = error.isUsage ? .usage(error.description) : .refused(error.description)
    case let error as PostgresError: self = .init(error, database: database)
    case is CancellationError: self = Failure(code: 130, "interrupted")
    case let error as CocoaError: self = .init(error)
    case let error as POSIXError:
      self = .data("a file cannot be read or written: \(FileReason.words(error))")
    default: self = .mistake("\(error)")
    }
  }

  private init(_ error: DeploymentError) {
    switch error {
    case .notMigrated, .busy: self = .unavailable(error.description)
    case .unknownTimeZone, .timeZoneIsSet: self = .usage(error.description)
    case .changedMigration, .unknownMigration: self = .data(error.description)
    }
  }

  /// Of a file, in the project's words: Foundation's do not say why.
  private init(_ error: CocoaError) {
    let file = error.filePath ?? error.url?.path ?? "a file"
    let isWriting = (512..<768).contains(error.code.rawValue)
    self =
      isWriting
      ? .init(OutputFailure(file, error))
      : .data("cannot read \(file): \(FileReason.words(error))")
  }
}
