import Foundation

/// What may be shown of an error or a notice of the server.
///
/// PostgreSQL quotes the values it complains of: `Key (id)=(…) already exists`, `Failing row
/// contains (…)`, `invalid input syntax for type integer: "…"`. Those values are patients' data.
/// The rule is to keep only what is known to hold none:
///
/// - the message; in the classes 22 (data exception) and 23 (constraint violation) without anything
///   in quotes that is not the name of an object the server names in a field of its own;
/// - the detail; in the classes of ``silentClasses`` whole, of a key its columns, otherwise
///   nothing;
/// - the context; of a COPY its line and column, otherwise nothing.
struct Redaction {
  let sqlState: SQLState
  let message: String
  let detail: String?
  let hint: String?
  let context: String?

  init(_ result: ServerResult) {
    self.init(
      sqlState: result.field(.sqlState) ?? "XX000", message: result.field(.message) ?? "",
      detail: result.field(.detail), hint: result.field(.hint), context: result.field(.context),
      names: [.schema, .table, .column, .dataType, .constraint].compactMap { result.field($0) },
      isTranslated: result.field(.severity) != result.field(.localizedSeverity))
  }

  init(
    sqlState: String, message: String, detail: String? = nil, hint: String? = nil,
    context: String? = nil, names: [String] = [], isTranslated: Bool = false
  ) {
    self.sqlState = SQLState(rawValue: sqlState)
    self.context = context.flatMap(Self.place)
    let errorClass = self.sqlState.errorClass
    guard errorClass == "22" || errorClass == "23" else {
      self.message = message
      self.detail = Self.silentClasses.contains(String(errorClass)) ? detail : nil
      self.hint = hint
      return
    }
    self.hint = nil
    self.detail = detail.flatMap(Self.key)
    // Where the quotes of another language begin and end is not known here.
    self.message =
      isTranslated
      ? "the server refused a value (its message is withheld)"
      : Self.withoutValues(message, names: Set(names))
  }

  /// The classes whose details hold no values: connection, transaction state, authorisation,
  /// catalogue, rollback, syntax and names, resources, state of objects, operator's intervention.
  private static let silentClasses: Set<String> = [
    "08", "25", "28", "3D", "3F", "40", "42", "53", "55", "57",
  ]

  /// What stands for a value.
  static let mark = "…"

  private static var quoted: some RegexComponent { #/«[^»]*»|„[^“]*“|“[^”]*”|'[^']*'/# }
  private static var bytes: some RegexComponent { #/0x[0-9a-fA-F]{2}(?: 0x[0-9a-fA-F]{2})*/# }

  private static func withoutValues(_ message: String, names: Set<String>) -> String {
    // A value may itself hold a quotation mark, so that pairs cannot be told. What lies between
    // the first mark of the value and the last is taken out: everything between two known names.
    let marked = message.replacing(bytes, with: mark)
    var result = ""
    var rest = marked[...]
    while let open = rest.firstIndex(of: "\"") {
      result += rest[..<open]
      let inside = rest[rest.index(after: open)...]
      if let name = names.first(where: { inside.hasPrefix($0 + "\"") }) {
        result += "\"\(name)\""
        rest = inside.dropFirst(name.count + 1)
        continue
      }
      result += "\"\(mark)\""
      guard let close = inside.lastIndex(of: "\"") else { return result }
      let tail = inside[inside.index(after: close)...]
      // Names may stand behind the value (`… of relation "readings"`): keep what is only them.
      rest = tail
    }
    return result + rest.replacing(quoted, with: mark)
  }

  /// `Key (id, name)=(…) already exists.`: the columns, not the values.
  private static func key(_ detail: String) -> String? {
    guard detail.hasPrefix("Key ("), let equals = detail.firstRange(of: ")=("),
      let end = detail.lastIndex(of: ")"), end >= equals.upperBound
    else { return nil }
    return detail[..<equals.upperBound] + mark + detail[end...]
  }

  /// `COPY readings, line 7, column systolic: "…"`: up to the value.
  private static func place(_ context: String) -> String? {
    guard context.hasPrefix("COPY ") else { return nil }
    let line = context.prefix { $0 != "\n" }
    return String(line.prefix { $0 != ":" })
  }
}
