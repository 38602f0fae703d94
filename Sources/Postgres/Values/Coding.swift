import Foundation

/// A value that can be bound to a statement's parameter. It travels in PostgreSQL's binary format: no text is parsed, and
/// no session setting (date style, time zone) can change its meaning.
public protocol PostgresEncodable: Sendable {
  static var postgresType: PostgresType { get }
  func encode(into bytes: inout [UInt8])
}

/// A value that can be read from a column.
public protocol PostgresDecodable {
  /// - Throws: ``DecodingFailure`` for NULL where the type has no place for it, or a column of another type.
  static func decode(_ value: WireValue) throws -> Self
}

/// A type whose one-dimensional arrays can be bound.
public protocol PostgresArrayElement: PostgresEncodable, PostgresDecodable {
  static var postgresArrayType: PostgresType { get }
}

/// A column's value as it came: nil bytes are NULL.
public struct WireValue {
  public let type: PostgresType
  public let bytes: UnsafeRawBufferPointer?

  func bytes(as wanted: Any.Type, of types: PostgresType...) throws -> UnsafeRawBufferPointer {
    guard let bytes else { throw DecodingFailure(wanted: wanted, type: type, isNull: true) }
    guard types.contains(type) else { throw DecodingFailure(wanted: wanted, type: type) }
    return bytes
  }
}

/// A column did not have the type, or the value, that the code asked for. The value itself is not shown.
public struct DecodingFailure: Error, CustomStringConvertible {
  public let wanted: String
  public let type: PostgresType
  public let isNull: Bool

  init(wanted: Any.Type, type: PostgresType, isNull: Bool = false) {
    self.wanted = "\(wanted)"
    self.type = type
    self.isNull = isNull
  }

  public var description: String {
    isNull
      ? "a column is NULL where \(wanted) was expected"
      : "a column of PostgreSQL type \(type.rawValue) cannot be read as \(wanted)"
  }
}

extension UnsafeRawBufferPointer {
  /// The first bytes as a big-endian number; libpq's buffers are not aligned.
  func number<N: FixedWidthInteger>(_: N.Type = N.self, at offset: Int = 0) -> N? {
    guard count >= offset + MemoryLayout<N>.size else { return nil }
    return N(bigEndian: loadUnaligned(fromByteOffset: offset, as: N.self))
  }
}

extension [UInt8] {
  mutating func append(bigEndian number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
  }
}

// MARK: Integers

extension FixedWidthInteger {
  fileprivate static func integer(_ value: WireValue) throws -> Self {
    let bytes = try value.bytes(as: Self.self, of: .int2, .int4, .int8, .oid)
    let wide: Int64? =
      switch bytes.count {
      case 2: bytes.number(Int16.self).map(Int64.init)
      case 4: value.type == .oid ? bytes.number(UInt32.self).map(Int64.init) : bytes.number(Int32.self).map(Int64.init)
      default: bytes.number(Int64.self)
      }
    guard let wide, let number = Self(exactly: wide) else {
      throw DecodingFailure(wanted: Self.self, type: value.type)
    }
    return number
  }
}

extension Int16: PostgresArrayElement {
  public static var postgresType: PostgresType { .int2 }
  public static var postgresArrayType: PostgresType { .int2Array }
  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
  public static func decode(_ value: WireValue) throws -> Int16 { try integer(value) }
}

extension Int32: PostgresArrayElement {
  public static var postgresType: PostgresType { .int4 }
  public static var postgresArrayType: PostgresType { .int4Array }
  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
  public static func decode(_ value: WireValue) throws -> Int32 { try integer(value) }
}

extension Int64: PostgresArrayElement {
  public static var postgresType: PostgresType { .int8 }
  public static var postgresArrayType: PostgresType { .int8Array }
  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
  public static func decode(_ value: WireValue) throws -> Int64 { try integer(value) }
}

extension Int: PostgresArrayElement {
  public static var postgresType: PostgresType { .int8 }
  public static var postgresArrayType: PostgresType { .int8Array }
  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: Int64(self)) }
  public static func decode(_ value: WireValue) throws -> Int { try integer(value) }
}

// MARK: Others

