import HTTPTypes
import Hypertension
import NIOCore
import NIOHTTP1
import PeriodRollups
import Postgres
import Reports
import RollupStore

extension Refusal {
  /// What is said of an error; nil for one that should not happen, of which nothing is said but its request's id.
  init?(_ error: any Error) {
    switch error {
    case let refusal as Refusal: self = refusal
    case let error as UnknownRegion where error.kind == "figure" || error.isAmbiguous:
      self = .usage(error.description)
    case let error as UnknownRegion: self = .missing(error.description)
    case let error as Period.Unreadable: self = .usage(error.description)
    case let error as ReportQuestion.Refusal: self = .usage(error.description)
    case let error as FormatRefusal: self = .usage(error.description)
    case let error as Closing.Refusal: self = .missing(error.description)
    case let error as ServedReading.Refusal: self = .forbidden(error.description)
    case DeploymentError.notMigrated: self = .notMigrated
    case is DeploymentError: self = .noDatabase
    case let error as PostgresError:
      guard let refusal = Self.refusal(error) else { return nil }
      self = refusal
    default: return nil
    }
  }

  /// What came wrong, too slowly or not at all on a connection: nothing that went wrong here.
  init?(connection error: any Error) {
    switch error {
    case HTTPParserError.invalidEOFState, is IOError, is ChannelError, is CancellationError:
      self.init(status: .badRequest, message: "The request was cut off.", endsConnection: true)
    case let error as HTTPParserError:
      self.init(
        status: .badRequest, message: "That is no HTTP: \(error).", endsConnection: true)
    case is ConnectionGuard.TooSlow:
      self.init(
        status: .requestTimeout, message: "The request took too long to arrive.",
        endsConnection: true)
    default: return nil
    }
  }

  private static func refusal(_ error: PostgresError) -> Refusal? {
    switch error.kind {
    case .poolTimeout: return .busy
    // The server is there, and refuses the role that a session of the service takes: it is not there, or not the login's.
    case .connectionFailed
    where [.insufficientPrivilege, .invalidParameterValue].contains(error.sqlState):
      return .notMigrated
    case .connectionFailed, .connectionLost, .commitUnknown, .timeout, .poolClosed:
      return .noDatabase
    case .server: break
    default: return nil
    }
    switch error.sqlState {
    case .invalidAuthorization: return .noToken
    case .insufficientPrivilege: return .forbidden("The token does not open that.")
    case .noDataFound: return .missing("There are no figures of that period.")
    case .undefinedFunction, .undefinedTable, .undefinedColumn, .invalidSchemaName:
      return .notMigrated
    case .adminShutdown, .crashShutdown, .cannotConnectNow, .tooManyConnections: return .noDatabase
    case .readOnly:
      return Refusal(
        status: .serviceUnavailable,
        message:
          "This service reads a copy of the database, where nobody can log in and no list can be put on record: ask the one of the database itself.",
        retryAfter: 30)
    case .queryCanceled:
      return Refusal(
        status: .serviceUnavailable, message: "That took too long and was given up.", retryAfter: 30
      )
    default: return nil
    }
  }
}

extension SQLState {
  /// `undefined_function`
  fileprivate static let undefinedFunction = SQLState(rawValue: "42883")
  /// `no_data_found`
  fileprivate static let noDataFound = SQLState(rawValue: "P0002")
  /// `read_only_sql_transaction`
  fileprivate static let readOnly = SQLState(rawValue: "25006")
}
