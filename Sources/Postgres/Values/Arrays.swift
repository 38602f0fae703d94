import Foundation

/// A type whose arrays are PostgreSQL's one-dimensional arrays. An `Optional` of one is too, so
/// that `[Int?]` has NULLs among its elements.
public protocol PostgresArrayElement: Sendable {
  /// The type of one element.
  static var elementType: PostgresType { get }
  /// The type of the whole array.
  static var arrayType: PostgresType { get }

  /// Appends the element's bytes.
  /// - Returns: false, having appended nothing, for NULL.
  func encodeElement(into bytes: inout [UInt8]) -> Bool
  /// Reads an element, `nil` being NULL.
  static func decodeElement(_ bytes: UnsafeRawBufferPointer?, type: PostgresType) throws -> Self

  /// Appends the whole array. Implemented anew by `UInt8` alone, whose "array" is a `bytea`.
  static func encode(array: [Self], into bytes: inout [UInt8])
  /// Reads the whole array.
  static func decode(array bytes: UnsafeRawBufferPointer, type: PostgresType) throws -> [Self]
}

extension PostgresArrayElement where Self: PostgresEncodable & PostgresDecodable {
  public static var elementType: PostgresType { postgresType }

  public func encodeElement(into bytes: inout [UInt8]) -> Bool {
    encode(into: &bytes)
    return true
  }

  public static func decodeElement(
    _ bytes: UnsafeRawBufferPointer?, type: PostgresType
  ) throws -> Self {
    try decodeNullable(bytes, type: type)
  }
}

// The layout of an array is that of `array_send` in PostgreSQL's `arrayfuncs.c`: the number of
// dimensions, whether there are NULLs, the element's type, length and lower bound of each
// dimension, then each element with its length, -1 being NULL.
extension PostgresArrayElement {
  public static func encode(array: [Self], into bytes: inout [UInt8]) {
    bytes.append(bigEndian: Int32(array.isEmpty ? 0 : 1))
    let nullsFlag = bytes.count
    bytes.append(bigEndian: Int32(0))
    bytes.append(bigEndian: elementType.rawValue)
    guard !array.isEmpty else { return }
    bytes.append(bigEndian: Int32(array.count))
    bytes.append(bigEndian: Int32(1))
    for element in array {
      let length = bytes.count
      bytes.append(bigEndian: Int32(-1))
      if element.encodeElement(into: &bytes) {
        bytes.replace(at: length, bigEndian: Int32(bytes.count - length - 4))
      } else {
        bytes.replace(at: nullsFlag, bigEndian: Int32(1))
      }
    }
  }

  public static func decode(
    array bytes: UnsafeRawBufferPointer, type: PostgresType
  ) throws -> [Self] {
    var offset = 0
    let dimensions = try bytes.number(Int32.self, at: &offset)
    _ = try bytes.number(Int32.self, at: &offset)
    let elementType = PostgresType(rawValue: try bytes.number(at: &offset))
    guard dimensions <= 1 else { throw DecodingFailure.typeMismatch }
    guard dimensions == 1 else { return [] }
    let count = Int(try bytes.number(Int32.self, at: &offset))
    _ = try bytes.number(Int32.self, at: &offset)
    // Each element has at least its length's four bytes: a count beyond that is not PostgreSQL's.
    guard count >= 0, count <= (bytes.count - offset) / 4 else { throw DecodingFailure.malformed }
    return try (0..<count).map { _ in
      let length = Int(try bytes.number(Int32.self, at: &offset))
      guard length >= 0 else { return try decodeElement(nil, type: elementType) }
      guard offset + length <= bytes.count else { throw DecodingFailure.malformed }
      defer { offset += length }
      return try decodeElement(
        UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]), type: elementType)
    }
  }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
  public static var postgresType: PostgresType { Element.arrayType }

  public func encode(into bytes: inout [UInt8]) { Element.encode(array: self, into: &bytes) }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
  public static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) throws -> Self {
    try Element.decode(array: bytes, type: type)
  }
}

extension Optional: PostgresArrayElement where Wrapped: PostgresArrayElement {
  public static var elementType: PostgresType { Wrapped.elementType }
  public static var arrayType: PostgresType { Wrapped.arrayType }

  public func encodeElement(into bytes: inout [UInt8]) -> Bool {
    guard let self else { return false }
    return self.encodeElement(into: &bytes)
  }

  public static func decodeElement(
    _ bytes: UnsafeRawBufferPointer?, type: PostgresType
  ) throws -> Self {
    guard bytes != nil else { return nil }
    return try Wrapped.decodeElement(bytes, type: type)
  }
}

extension Bool: PostgresArrayElement {
  public static var arrayType: PostgresType { .boolArray }
}
extension Int16: PostgresArrayElement {
  public static var arrayType: PostgresType { .int2Array }
}
extension Int32: PostgresArrayElement {
  public static var arrayType: PostgresType { .int4Array }
}
extension Int64: PostgresArrayElement {
  public static var arrayType: PostgresType { .int8Array }
}
extension Int: PostgresArrayElement {
  public static var arrayType: PostgresType { .int8Array }
}
extension Double: PostgresArrayElement {
  public static var arrayType: PostgresType { .float8Array }
}
extension String: PostgresArrayElement {
  public static var arrayType: PostgresType { .textArray }
}
extension UUID: PostgresArrayElement {
  public static var arrayType: PostgresType { .uuidArray }
}
extension Date: PostgresArrayElement {
  public static var arrayType: PostgresType { .timestamptzArray }
}
extension Timestamp: PostgresArrayElement {
  public static var arrayType: PostgresType { .timestamptzArray }
}
extension CalendarDay: PostgresArrayElement {
  public static var arrayType: PostgresType { .dateArray }
}

/// `[UInt8]` is a `bytea`, not an array of one-byte integers, which PostgreSQL does not have.
extension UInt8: PostgresArrayElement {
  public static var elementType: PostgresType { .char }
  public static var arrayType: PostgresType { .bytea }

  public func encodeElement(into bytes: inout [UInt8]) -> Bool {
    bytes.append(self)
    return true
  }

  public static func decodeElement(
    _ bytes: UnsafeRawBufferPointer?, type: PostgresType
  ) throws -> UInt8 {
    guard let bytes else { throw DecodingFailure.null }
    return try bytes.number()
  }

  public static func encode(array: [UInt8], into bytes: inout [UInt8]) {
    bytes.append(contentsOf: array)
  }

  public static func decode(
    array bytes: UnsafeRawBufferPointer, type: PostgresType
  ) throws -> [UInt8] {
    guard type == .bytea else { throw DecodingFailure.typeMismatch }
    return [UInt8](bytes)
  }
}

/// `[[UInt8]]` is an array of `bytea`.
extension Array: PostgresArrayElement where Element == UInt8 {
  public static var elementType: PostgresType { .bytea }
  public static var arrayType: PostgresType { .byteaArray }
}
