import PeriodRollups

/// What a chunk of a backfill does. The steps of a run are in this order.
enum Work: Hashable, Sendable {
  /// Loads rows of patients for empty periods.
  case load
  /// Puts a loaded period of a rollup in its place; those that consist of others after those.
  case attach(String, Period)
  /// Makes the rows of patients right, whatever is there.
  case mend
  /// Makes a count right.
  case count(String)

  /// What the row of the chunk says.
  var text: String {
    switch self {
    case .load: "load rows of patients"
    case .attach(let rollup, let period): "attach \(period) of \(rollup)"
    case .mend: "mend rows of patients"
    case .count(let name): "count \(name)"
    }
  }

  init?(_ text: String) {
    let words = text.split(separator: " ", maxSplits: 3).map(String.init)
    switch words.first {
    case "load": self = .load
    case "mend": self = .mend
    case "attach" where words.count == 4:
      guard let period = try? Period(parsing: words[1]) else { return nil }
      self = .attach(words[3], period)
    case "count" where words.count > 1: self = .count(words.dropFirst().joined(separator: " "))
    default: return nil
    }
  }

  /// The periods that a run loads, by rollup.
  static func loaded(_ texts: [String]) -> [String: Set<Period>] {
    texts.reduce(into: [:]) { loaded, text in
      guard case .attach(let rollup, let period) = Work(text) else { return }
      loaded[rollup, default: []].insert(period)
    }
  }
}

/// A chunk that this program has no work for: the run was begun by another version.
public struct UnknownWork: Error, Hashable, CustomStringConvertible {
  public let what: String
  public var description: String {
    "this program does not know how to '\(what)': the run was begun by another version"
  }
}
