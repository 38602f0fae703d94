/// What a `COPY … TO STDOUT` gives, in chunks of whole rows.
///
/// To be read once, from beginning to end or to a `break`; the connection can be used again
/// afterwards. After a `break` the COPY is cancelled, but within a transaction, which that would
/// abort, the rest is read and dropped.
public struct CopyOut: AsyncSequence, Sendable {
  public typealias Element = [UInt8]

  let connection: Connection
  let sql: String

  public func makeAsyncIterator() -> Iterator { Iterator(self) }

  public struct Iterator: AsyncIteratorProtocol {
    private let source: CopyOut
    private var reading: Reading?
    private var isAtEnd = false

    init(_ source: CopyOut) { self.source = source }

    public mutating func next() async throws -> [UInt8]? {
      guard !isAtEnd else { return nil }
      let reading = try await begun()
      let chunk = try await reading.next()
      isAtEnd = chunk == nil
      return chunk
    }

    private mutating func begun() async throws -> Reading {
      if let reading { return reading }
      let copy = try await source.connection.beginCopyOut(source.sql)
      let reading = Reading(connection: source.connection, copy: copy)
      self.reading = reading
      return reading
    }
  }

  /// Lives as long as the loop does, and gives the COPY up when it ends early.
  private final class Reading: Sendable {
    let connection: Connection
    let copy: Connection.CopyInProgress

    init(connection: Connection, copy: Connection.CopyInProgress) {
      self.connection = connection
      self.copy = copy
    }

    deinit { connection.abandon(copy) }

    /// At least this many bytes are handed over at once, where there are that many.
    private static let chunk = 1 << 16

    func next() async throws -> [UInt8]? {
      try await connection.nextChunk(of: copy, size: Self.chunk)
    }
  }
}
