/// The parameters of a statement as libpq wants them: parallel arrays of types, pointers, lengths
/// and formats. Kept from statement to statement so that the arrays are not allocated each time.
struct ParameterBuffer {
  private var types: [UInt32] = []
  private var bytes: [UInt8] = []
  private var offsets: [Int?] = []
  private var lengths: [Int32] = []
  private var formats: [Int32] = []
  private var pointers: [UnsafePointer<CChar>?] = []

  /// Calls `body` with the number of parameters and the arrays, which are valid during the call.
  mutating func with<Result>(
    _ binds: [Bind],
    _ body: (
      Int32, UnsafePointer<UInt32>?, UnsafePointer<UnsafePointer<CChar>?>?,
      UnsafePointer<Int32>?, UnsafePointer<Int32>?
    ) -> Result
  ) -> Result {
    guard !binds.isEmpty else { return body(0, nil, nil, nil, nil) }
    fill(binds)
    return bytes.withUnsafeBytes { bytes in
      // An empty value must not have a null pointer, which would be NULL: hence the spare byte.
      let start = bytes.bindMemory(to: CChar.self).baseAddress
      pointers.removeAll(keepingCapacity: true)
      for offset in offsets { pointers.append(offset.flatMap { start?.advanced(by: $0) }) }
      return body(Int32(binds.count), types, pointers, lengths, formats)
    }
  }

  private mutating func fill(_ binds: [Bind]) {
    types.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
    offsets.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    formats.removeAll(keepingCapacity: true)
    for bind in binds {
      types.append(bind.type.rawValue)
      formats.append(1)
      offsets.append(bind.bytes == nil ? nil : bytes.count)
      lengths.append(Int32(bind.bytes?.count ?? 0))
      bytes.append(contentsOf: bind.bytes ?? [])
    }
    bytes.append(0)
  }
}
