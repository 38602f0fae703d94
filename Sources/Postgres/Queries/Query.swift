/// A statement and its values: text with `$1`, `$2`, … and one bind for each.
///
/// Written as an interpolated literal, in which a value becomes a bind. Nothing else can be interpolated but raw text
/// that says `unescaped`, so a value cannot get into the text by mistake:
///
/// ```swift
/// let rows = try await connection.query("SELECT name FROM facilities WHERE district = \(district)")
/// ```
public struct Query: Sendable, ExpressibleByStringInterpolation {
  public var text: String
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

    public init(literalCapacity: Int, interpolationCount: Int) {}

    public mutating func appendLiteral(_ literal: String) { text += literal }

    public mutating func appendInterpolation(_ value: some PostgresEncodable) {
      append(Bind(value))
    }

    public mutating func appendInterpolation<V: PostgresEncodable>(_ value: V?) {
      append(Bind(value))
    }

    /// Text of the program's own; never anything that came from outside.
    public mutating func appendInterpolation(unescaped raw: String) { text += raw }

    private mutating func append(_ bind: Bind) {
      binds.append(bind)
      text += "$\(binds.count)"
    }
  }
}

/// A value on its way to a parameter, in the binary format.
public struct Bind: Sendable {
  public let type: PostgresType
  /// nil is NULL.
  public let bytes: [UInt8]?

  public init(_ value: some PostgresEncodable) {
    var bytes: [UInt8] = []
    value.encode(into: &bytes)
    self.init(type: Swift.type(of: value).postgresType, bytes: bytes)
  }

  public init<V: PostgresEncodable>(_ value: V?) {
    if let value { self.init(value) } else { self.init(type: V.postgresType, bytes: nil) }
  }

  /// An array in which some elements are NULL.
  public static func array<E: PostgresArrayElement>(_ elements: [E?]) -> Bind {
    var bytes: [UInt8] = []
    encodeArray(elements, into: &bytes)
    return Bind(type: E.postgresArrayType, bytes: bytes)
  }

  public init(type: PostgresType, bytes: [UInt8]?) {
    self.type = type
    self.bytes = bytes
  }
}
