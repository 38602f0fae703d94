import Foundation

extension Bool: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .bool }

  public func encode(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }

  public static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) throws -> Bool {
    guard type == .bool else { throw DecodingFailure.typeMismatch }
    return try bytes.number(UInt8.self) != 0
  }
}

extension Int16: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .int2 }
}

extension Int32: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .int4 }
}

extension Int64: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .int8 }
}

extension Int: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .int8 }
}

/// An integer is sent in its own width, and read from a column of any width, `numeric` included
/// (`sum()` of a bigint is one), as long as the value fits and has no fraction.
extension FixedWidthInteger where Self: SignedInteger {
  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: self) }

  public static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) throws -> Self {
    let wide: Int64
    switch type {
    case .int2: wide = Int64(try bytes.number(Int16.self))
    case .int4: wide = Int64(try bytes.number(Int32.self))
    case .int8: wide = try bytes.number(Int64.self)
    case .oid: wide = Int64(try bytes.number(UInt32.self))
    case .numeric: wide = try Numeric(bytes).integer()
    default: throw DecodingFailure.typeMismatch
    }
    guard let value = Self(exactly: wide) else { throw DecodingFailure.outOfRange }
    return value
  }
}

extension Double: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .float8 }

  public func encode(into bytes: inout [UInt8]) { bytes.append(bigEndian: bitPattern) }

  /// Reads `float8`, `float4`, `numeric` (the nearest double) and the integers that a double holds
  /// exactly.
  public static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) throws -> Double {
    switch type {
    case .float8: return Double(bitPattern: try bytes.number(UInt64.self))
    case .float4: return Double(Float(bitPattern: try bytes.number(UInt32.self)))
    case .int2: return Double(try bytes.number(Int16.self))
    case .int4: return Double(try bytes.number(Int32.self))
    case .int8:
      guard let value = Double(exactly: try bytes.number(Int64.self)) else {
        throw DecodingFailure.outOfRange
      }
      return value
    case .numeric:
      guard let value = Double(try Numeric(bytes).description) else {
        throw DecodingFailure.malformed
      }
      return value
    default: throw DecodingFailure.typeMismatch
    }
  }
}

extension String: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .text }

  public func encode(into bytes: inout [UInt8]) { bytes.append(contentsOf: utf8) }

  /// Reads every text type, enums and other types made by `CREATE TYPE` whose binary form is text,
  /// `json` and `jsonb`, and `numeric` as its decimal digits.
  public static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) throws -> String {
    switch type {
    case .text, .varchar, .name, .bpchar, .char, .json, .unknown, .void:
      return try utf8(bytes)
    case .jsonb:
      // One byte of version, then the text.
      guard bytes.first == 1 else { throw DecodingFailure.malformed }
      return try utf8(UnsafeRawBufferPointer(rebasing: bytes.dropFirst()))
    case .numeric:
      return try Numeric(bytes).description
    default:
      guard type.rawValue >= PostgresType.firstUserDefined else {
        throw DecodingFailure.typeMismatch
      }
      return try utf8(bytes)
    }
  }

  private static func utf8(_ bytes: UnsafeRawBufferPointer) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw DecodingFailure.malformed
    }
    return text
  }
}

extension UUID: PostgresEncodable, PostgresDecodable {
  public static var postgresType: PostgresType { .uuid }

  public func encode(into bytes: inout [UInt8]) {
    withUnsafeBytes(of: uuid) { bytes.append(contentsOf: $0) }
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, type: PostgresType) throws -> UUID {
    guard type == .uuid else { throw DecodingFailure.typeMismatch }
    guard bytes.count == MemoryLayout<uuid_t>.size else { throw DecodingFailure.malformed }
    return UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
  }
}
