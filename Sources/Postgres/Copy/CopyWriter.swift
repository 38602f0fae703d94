/// Where the body of a ``Connection/copyIn(_:_:)`` puts its rows. Letting it escape is a compile
/// error.
public struct CopyWriter: ~Copyable {
  let connection: Connection
  let copy: Connection.CopyInProgress
  private let buffer = Buffer()

  init(connection: Connection, copy: Connection.CopyInProgress) {
    self.connection = connection
    self.copy = copy
  }

  /// What is gathered before it is sent: a hop to the connection's thread for each row would cost
  /// more than the row.
  private final class Buffer {
    var bytes: [UInt8] = []
  }

  private static let chunk = 1 << 17

  /// Writes bytes in the format that the COPY names. They need not end where a row does.
  public nonisolated(nonsending) func write(_ bytes: some Sequence<UInt8>) async throws {
    buffer.bytes.append(contentsOf: bytes)
    try await sendWhenFull()
  }

  /// Writes a row in the text format, which is COPY's default (PostgreSQL manual, COPY, "Text
  /// Format").
  /// - Parameter row: the columns as text, `nil` being NULL
  public nonisolated(nonsending) func write(row: [String?]) async throws {
    for (index, column) in row.enumerated() {
      if index > 0 { buffer.bytes.append(UInt8(ascii: "\t")) }
      Self.escape(column, into: &buffer.bytes)
    }
    buffer.bytes.append(UInt8(ascii: "\n"))
    try await sendWhenFull()
  }

  /// Sends what is still gathered. ``Connection/copyIn(_:_:)`` does so at the end.
  nonisolated(nonsending) func flush() async throws {
    guard !buffer.bytes.isEmpty else { return }
    let bytes = buffer.bytes
    buffer.bytes.removeAll(keepingCapacity: true)
    try await connection.write(bytes, to: copy)
  }

  private nonisolated(nonsending) func sendWhenFull() async throws {
    if buffer.bytes.count >= Self.chunk { try await flush() }
  }

  private static func escape(_ column: String?, into bytes: inout [UInt8]) {
    guard let column else { return bytes.append(contentsOf: "\\N".utf8) }
    for byte in column.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
      case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
      case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
      default: bytes.append(byte)
      }
    }
  }
}
