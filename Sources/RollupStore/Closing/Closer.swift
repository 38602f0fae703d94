import Foundation
import PeriodRollups
import Postgres

/// Closes periods, and restates them.
///
/// A period is closed in one transaction: whoever kills it at any point has closed the period or not begun. The heavy
/// part, publishing and digesting, is done before the period's partitions are locked; with the lock held only what has
/// changed meanwhile is done again, the guard is put on, and the edition entered.
public struct Closer: Sendable {
  let store: RollupStore
  let publication: any Publication
  /// Who closes, for the record.
  let author: String
  /// The day that tests say it is; nil for the server's, in the reporting time zone.
  package var today: CalendarDate?

  public init(_ store: RollupStore, publishing publication: any Publication, author: String) {
    self.store = store
    self.publication = publication
    self.author = author
  }

  /// What was closed.
  public struct Outcome: Sendable, Hashable {
    public let edition: Edition
    /// In hexadecimal digits.
    public let digest: String
    /// How long writers of the period were kept waiting at most, from the lock to the commit.
    public let held: Duration
  }

  /// Closes a period.
  /// - Parameters:
  ///   - early: although its grace is not over.
  ///   - despiteBackfill: although a backfill of it is not finished, whose rows may be half there.
  /// - Throws: ``Closing/Refusal``.
  @discardableResult
  public func close(_ period: Period, early: Bool = false, despiteBackfill: Bool = false)
    async throws -> Outcome
  {
    try await close(period, early: early, despiteBackfill: despiteBackfill, turn: {})
  }