extension Bool: PostgresArrayElement {
  public static var postgresType: PostgresType { .bool }
  public static var postgresArrayType: PostgresType { .boolArray }
  public func encode(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
  public static func decode(_ value: WireValue) throws -> Bool {
    try value.bytes(as: Self.self, of: .bool).first == 1
  }
}

extension Double: PostgresArrayElement {
  public static var postgresType: PostgresType { .float8 }
  public static var postgresArrayType: PostgresType { .float8Array }
  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: bitPattern) }
  public static func decode(_ value: WireValue) throws -> Double {
    guard let bits = try value.bytes(as: Self.self, of: .float8).number(UInt64.self) else {
      throw DecodingFailure(wanted: Self.self, type: value.type)
    }
    return Double(bitPattern: bits)
  }
}

extension String: PostgresArrayElement {
  public static var postgresType: PostgresType { .text }
  public static var postgresArrayType: PostgresType { .textArray }
  public func encode(into bytes: inout [UInt8]) { bytes.append(contentsOf: utf8) }
  public static func decode(_ value: WireValue) throws -> String {
    String(
      decoding: try value.bytes(as: Self.self, of: .text, .varchar, .name, .char), as: UTF8.self)
  }
}

extension UUID: PostgresArrayElement {
  public static var postgresType: PostgresType { .uuid }
  public static var postgresArrayType: PostgresType { .uuidArray }
  public func encode(into bytes: inout [UInt8]) {
    withUnsafeBytes(of: uuid) { bytes.append(contentsOf: $0) }
  }
  public static func decode(_ value: WireValue) throws -> UUID {
    let bytes = try value.bytes(as: Self.self, of: .uuid)
    guard bytes.count == 16 else { throw DecodingFailure(wanted: Self.self, type: value.type) }
    return UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
  }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
  public static var postgresType: PostgresType { Element.postgresArrayType }

  public func encode(into bytes: inout [UInt8]) {
    encodeArray(self.map(Optional.some), into: &bytes)
  }
}

/// PostgreSQL's array_send: dimensions, whether there are NULLs, element type, length, lower bound, elements.
func encodeArray<Element: PostgresArrayElement>(_ elements: [Element?], into bytes: inout [UInt8]) {
  bytes.append(bigEndian: Int32(elements.isEmpty ? 0 : 1))
  bytes.append(bigEndian: Int32(elements.contains { $0 == nil } ? 1 : 0))
  bytes.append(bigEndian: Element.postgresType.rawValue)
  guard !elements.isEmpty else { return }
  bytes.append(bigEndian: Int32(elements.count))
  bytes.append(bigEndian: Int32(1))
  for element in elements {
    guard let element else {
      bytes.append(bigEndian: Int32(-1))
      continue
    }
    let start = bytes.count
    bytes.append(bigEndian: Int32(0))
    element.encode(into: &bytes)
    let length = Int32(bytes.count - start - 4)
    Swift.withUnsafeBytes(of: length.bigEndian) { bytes.replaceSubrange(start..<start + 4, with: $0) }
  }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
  public static func decode(_ value: WireValue) throws -> [Element] {
    guard let bytes = value.bytes else { throw DecodingFailure(wanted: Self.self, type: value.type, isNull: true) }
    if Element.self == UInt8.self, value.type == .bytea { return bytes.map { $0 } as? [Element] ?? [] }
    let failure = DecodingFailure(wanted: Self.self, type: value.type)
    guard let dimensions = bytes.number(Int32.self), dimensions <= 1 else { throw failure }
    guard dimensions == 1 else { return [] }
    guard let type = bytes.number(UInt32.self, at: 8), let count = bytes.number(Int32.self, at: 12)
    else { throw failure }
    var offset = 20
    return try (0..<count).map { _ in
      guard let length = bytes.number(Int32.self, at: offset) else { throw failure }
      offset += 4
      guard length >= 0 else {
        return try Element.decode(WireValue(type: PostgresType(rawValue: type), bytes: nil))
      }
      guard offset + Int(length) <= bytes.count else { throw failure }
      defer { offset += Int(length) }
      return try Element.decode(
        WireValue(
          type: PostgresType(rawValue: type),
          bytes: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(length)])))
    }
  }
}

extension UInt8: PostgresDecodable {
  public static func decode(_ value: WireValue) throws -> UInt8 { try integer(value) }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
  public static func decode(_ value: WireValue) throws -> Wrapped? {
    value.bytes == nil ? nil : try Wrapped.decode(value)
  }
}
