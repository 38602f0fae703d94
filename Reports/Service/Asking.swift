import Foundation
import Hummingbird
import Hypertension
import PeriodRollups
import Reports

/// What a query string asks for. Names that nobody knows, names that come twice and values that mean nothing are refused,
/// so that nobody takes an answer for one to another question.
struct Asking: Sendable {
  private let values: [String: String]

  /// - Parameter known: the names there are.
  init(_ request: Request, _ known: Set<String>) throws(Refusal) {
    var values: [String: String] = [:]
    for (name, value) in try FormFields.read(request.uri.query ?? "") {
      guard known.contains(name) else {
        throw .usage(
          "there is no parameter '\(name)'; there are \(known.sorted().joined(separator: ", "))")
      }
      guard values[name] == nil else { throw .usage("'\(name)' is there twice") }
      guard !value.utf8.contains(0) else { throw .usage("'\(name)' is not text") }
      // What an empty field of a form sends is nothing.
      if !value.isEmpty { values[name] = value }
    }
    self.values = values
  }

  subscript(name: String) -> String? { values[name] }

  static let region: Set<String> = ["state", "district", "block", "facility"]
  static let time: Set<String> = ["period", "view"]

  var region: RegionChoice {
    RegionChoice(
      state: values["state"], district: values["district"], block: values["block"],
      facility: values["facility"])
  }

  func period(_ name: String = "period") throws(Refusal) -> Period? {
    guard let text = values[name] else { return nil }
    do {
      let period = try Period(parsing: text)
      guard [.month, .quarter].contains(period.type) else {
        throw Refusal.usage("\(name)=\(text) is neither a month nor a quarter")
      }
      return period
    } catch let refusal as Refusal {
      throw refusal
    } catch {
      throw .usage("\(error)")
    }
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

  /// Which figures of a closed period a page shows.
  enum View: String, CaseIterable {
    case published
    case knownNow = "known-now"
  }
}

/// Why something is not shown, as whoever asked may read it.
struct Refusal: Error, Sendable {
  let status: HTTPResponse.Status
  let message: String
  /// After how many seconds it is worth asking again.
  var retryAfter: Int?

  static func usage(_ message: String) -> Refusal { Refusal(status: .badRequest, message: message) }
  static func missing(_ message: String) -> Refusal { Refusal(status: .notFound, message: message) }
  static func forbidden(_ message: String) -> Refusal {
    Refusal(status: .forbidden, message: message)
  }
  static let noToken = Refusal(
    status: .unauthorized, message: "The token is missing, unknown, expired or revoked.")
  static let noDatabase = Refusal(
    status: .serviceUnavailable,
    message:
      "The database does not answer at the moment. Nothing is lost; try again in a few seconds.",
    retryAfter: 5)
}
