/// Takes the byte order mark from the beginning of a file, also when it comes a byte at a time.
struct ByteOrderMark {
  private static let bytes: [UInt8] = [0xEF, 0xBB, 0xBF]
  private var lead: [UInt8] = []
  private var isDecided = false

  /// Removes what may be the mark from the front of the bytes.
  /// - Returns: bytes that were held back and turned out to be no mark.
  mutating func take(_ rest: inout UnsafeRawBufferPointer) -> [UInt8]? {
    while !isDecided, let byte = rest.first {
      guard Self.bytes[lead.count] == byte else {
        isDecided = true
        return lead.isEmpty ? nil : lead
      }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
      lead.append(byte)
      isDecided = lead.count == Self.bytes.count
    }
    return nil
  }

  /// At the end of the file: bytes that are still held back.
  mutating func end() -> [UInt8]? {
    defer { isDecided = true }
    return isDecided || lead.isEmpty ? nil : lead
  }
}
