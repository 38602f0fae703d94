/// Network byte order, in which PostgreSQL sends every number.
extension Array where Element == UInt8 {
  mutating func append<Number: FixedWidthInteger>(bigEndian number: Number) {
    Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
  }

  /// Writes `number` over the bytes that begin at `offset`.
  mutating func replace<Number: FixedWidthInteger>(at offset: Int, bigEndian number: Number) {
    Swift.withUnsafeBytes(of: number.bigEndian) { source in
      for (index, byte) in source.enumerated() { self[offset + index] = byte }
    }
  }
}

extension UnsafeRawBufferPointer {
  /// The number that is the whole of these bytes.
  func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws -> Number {
    guard count == MemoryLayout<Number>.size else { throw DecodingFailure.malformed }
    return Number(bigEndian: loadUnaligned(as: Number.self))
  }

  /// The number that begins at `offset`, which is moved behind it.
  func number<Number: FixedWidthInteger>(
    _: Number.Type = Number.self, at offset: inout Int
  ) throws -> Number {
    let size = MemoryLayout<Number>.size
    guard offset >= 0, offset + size <= count else { throw DecodingFailure.malformed }
    defer { offset += size }
    return Number(bigEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
  }
}
