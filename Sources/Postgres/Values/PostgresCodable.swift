/// A value that can be sent to the server as a parameter, in PostgreSQL's binary format.
///
/// An `Optional` of such a value can be sent wherever the value can: `nil` is NULL.
public protocol PostgresEncodable: Sendable {
  /// The type that the server is told the parameter has. A statement that needs another says so
  /// with a cast: `\(label)::period_label`.
  static var postgresType: PostgresType { get }

  /// Appends the value's bytes, without a length.
  func encode(into bytes: inout [UInt8])
}

/// A value that can be read from a column of a result.
public protocol PostgresDecodable {
  /// Reads a value that is not NULL.
  ///
  /// - Parameters:
  ///   - bytes: the value in PostgreSQL's binary format; not valid after the call
  ///   - type: what the column's type is
  /// - Throws: ``DecodingFailure`` when a column of `type` cannot be read as this type, or the
  ///   value does not fit into it.
  static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) throws -> Self

  /// Reads a value, or NULL as `nil`. Only `Optional` has a reason to implement it.
  static func decodeNullable(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws -> Self
}

extension PostgresDecodable {
  public static func decodeNullable(
    _ bytes: UnsafeRawBufferPointer?, type: PostgresType
  ) throws -> Self {
    guard let bytes else { throw DecodingFailure.null }
    return try decode(bytes, type: type)
  }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
  public static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) throws -> Self {
    try Wrapped.decode(bytes, type: type)
  }

  public static func decodeNullable(
    _ bytes: UnsafeRawBufferPointer?, type: PostgresType
  ) throws -> Self {
    guard let bytes else { return nil }
    return try Wrapped.decode(bytes, type: type)
  }
}

/// Why a column could not be read. ``Row`` adds the column's name and throws ``PostgresError``;
/// the value itself is never in the message.
public enum DecodingFailure: Error, Sendable, Equatable {
  /// NULL, where the type asked for has no place for it.
  case null
  /// A column of this type cannot be read as the type asked for.
  case typeMismatch
  /// The value lies outside what the type asked for can hold.
  case outOfRange
  /// The bytes are not what PostgreSQL sends for the type.
  case malformed
}
