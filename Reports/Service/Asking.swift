import Foundation
import HTTPTypes
import Hummingbird
import Hypertension
import PeriodRollups
import Reports

/// What a query string asks for. Names that nobody knows, names that come twice and values that mean nothing are refused,
/// so that nobody takes an answer for one to another question.
struct Asking: Sendable {
  private let values: [String: String]

  /// - Parameters:
  ///   - known: the names there are.
  ///   - isForm: whether a browser sends it, which also sends the fields that were left empty.
  init(_ request: Request, _ known: Set<String>, isForm: Bool = false) throws(Refusal) {
    var values: [String: String] = [:]
    for (name, value) in try FormFields.read(request.uri.query ?? "") {
      guard known.contains(name) else {
        throw .usage(
          known.isEmpty
            ? "there is no parameter '\(name)'; there are none here"
            : "there is no parameter '\(name)'; there are \(known.sorted().joined(separator: ", "))"
        )
      }
      guard values[name] == nil else { throw .usage("'\(name)' is there twice") }
      guard !value.utf8.contains(0) else { throw .usage("'\(name)' is not text") }
      guard !value.isEmpty else {
        guard isForm else { throw .usage("'\(name)' is empty: give it a value, or leave it out") }
        continue
      }
      values[name] = value
    }
    self.values = values
  }

  subscript(name: String) -> String? { values[name] }

  static let region: Set<String> = ["state", "district", "block", "facility"]

  var region: RegionChoice {
    RegionChoice(
      state: values["state"], district: values["district"], block: values["block"],
      facility: values["facility"])
  }

  /// The period that is chosen; one that is typed counts for more.
  func period() throws(Refusal) -> Period? {
    guard let text = values["other"] ?? values["period"] else { return nil }
    let period: Period
    do {
      period = try Period(parsing: text)
    } catch {
      throw .usage(error.description)
    }
    guard [.month, .quarter].contains(period.type) else {
      throw .usage(
        "period=\(text) is neither a month nor a quarter; they look like 2024-06 and 2024Q2")
    }
    return period
  }

  func number(_ name: String, _ range: ClosedRange<Int>) throws(Refusal) -> Int? {
    guard let text = values[name] else { return nil }
    guard let number = Int(text), range.contains(number), "\(number)" == text else {
      throw .usage(
        "\(name)=\(text): expected a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func one<Value: RawRepresentable & CaseIterable>(_ name: String, _: Value.Type) throws(Refusal)
    -> Value? where Value.RawValue == String
  {
    guard let text = values[name] else { return nil }
    guard let value = Value(rawValue: text) else {
      let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw .usage("\(name)=\(text): expected one of \(known)")
    }
    return value
  }

  func view() throws(Refusal) -> View {
    guard let text = values["view"] else { return .published }
    guard let view = View(text) else {
      throw .usage("view=\(text): expected published, known-now, compare, or edition-1 and so on")
    }
    return view
  }

  /// A column's name, with `-up` behind it for the least first (``PageTable/Sorting``).
  func sort(among columns: [String]) throws(Refusal) -> String? {
    guard let text = values["sort"] else { return nil }
    guard columns.contains(text) || columns.contains(where: { $0 + "-up" == text }) else {
      throw .usage("sort=\(text): expected one of \(columns.joined(separator: ", "))")
    }
    return text
  }

  /// Which figures of a closed period are shown; of an open one there are no others.
  enum View: Hashable, Sendable {
    /// Those of the last edition.
    case published
    case edition(Int)
    case knownNow
    /// The last edition beside what is known now.
    case compared

    init?(_ text: String) {
      switch text {
      case "published": self = .published
      case "known-now": self = .knownNow
      case "compare": self = .compared
      default:
        guard let number = Int(text.dropFirst("edition-".count)), (1...9999).contains(number),
          text == "edition-\(number)"
        else { return nil }
        self = .edition(number)
      }
    }

    var text: String {
      switch self {
      case .published: "published"
      case .edition(let number): "edition-\(number)"
      case .knownNow: "known-now"
      case .compared: "compare"
      }
    }

    /// For a question; ``compared`` is a question of its own.
    var reportView: ReportView {
      switch self {
      case .published, .compared: .published
      case .edition(let number): .edition(number)
      case .knownNow: .knownNow
      }
    }
  }
}

/// Why something is not shown, as whoever asked may read it.
struct Refusal: Error, Sendable, CustomStringConvertible {
  var description: String { "\(status.code): \(message)" }
  let status: HTTPResponse.Status
  let message: String
  /// After how many seconds it is worth asking again.
  var retryAfter: Int?
  /// Whether what comes on the connection is not understood any more.
  var endsConnection = false

  static func usage(_ message: String) -> Refusal { Refusal(status: .badRequest, message: message) }
  static func missing(_ message: String) -> Refusal { Refusal(status: .notFound, message: message) }
  static func forbidden(_ message: String) -> Refusal {
    Refusal(status: .forbidden, message: message)
  }
  static func tooOften(_ seconds: Int) -> Refusal {
    Refusal(
      status: .tooManyRequests, message: "That is too often. Try again in \(seconds) s.",
      retryAfter: seconds)
  }
  static let noToken = Refusal(
    status: .unauthorized, message: "The token is missing, unknown, expired or revoked.")
  static let strangeForm = Refusal.forbidden(
    "That form is not from here, or too old. Load the page again.")
  static let noDatabase = Refusal(
    status: .serviceUnavailable,
    message:
      "The database does not answer at the moment. Nothing is lost; try again in a few seconds.",
    retryAfter: 5)
  static let tooLarge = Refusal(
    status: .contentTooLarge, message: "No form here is that large.", endsConnection: true)
  static let notMigrated = Refusal(
    status: .serviceUnavailable,
    message:
      "The database is not migrated by this version ('rollup migrate'), or the service's role is no member of rollup_server.",
    retryAfter: 30)
  static let busy = Refusal(
    status: .serviceUnavailable,
    message: "Too many are being answered at the moment. Try again in a few seconds.",
    retryAfter: 3)
}
