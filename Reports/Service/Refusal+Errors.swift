import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore

extension Refusal {
  /// What is said of an error; nil for one that should not happen, of which nothing is said but its request's id.
  init?(_ error: any Error) {
    switch error {
    case let refusal as Refusal: self = refusal
    case let error as UnknownRegion where error.kind == "figure": self = .usage(error.description)
    case let error as UnknownRegion: self = .missing(error.description)
    case let error as Period.Unreadable: self = .usage(error.description)
    case let error as ReportQuestion.Refusal: self = .usage(error.description)
    case let error as FormatRefusal: self = .usage(error.description)
    case let error as Closing.Refusal: self = .missing(error.description)
    case let error as ServedReading.Refusal: self = .forbidden(error.description)
    case is DeploymentError: self = .noDatabase
    case let error as PostgresError:
      guard let refusal = Self.refusal(error) else { return nil }
      self = refusal
    default: return nil
    }
  }

  private static func refusal(_ error: PostgresError) -> Refusal? {
    switch error.kind {
    case .poolTimeout: return .busy
    case .connectionFailed, .connectionLost, .commitUnknown, .timeout, .poolClosed:
      return .noDatabase
    case .server: break
    default: return nil
    }
    switch error.sqlState {
    case .invalidAuthorization: return .noToken
    case .insufficientPrivilege: return .forbidden("The token does not open that.")
    case .noDataFound: return .missing("There are no figures of that period.")
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
  /// `no_data_found`
  fileprivate static let noDataFound = SQLState(rawValue: "P0002")
  /// `read_only_sql_transaction`
  fileprivate static let readOnly = SQLState(rawValue: "25006")
}
