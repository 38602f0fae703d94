import CLibPQ

extension Connection {
  /// Streams rows into a table.
  ///
  /// ```swift
  /// try await connection.copyIn("COPY readings (id, systolic) FROM STDIN") { copy in
  ///   for reading in readings { try await copy.write(row: [reading.id, reading.systolic]) }
  /// }
  /// ```
  ///
  /// The source goes at the server's pace. When the body throws, or the server refuses a row, none
  /// of the rows is stored and the connection stays usable.
  ///
  /// - Parameter sql: a `COPY … FROM STDIN`, in whichever format the body writes
  /// - Returns: how many rows were stored
  /// - Throws: what the body throws; the server's error where that is the reason
  @discardableResult
  public nonisolated(nonsending) func copyIn(
    _ sql: String, _ body: (borrowing CopyWriter) async throws -> Void
  ) async throws -> Int {
    let writer = CopyWriter(connection: self, copy: try await beginCopyIn(sql))
    do {
      try await body(writer)
      try await writer.flush()
    } catch {
      throw await endCopyIn(writer.copy, failedBy: error)
    }
    return try await endCopyIn(writer.copy)
  }

  /// Streams what a `COPY … TO STDOUT` gives. It begins when the first chunk is asked for, and the
  /// server goes at the reader's pace. Breaking off the loop cancels it.
  ///
  /// ```swift
  /// for try await chunk in connection.copyOut("COPY facilities TO STDOUT (FORMAT csv)") { … }
  /// ```
  public nonisolated func copyOut(_ sql: String) -> CopyOut {
    CopyOut(connection: self, sql: sql)
  }

  // MARK: - To the server

  private func beginCopyIn(_ sql: String) async throws -> CopyInProgress {
    try await perform { wire, bracket in
      try wire.beginCopy(sql, expecting: PGRES_COPY_IN, bracket: bracket)
      let copy = CopyInProgress.toServer(nextCopy())
      hold(copy)
      return copy
    }
  }

  func write(_ bytes: [UInt8], to copy: CopyInProgress) async throws {
    try await perform(within: copy) { wire, _ in
      guard try wire.put(bytes) else { throw CopyRefused() }
    }
  }

  private func endCopyIn(_ copy: CopyInProgress) async throws -> Int {
    try await perform(within: copy) { wire, _ in
      defer { release() }
      return try wire.endCopyIn(because: nil)
    }
  }

  /// - Returns: what is to be thrown: the server's own error when it has failed, otherwise `error`
  private func endCopyIn(_ copy: CopyInProgress, failedBy error: any Error) async -> any Error {
    do {
      return try await perform(ignoringCancellation: true, within: copy) { wire, _ in
        defer { release() }
        do {
          _ = try wire.endCopyIn(because: "the client broke off")
          return error
        } catch let serverError as PostgresError {
          guard error is CopyRefused else { return error }
          let isCancelled = Task.isCancelled && serverError.sqlState == .queryCanceled
          return isCancelled ? Connection.cancelled : serverError
        }
      }
    } catch let lost {
      return error is CopyRefused ? lost : error
    }
  }

  // MARK: - From the server

  func beginCopyOut(_ sql: String) async throws -> CopyInProgress {
    try await perform { wire, bracket in
      try wire.beginCopy(sql, expecting: PGRES_COPY_OUT, bracket: bracket)
      let copy = CopyInProgress.fromServer(nextCopy())
      hold(copy)
      return copy
    }
  }

  func nextChunk(of copy: CopyInProgress, size: Int) async throws -> [UInt8]? {
    do {
      let chunk = try await perform(within: copy) { wire, _ in try wire.take(atLeast: size) }
      if chunk == nil { release() }
      return chunk
    } catch {
      // The server's own error has ended the COPY; any other leaves it where it is.
      if transactionStatus == .active { abandon(copy) } else { release() }
      throw error
    }
  }

  /// Lets go of a COPY before its end. The connection is tidied up before its next statement.
  nonisolated func abandon(_ copy: CopyInProgress) {
    guard case .fromServer(let number) = copy else { return }
    session.withLock { $0.abandonedCopy = number }
  }
}

/// The server has ended a COPY early; its reason is read when the COPY is ended from this side too.
private struct CopyRefused: Error {}
