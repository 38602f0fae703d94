/// A statement: its text with `$1`, `$2`, … and what each stands for.
///
/// Written as an interpolated literal, a value becomes a parameter and can never become SQL:
///
/// ```swift
/// let query: Query = "SELECT systolic FROM blood_pressures WHERE patient_id = \(patient)"
/// ```
///
/// An `Optional` is a value too; `nil` is NULL. Text that is not a value, such as a statement made
/// elsewhere, needs the word `unescaped`, so that a reviewer sees it.
public struct Query: Sendable, Hashable, ExpressibleByStringInterpolation {
  public var text: String
  /// In the order of their numbers: the first is `$1`.
  public var binds: [Bind]

  public init(text: String, binds: [Bind] = []) {
    self.text = text
    self.binds = binds
  }

  public init(stringLiteral text: String) { self.init(text: text) }

  public init(stringInterpolation: StringInterpolation) {
    self.init(text: stringInterpolation.text, binds: stringInterpolation.binds)
  }

  public struct StringInterpolation: StringInterpolationProtocol {
    var text = ""
    var binds: [Bind] = []

    public init(literalCapacity: Int, interpolationCount: Int) {
      text.reserveCapacity(literalCapacity + interpolationCount * 3)
      binds.reserveCapacity(interpolationCount)
    }

    public mutating func appendLiteral(_ literal: String) { text += literal }

    public mutating func appendInterpolation(_ value: some PostgresEncodable) {
      appendInterpolation(Bind(value))
    }

    public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
      appendInterpolation(Bind(value))
    }

    public mutating func appendInterpolation(_ bind: Bind) {
      binds.append(bind)
      text += "$\(binds.count)"
    }

    /// Text that is put into the statement as it is. Never pass input of a user.
    public mutating func appendInterpolation(unescaped sql: String) { text += sql }

    /// A name of a table, column or other object, in double quotes.
    public mutating func appendInterpolation(identifier name: String) {
      text += "\"" + name.replacing("\"", with: "\"\"") + "\""
    }
  }
}

extension Query: CustomStringConvertible {
  /// The text alone: what the parameters hold may be a patient's data.
  public var description: String { text }
}
