import CZlib

/// Decompresses gzip in constant memory: one member, or several one after another, as bulk exports
/// and `cat a.gz b.gz` make them.
///
/// zlib's own `gzread` is not used: it ends at the first bytes between members that are no gzip,
/// and says nothing of what it left out.
final class Gunzip {
  /// What a gzip file begins with.
  static let mark: [UInt8] = [0x1F, 0x8B]

  enum Fault: String, Error {
    case isDamaged = "is damaged"
    case endsTooEarly = "ends too early"
  }

  // zlib keeps the address of its stream.
  private let stream: UnsafeMutablePointer<z_stream>
  private var input: [UInt8]
  private var used = 0
  private var isBetweenMembers = false

  /// - Parameter input: the first bytes of the file.
  init(_ input: [UInt8]) {
    self.input = input
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 16 more than the size of the window asks for gzip and nothing else (zlib.h).
    inflateInit2_(stream, MAX_WBITS + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// The next bytes, at most so many; nil at the end.
  /// - Parameter source: the next bytes of the file; nil at its end.
  func next(_ count: Int, from source: () throws -> [UInt8]?) throws -> [UInt8]? {
    while try fill(from: source) {
      // Zeros after a member fill a block of a tape.
      if isBetweenMembers, input[used] == 0 {
        used += 1
        continue
      }
      if isBetweenMembers { inflateReset(stream) }
      let bytes = try inflate(count)
      if !bytes.isEmpty { return bytes }
    }
    guard isBetweenMembers else { throw Fault.endsTooEarly }
    return nil
  }

  /// Whether there is input that is not yet used.
  private func fill(from source: () throws -> [UInt8]?) throws -> Bool {
    guard used == input.count else { return true }
    guard let more = try source() else { return false }
    (input, used) = (more, 0)
    return true
  }

  private func inflate(_ count: Int) throws -> [UInt8] {
    var status = Z_OK
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { output, written in
      input.withUnsafeMutableBufferPointer { input in
        stream.pointee.next_in = input.baseAddress?.advanced(by: used)
        stream.pointee.avail_in = UInt32(input.count - used)
        stream.pointee.next_out = output.baseAddress
        stream.pointee.avail_out = UInt32(count)
        status = CZlib.inflate(stream, Z_NO_FLUSH)
        used = input.count - Int(stream.pointee.avail_in)
        written = count - Int(stream.pointee.avail_out)
      }
    }
    // Z_BUF_ERROR asks for more input.
    guard [Z_OK, Z_BUF_ERROR, Z_STREAM_END].contains(status) else { throw Fault.isDamaged }
    isBetweenMembers = status == Z_STREAM_END
    return bytes
  }
}
