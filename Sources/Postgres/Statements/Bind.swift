/// A parameter of a statement: its type and its bytes in PostgreSQL's binary format.
public struct Bind: Sendable, Hashable {
  public let type: PostgresType
  /// `nil` is NULL.
  public let bytes: [UInt8]?

  public init(_ value: some PostgresEncodable) { self.init(Optional(value)) }

  /// `nil` is a NULL of the type that a value would have had.
  public init<Value: PostgresEncodable>(_ value: Value?) {
    type = Value.postgresType
    bytes = value.map { value in
      var bytes: [UInt8] = []
      value.encode(into: &bytes)
      return bytes
    }
  }

  /// A value that is in PostgreSQL's binary format already.
  public init(type: PostgresType, bytes: [UInt8]?) {
    self.type = type
    self.bytes = bytes
  }

  public static func null(_ type: PostgresType) -> Bind { Bind(type: type, bytes: nil) }
}
