import CLibPQ

extension Wire {
  /// What was sent, in order; the results come in the same order.
  private enum Step {
    case deallocation
    case bracket
    case preparation(StatementCache.Key)
    case statement(Int)
    case sync
  }

  /// Several statements in one round trip. Up to the end they are one implicit transaction, unless
  /// `bracket` or a transaction begun before makes it an explicit one.
  ///
  /// - Parameters:
  ///   - bracket: statements without parameters to be executed first
  ///   - closing: one to be executed last: `COMMIT`
  /// - Throws: the first error, with the index of its statement. The server has skipped the rest.
  func pipeline(
    _ queries: [Query], _ mode: Mode, bracket: [String], closing: String? = nil
  ) throws -> [Rows] {
    for query in queries { try check(query) }
    let isAlone = transactionStatus == PQTRANS_IDLE
    do {
      return try pipelineOnce(queries, mode, bracket, closing)
    } catch let error as PostgresError where error.isStalePlan {
      for query in queries { statements.evict(StatementCache.Key(query)) }
      // Alone, or with its own BEGIN, nothing of it has happened and it can be sent again.
      guard isAlone, !isBroken else { throw error }
      if transactionStatus != PQTRANS_IDLE { try script("ROLLBACK") }
      return try pipelineOnce(queries, mode, bracket, closing)
    }
  }

  private func pipelineOnce(
    _ queries: [Query], _ mode: Mode, _ bracket: [String], _ closing: String?
  ) throws -> [Rows] {
    guard PQenterPipelineMode(connection) == 1 else { throw refusal() }
    do {
      let steps = try sendAll(queries, mode, bracket, closing)
      let (rows, failure) = try receive(steps, count: queries.count)
      guard PQexitPipelineMode(connection) == 1 else { throw refusal() }
      if let failure { throw failure }
      return rows
    } catch let error as PostgresError where PQpipelineStatus(connection) != PQ_PIPELINE_OFF {
      // Statements have been sent without the Sync that makes them happen, or answers are missing.
      // Only hanging up is sure to undo them.
      hangUp()
      throw error
    }
  }

  private func sendAll(
    _ queries: [Query], _ mode: Mode, _ bracket: [String], _ closing: String?
  ) throws -> [Step] {
    var steps: [Step] = []
    // On their own, because a failed one must not fail the statements.
    if transactionStatus == PQTRANS_IDLE {
      for name in statements.takeEvicted() {
        try send(Query(text: "DEALLOCATE \(name)"))
        try sync()
        steps += [.deallocation, .sync]
      }
    }
    // BEGIN goes before any preparation: parsing takes a snapshot, after which the server refuses
    // to set an isolation level.
    for text in bracket {
      try send(Query(text: text))
      steps.append(.bracket)
    }
    for (index, query) in queries.enumerated() {
      switch mode {
      case .parsed: try send(query)
      case .prepared: try sendPrepared(query, &steps)
      }
      steps.append(.statement(index))
    }
    if let closing {
      try send(Query(text: closing))
      steps.append(.bracket)
    }
    try sync()
    steps.append(.sync)
    return steps
  }

  private func sendPrepared(_ query: Query, _ steps: inout [Step]) throws {
    let key = StatementCache.Key(query)
    if let name = statements.name(of: key) { return try send(query, prepared: name) }
    let name = statements.reserve(key)
    try sendPreparation(of: query, as: name)
    steps.append(.preparation(key))
    try send(query, prepared: name)
  }

  private func sync() throws {
    guard PQpipelineSync(connection) == 1 else { throw refusal() }
  }

  private func receive(_ steps: [Step], count: Int) throws -> ([Rows], PostgresError?) {
    var rows: [Rows] = []
    rows.reserveCapacity(count)
    var failure: PostgresError?
    for step in steps {
      guard let result = try nextResult() else { throw unexpected() }
      if case .sync = step {
        guard result.status == PGRES_PIPELINE_SYNC else { throw unexpected() }
        continue
      }
      // A nil ends the results of each statement.
      guard try nextResult() == nil else { throw unexpected() }
      switch (result.status, step) {
      case (PGRES_COMMAND_OK, .statement), (PGRES_TUPLES_OK, .statement):
        rows.append(Rows(result: result))
      case (PGRES_COMMAND_OK, _), (PGRES_TUPLES_OK, _):
        if result.command == "ROLLBACK", failure == nil { failure = Self.aborted }
      case (_, .deallocation):
        // The server did not know it any more, which is just as well.
        break
      default:
        if case .preparation(let key) = step { statements.forget(key) }
        if result.status != PGRES_PIPELINE_ABORTED {
          failure = failure ?? error(result, step)
        }
      }
    }
    return (rows, failure)
  }

  /// A COMMIT that the server answered with ROLLBACK.
  static let aborted = PostgresError(
    .transactionAborted,
    "the transaction was rolled back, because one of its statements had failed")

  private func error(_ result: ServerResult, _ step: Step) -> PostgresError {
    var error = PostgresError(server: result)
    guard case .statement(let index) = step else { return error }
    error.statementIndex = index
    return error
  }

  private func unexpected() -> PostgresError {
    isBroken
      ? lost(nil)
      : PostgresError(.misuse, "a pipeline takes no COPY, and its answers were not as expected")
  }
}