  /// Closes many, several at a time: while one is entered the next are computed. They are entered in the order given.
  /// - Parameters:
  ///   - despiteBackfill: also those of which a backfill is not finished.
  ///   - workers: how many are computed at a time, each on a connection of its own.
  ///   - progress: called for each in order; an outcome of nil says that another closing came first.
  /// - Throws: what the first that failed threw; those before it are closed, those after it are not.
  public func close(
    _ periods: [Period], early: Bool = false, despiteBackfill: Bool = false, workers: Int,
    progress: @Sendable @escaping (Period, Outcome?) -> Void
  ) async throws {
    let turns = Turns()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (place, period) in periods.enumerated() {
        if place >= max(1, workers) { try await group.next() }
        group.addTask {
          do {
            let outcome = try await close(
              period, early: early, despiteBackfill: despiteBackfill,
              turn: { try await turns.wait(for: place) })
            progress(period, outcome)
          } catch Closing.Refusal.alreadyClosed {
            // Nobody's turn comes when one before has failed, which throws what is to be said.
            guard (try? await turns.wait(for: place)) != nil else { return }
            progress(period, nil)
          } catch is CancellationError where !Task.isCancelled {
            return
          } catch {
            // Those before it are entered first.
            try? await turns.wait(for: place)
            await turns.stop()
            throw error
          }
          await turns.next()
        }
      }
      try await group.waitForAll()
    }
  }

  private func close(
    _ period: Period, early: Bool, despiteBackfill: Bool, turn: () async throws -> Void
  ) async throws -> Outcome {
    let (today, grace) = try await calendar()
    try Closing.check(period, on: today, grace: grace, early: early)
    let asOpen = { (editions: [Int]) throws(Closing.Refusal) -> String? in
      if let last = editions.last { throw .alreadyClosed(period, edition: last) }
      return nil
    }
    return try await publish(
      period, despiteBackfill: despiteBackfill, turn: turn, check: asOpen)
  }

  /// Makes the next edition of a closed period from what is known now.
  /// - Parameter despiteBackfill: although a backfill of it is not finished, of which what is late may be half there.
  /// - Throws: ``Closing/Refusal``.
  @discardableResult
  public func restate(_ period: Period, reason: String, despiteBackfill: Bool = false) async throws
    -> Outcome
  {
    guard Closing.types.contains(period.type) else { throw Closing.Refusal.staysOpen(period) }
    guard reason.contains(where: { !$0.isWhitespace }) else {
      throw Closing.Refusal.noReason(period)
    }
    let asClosed = { (editions: [Int]) throws(Closing.Refusal) -> String? in
      if editions.isEmpty { throw .open(period) }
      return reason
    }
    return try await publish(
      period, despiteBackfill: despiteBackfill, turn: {}, check: asClosed)
  }

  // MARK: Steps

  /// - Parameters:
  ///   - despiteBackfill: also while a backfill of it is not finished.
  ///   - turn: waits until this closing may be entered.
  ///   - check: given the editions there are, says the reason of a restatement, or refuses.
  private func publish(
    _ period: Period, despiteBackfill: Bool, turn: () async throws -> Void,
    check: ([Int]) throws(Closing.Refusal) -> String?
  ) async throws -> Outcome {
    try await checkRows(of: period, despiteBackfill: despiteBackfill, check: check)
    if let span = PeriodSpan(from: period, through: period) {
      _ = try await store.pool.withConnection {
        try await Partitions(store.catalog).ensure(span, on: $0)
      }
    }
    var lockedAt = ContinuousClock.now
    let (edition, digest) = try await store.pool.transaction(.readCommitted, retrying: .closing) {
      tx in
      let before = try await editions(of: period, in: tx)
      let reason = try check(before)
      if !despiteBackfill { try await checkFilled(period, in: tx) }
      let edition = Edition(period, before.count + 1)
      try await prepare(period, in: tx)
      let since = try await tx.query(
        "SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::numeric % 4294967296)::text"
      ).only(String.self)
      try await publication.publish(edition, since: since, in: tx)
      for part in parts(edition) {
        try await run(part.part.storeLeaves(ofPlaces: false), edition, in: tx)
      }
      let former = try await former(edition, in: tx)
      if reason != nil { try await keep(edition, former, in: tx) }

      try await turn()
      // One closing at a time is entered: the chain of digests has one end. Of two that close the same period the second
      // meets the first's rows, begins again, and finds it closed.
      try await tx.execute("SELECT pg_advisory_xact_lock(\(Self.lock))")
      _ = try check(try await editions(of: period, in: tx))
      try await tx.lock(store.catalog.closingOrder(of: period).map { $0.lock(period) })
      lockedAt = .now
      // One that began meanwhile may have written what was not there when it was published; nothing goes on from here.
      if !despiteBackfill { try await checkFilled(period, in: tx) }
      if reason != nil { try await takeIn(edition, former, in: tx) }
      try await refresh(edition, since: since, in: tx)
      for table in store.catalog.closingOrder(of: period) where former[table.name] == nil {
        for statement in table.seal(period) { try await tx.script(statement.text) }
      }
      try await record(edition, in: tx)
      try await tx.execute(store.query(Changes.noteEverything))
      // Of rows that were just written the planner expects one, and would compare every place with every other.
      try await tx.script("SET LOCAL enable_nestloop = off; SET LOCAL jit = off")
      try await run(publication.places.storeRegions, edition, in: tx)
      let digest = try await tx.query(
        store.query(
          Closing.enterEdition,
          edition.values.merging([
            "period_name": Bind(period.description), "definitions": Bind(publication.definitions),
            "closed_by": Bind(author), "reason": Bind(reason),
          ]) { $1 })
      ).only(String.self)
      return (edition, digest)
    }
    let held = ContinuousClock.now - lockedAt
    await store.forgetChanges()
    return Outcome(edition: edition, digest: digest, held: held)
  }

  /// In a transaction of its own: it reads whole rollups, and a closing that holds their tables while it waits for its turn would
  /// be in the way of the one whose turn it is.
  private func checkRows(
    of period: Period, despiteBackfill: Bool, check: ([Int]) throws(Closing.Refusal) -> String?
  ) async throws {
    try await store.pool.transaction(.readCommitted, retrying: .standard) { tx in
      let reason = try check(try await editions(of: period, in: tx))
      guard !despiteBackfill else { return }
      try await checkBegun(period, in: tx)
      let trust = SourceTrust(store.catalog, besides: publication.reads)
      try await trust.check(in: tx, holding: trust.relations)
      try await checkFilled(period, in: tx)
      _ = try await tx.pipeline(["SET LOCAL work_mem = '64MB'", "SET LOCAL jit = off"])
      try await checkRows(of: period, isClosed: reason != nil, in: tx)
    }
  }

  private func checkFilled(_ period: Period, in tx: borrowing Transaction) async throws {
    guard let filling = try await UnfinishedFilling.find(of: period, in: tx) else { return }
    throw Closing.Refusal.beingFilled(period, run: filling.run, begun: "\(filling.begun)")
  }

  private func editions(of period: Period, in tx: borrowing Transaction) async throws -> [Int] {
    try await RollupStore.editions(in: tx).map(\.edition).filter { $0.period == period }
      .map(\.number)
  }

  /// Spells "close".
  static let lock: Int64 = 0x63_6C6F_7365

  private func prepare(_ period: Period, in tx: borrowing Transaction) async throws {
    try await checkBegun(period, in: tx)
    try await SourceTrust(store.catalog, besides: publication.reads)
      .check(in: tx, holding: publication.reads)
    _ = try await tx.pipeline([
      "SET LOCAL work_mem = '64MB'", "SET LOCAL jit = off",
      store.query(Doing.change.statement),
    ])
  }

  private typealias Part = (part: EditionPart, isPublished: Bool)

  private func parts(_ edition: Edition) -> [Part] {
    publication.parts.map { ($0, true) }
      + store.catalog.closingOrder(of: edition.period).map { ($0.part(of: edition.period), false) }
  }

  /// The parts of the edition before, by name; none at closing. A rollup that was declared since is in none, and closed by
  /// this edition.
  private func former(_ edition: Edition, in tx: borrowing Transaction) async throws
    -> [String: RecordedPart]
  {
    guard edition.number > 1 else { return [:] }
    let parts = try await store.parts(of: Edition(edition.period, edition.number - 1), in: tx)
    return Dictionary(uniqueKeysWithValues: parts.map { ($0.name, $0) })
  }

  /// Puts on record what the digests are over.
  private func record(_ edition: Edition, in tx: borrowing Transaction) async throws {
    for (part, _) in parts(edition) {
      let record = part.record
      try await tx.execute(
        store.query(
          Closing.enterPart,
          edition.values.merging([
            "part": Bind(record.name), "relation": Bind(record.table.qualified),
            "place": Bind(record.place.name.name),
            "columns": Bind(record.columns.map(\.name.name)),
          ]) { $1 }))
    }
  }

  /// Does again, with writers kept out, what has changed since it was published; of a restatement also the rows that
  /// were taken in.
  private func refresh(
    _ edition: Edition, since: String, in tx: borrowing Transaction
  ) async throws {
    let published = try await publication.refresh(edition, since: since, in: tx)
    for (part, isPublished) in parts(edition) {
      let places =
        isPublished
        ? published
        : try await tx.query(
          store.query(part.changed, edition.values.merging(["since": Bind(since)]) { $1 })
        ).map { try $0.decode(String.self) }
      guard !places.isEmpty else { continue }
      let values = edition.values.merging(["places": Bind(places)]) { $1 }
      try await tx.execute(store.query(part.dropLeaves, values))
      try await tx.execute(store.query(part.storeLeaves(ofPlaces: true), values))
    }
  }

  /// Keeps the rows of the edition before.
  private func keep(
    _ edition: Edition, _ former: [String: RecordedPart], in tx: borrowing Transaction
  ) async throws {
    // Counts are changes, and kept of no edition but the last. A rollup that is declared no more is kept as it was.
    let without = Set(publication.parts.map(\.name) + store.catalog.counts.map(\.name))
    for part in former.values.sorted(by: { $0.name < $1.name }) where !without.contains(part.name) {
      for statement in part.keep(edition.number - 1, of: edition.period) {
        try await tx.script(statement.text)
      }
      try await tx.execute(
        Roles.own(part.rows(of: edition.period, keptAs: edition.number - 1)))
    }
  }

  /// Brings the rows to what is known now, and fills the columns that the edition before did not have.
  private func takeIn(
    _ edition: Edition, _ former: [String: RecordedPart], in tx: borrowing Transaction
  ) async throws {
    for table in store.catalog.closingOrder(of: edition.period) {
      guard let recorded = former[table.name] else { continue }
      try await tx.script(table.unseal(edition.period).text)
      for statement in table.takeIn(edition.period) {
        try await tx.execute(Query(text: statement.text))
      }
      if let rollup = table as? MostRecent {
        let new = rollup.payload.filter { !recorded.has($0) }
        for statement in rollup.mend(new, in: edition.period) {
          try await tx.execute(store.query(statement))
        }
      }
      try await tx.script(table.reseal(edition.period).text)
    }
  }

  private func run(_ statement: Statement, _ edition: Edition, in tx: borrowing Transaction)
    async throws
  {
    try await tx.execute(store.query(statement, edition.values))
  }
}

extension CalendarDate {
  public init(_ day: CalendarDay) { self.init(daysSince1970: Int(day.daysSince2000) + 10_957) }
}

extension RetryPolicy {
  /// Of two closings of one period the second meets the first's rows, or what guards them; when it begins again it finds the
  /// period closed.
  fileprivate static let closing = RetryPolicy(
    attempts: 20,
    sqlStates: [.serializationFailure, .deadlockDetected, .uniqueViolation, .closedPeriod])
}
