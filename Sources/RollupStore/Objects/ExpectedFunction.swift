import Migrations
import PeriodRollups

/// A function of the schema `rollup` as this program makes it, read from the text that makes it: of a migration, of which
/// the last that names the function holds, or of a declaration.
struct ExpectedFunction: Sendable, Hashable {
  /// With its schema: `rollup.enter`.
  let name: String
  /// As `pg_get_function_identity_arguments` has them: `secret text, session_hash bytea`.
  let arguments: String
  let body: String
  let language: String
  let isSecurityDefiner: Bool
  /// As `pg_proc.provolatile` has it.
  let volatility: String
  /// `name=value`, as `pg_proc.proconfig` has them.
  let settings: Set<String>
  /// Whether its search path is that of the session that made it, with `pg_temp` last.
  let keepsSearchPath: Bool
  let isTrigger: Bool
  /// What makes it again in place.
  let text: String

  var signature: String { "\(name)(\(arguments))" }

  /// The functions that texts make, the last of a name and arguments; one that is dropped afterwards is none.
  /// - Parameter table: what stands for `%s` in `FROM %s AS`, where a migration fills in the application's table of places.
  static func all(in texts: [String], table: String) -> [ExpectedFunction] {
    var found: [String: ExpectedFunction] = [:]
    for text in texts {
      for function in parse(text, table: table) { found[function.signature] = function }
    }
    return found.values.sorted { $0.signature < $1.signature }
  }

  private static func parse(_ text: String, table: String) -> [ExpectedFunction] {
    let pattern =
      /CREATE\s+(?:OR\s+REPLACE\s+)?FUNCTION\s+(\w+\.\w+)\(([^)]*)\)\s*RETURNS([\s\S]*?)\sAS\s+(\$\w*\$)/
    var functions: [ExpectedFunction] = []
    for match in text.matches(of: pattern) {
      let rest = text[match.range.upperBound...]
      guard let end = rest.firstRange(of: String(match.4)) else { continue }
      let body = rest[..<end.lowerBound].replacing("FROM %s AS", with: "FROM \(table) AS")
      let whole = text[match.range.lowerBound..<end.upperBound].replacing(
        "FROM %s AS", with: "FROM \(table) AS")
      functions.append(
        ExpectedFunction(
          name: String(match.1), arguments: oneLine(match.2), header: oneLine(match.3),
          body: String(body), text: String(whole)))
    }
    return functions
  }

  private init(name: String, arguments: String, header: String, body: String, text: String) {
    self.name = name
    self.arguments = arguments
    self.body = body
    language = header.firstMatch(of: /LANGUAGE (\w+)/).map { String($0.1) } ?? "sql"
    isSecurityDefiner = header.contains("SECURITY DEFINER")
    volatility = header.contains("IMMUTABLE") ? "i" : header.contains("STABLE") ? "s" : "v"
    let assignments = header.matches(
      of:
        /SET (\w+) (?:=|TO) (.+?)(?= SET \w+ | STABLE\b| IMMUTABLE\b| SECURITY\b| LANGUAGE\b| PARALLEL\b|$)/
    )
    settings = Set(
      assignments.map { "\($0.1)=\($0.2.trimmingPrefix("'").replacing("'", with: ""))" })
    keepsSearchPath = header.contains("SET search_path FROM CURRENT")
    isTrigger = header.hasPrefix("trigger")
    self.text =
      text.contains("OR REPLACE")
      ? text
      : text.replacing("CREATE FUNCTION", with: "CREATE OR REPLACE FUNCTION", maxReplacements: 1)
  }

  /// Without comments and line breaks.
  private static func oneLine(_ text: Substring) -> String {
    text.split(separator: "\n").map { line in
      line.firstRange(of: "--").map { line[..<$0.lowerBound] } ?? line
    }
    .flatMap { $0.split(separator: " ") }.joined(separator: " ")
  }
}

/// A function as it is in the database.
struct FoundFunction: Sendable {
  let name: String
  let arguments: String
  let body: String
  let language: String
  let isSecurityDefiner: Bool
  let volatility: String
  let settings: [String]
  let owner: String
  /// Whether everybody may call it.
  let isPublic: Bool
  /// Whether it reads the application's tables, by its name.
  let isOfDeriver: Bool
  /// Which of the deployment's roles may call it that do not own it.
  let callers: Set<String>

  var signature: String { "\(name)(\(arguments))" }

  /// What it differs in from what it should be, in words; nil for nothing.
  func difference(from expected: ExpectedFunction) -> String? {
    var differences: [String] = []
    if body != expected.body { differences.append("its text") }
    if language != expected.language { differences.append("its language") }
    if isSecurityDefiner != expected.isSecurityDefiner {
      differences.append("by whose rights it runs")
    }
    if volatility != expected.volatility { differences.append("its volatility") }
    if !hasSettings(of: expected) { differences.append("its settings") }
    return differences.isEmpty ? nil : differences.joined(separator: ", ")
  }

  private func hasSettings(of expected: ExpectedFunction) -> Bool {
    guard expected.keepsSearchPath else { return Set(settings) == expected.settings }
    let paths = settings.filter { $0.hasPrefix("search_path=") }
    return paths.count == 1 && paths[0].hasSuffix("pg_temp")
      && Set(settings).subtracting(paths) == expected.settings
  }
}
