import Foundation
import PeriodRollups
import Postgres

/// Computes everything again that the digests of closed periods rest on, and says what differs: rows, places, districts,
/// editions, the chain, the guard.
public struct ClosedVerification: Sendable {
  let store: RollupStore
  let publication: any Publication

  public init(_ store: RollupStore, publishing publication: any Publication) {
    self.store = store
    self.publication = publication
  }

  /// One thing that is not as it was published.
  public struct Finding: Hashable, Sendable, CustomStringConvertible {
    /// nil where it is of all editions.
    public let edition: Edition?
    /// nil where it is not of one district.
    public let district: String?
    public let what: String

    public var description: String {
      guard let edition else { return what }
      let place = district.map { ", district \($0)" } ?? ""
      return "\(edition.period), edition \(edition.number)\(place): \(what)"
    }
  }

  /// Verifies all editions in the order of the chain.
  /// - Parameters:
  ///   - progress: called with each edition that has been verified.
  ///   - found: called with each finding; returns whether to go on.
  public func run(
    progress: (Edition) -> Void = { _ in }, found: (Finding) -> Bool
  ) async throws {
    let records = try await store.editions()
    let ofAll = try await inOneSnapshot { tx in
      try await strays(records, tx) + objects(tx)
    }
    for finding in ofAll where !found(finding) { return }
    for record in records {
      let findings = try await verify(record.edition)
      for finding in findings where !found(finding) { return }
      progress(record.edition)
    }
  }

  /// One edition, in one snapshot: closings and restatements go on beside it.
  private func verify(_ edition: Edition) async throws -> [Finding] {
    try await inOneSnapshot { tx in
      let editions = try await RollupStore.editions(in: tx).map(\.edition)
      let isLast = !editions.contains {
        $0.period == edition.period && $0.number > edition.number
      }
      return try await rows(edition, isLast: isLast, tx) + unentered(edition, isLast: isLast, tx)
        + regions(edition, tx)
        + chain(edition, tx)
        + missing(guards(of: edition, store.parts(of: edition, in: tx), isLast: isLast), guards(tx))
        .map {
          Finding(edition: edition, district: nil, what: $0.what)
        }
    }
  }

  private func inOneSnapshot<T>(
    _ body: (borrowing Transaction) async throws -> T
  ) async throws -> T {
    try await store.pool.transaction(.repeatableRead, readOnly: true) { tx in
      // Whole editions are joined; of one whose statistics are not made yet the planner expects one row.
      for setting in [
        "SET LOCAL jit = off", "SET LOCAL work_mem = '64MB'", "SET LOCAL enable_nestloop = off",
      ] as [Query] {
        try await tx.execute(setting)
      }
      return try await body(tx)
    }
  }

  // MARK: Rows

  private func rows(_ edition: Edition, isLast: Bool, _ tx: borrowing Transaction) async throws
    -> [Finding]
  {
    let kept = isLast ? nil : edition.number
    var findings: [Finding] = []
    let recorded = try await store.parts(of: edition, in: tx)
    for declared in publication.parts {
      let part = recorded.first { $0.name == declared.name }.map(declared.asOn) ?? declared
      for place in try await strings(part.differing, edition, tx) {
        let reason = try await publication.explain(part.name, place: place, of: edition, store.pool)
        findings.append(
          try await finding(
            tx, edition, place, "\(part.name): the row of facility \(place)\(reason)"))
      }
    }
    for part in recorded where !publication.parts.contains(where: { $0.name == part.name }) {
      let isCount = store.catalog.counts.contains { $0.name == part.name }
      // Counts are changes, and kept of no edition but the last.
      if isCount, !isLast { continue }
      guard try await isWhole(part, part.rows(of: edition.period, keptAs: kept), tx) else {
        findings.append(
          Finding(edition: edition, district: nil, what: "\(part.name): its table is gone"))
        continue
      }
      let rows = part.part(of: edition.period, keptAs: kept)
      for place in try await strings(rows.differing, edition, tx) {
        let suspects = isLast ? try await suspects(part.name, edition.period, at: place, tx) : ""
        let what = isCount ? "the count" : "rows"
        findings.append(
          try await finding(
            tx, edition, place, "\(part.name): \(what) of facility \(place)\(suspects)"))
      }
    }
    return try await findings + unrecorded(edition, recorded, tx)
  }

  /// What came late, or was taken in by a restatement, and is in no ledger. Ids only.
  private func unentered(_ edition: Edition, isLast: Bool, _ tx: borrowing Transaction)
    async throws -> [Finding]
  {
    let recorded = try await store.parts(of: edition, in: tx)
    let former =
      edition.number > 1
      ? try await store.parts(of: Edition(edition.period, edition.number - 1), in: tx) : []
    var findings: [Finding] = []
    for rollup in store.catalog.mostRecent {
      guard let part = recorded.first(where: { $0.name == rollup.name }),
        try await isWhole(part, rollup.late, tx)
      else { continue }
      var statements = isLast ? [rollup.unenteredLateRows(in: edition.period)] : []
      if let before = former.first(where: { $0.name == rollup.name }) {
        let now = part.rows(of: edition.period, keptAs: isLast ? nil : edition.number)
        let kept = before.rows(of: edition.period, keptAs: edition.number - 1)
        if try await isWhole(before, kept, tx), try await isWhole(part, now, tx) {
          let both = rollup.kept.filter { before.has($0) && part.has($0) }
          statements.append(
            rollup.unenteredRows(of: edition.period, in: now, before: kept, comparing: both))
        }
      }
      for statement in statements {
        let keys = try await tx.query(store.query(statement)).map { try $0.decode(String.self) }
        guard let first = keys.first else { continue }
        let others = keys.count > 1 ? " (and \(keys.count - 1) more)" : ""
        findings.append(
          Finding(
            edition: edition, district: nil,
            what: "\(statement.name): \(store.catalog.subject.name) \(first)\(others)"))
      }
    }
    return findings
  }

  /// Parts with digests of which is not on record what they are over.
  private func unrecorded(
    _ edition: Edition, _ recorded: [RecordedPart], _ tx: borrowing Transaction
  ) async throws -> [Finding] {
    let query: Query = """
      SELECT DISTINCT part FROM rollup.edition_leaves
      WHERE period_type = \(edition.period.type.code)::"char"
        AND period_start = \(CalendarDay(edition.period.start)) AND edition = \(edition.number)
      """
    let known = Set(recorded.map(\.name) + publication.parts.map(\.name))
    return try await tx.query(query).map { try $0.decode(String.self) }
      .filter { !known.contains($0) }.sorted().map {
        Finding(
          edition: edition, district: nil, what: "\($0): what its digest is over is on no record")
      }
  }

  /// The subjects whose closed row is not what the sources say, with nothing late that explains it. Ids only.
  /// A row that is missing can be of any place.
  private func suspects(
    _ name: String, _ period: Period, at place: String, _ tx: borrowing Transaction
  ) async throws -> String {
    guard let rollup = store.catalog.mostRecent.first(where: { $0.name == name }),
      let span = PeriodSpan(from: period, through: period)
    else { return "" }
    let statement = try store.query(rollup.verifyKnown(.everything), store.values(of: span))
    let rows = try await tx.query(statement)
    let places = try await self.places(rollup, period, tx)
    let suspects = try rows.compactMap { row -> String? in
      let (kind, type, start, key) = (
        try row.decode(0, as: String.self), try row.decode(1, as: String.self),
        try row.decode(2, as: CalendarDay.self), try row.decode(3, as: String.self)
      )
      guard Period(type, start) == period, places[key] ?? place == place else { return nil }
      return "the row of \(store.catalog.subject.name) \(key) is \(Self.words[kind] ?? kind)"
    }
    guard let first = suspects.first else { return "" }
    return ": " + first + (suspects.count > 1 ? " (and \(suspects.count - 1) more)" : "")
  }

  /// The place of each subject's closed row.
  private func places(
    _ rollup: MostRecent, _ period: Period, _ tx: borrowing Transaction
  ) async throws -> [String: String] {
    let statement = try store.query(rollup.placesOfSubjects(in: period))
    let rows = try await tx.query(statement)
    return try Dictionary(uniqueKeysWithValues: rows.map { try $0.decode((String, String).self) })
  }

  private static let words = [
    "missing": "missing", "orphan": "one that the sources do not have",
    "stale": "of another event than the sources say", "wrong value": "of other values",
  ]

  private func regions(_ edition: Edition, _ tx: borrowing Transaction) async throws -> [Finding] {
    let statement = try store.query(publication.places.differingRegions, edition.values)
    let rows = try await tx.query(statement)
    return try rows.map { row in
      let (state, district) = try row.decode((String, String).self)
      return Finding(
        edition: edition, district: "\(district) (\(state))",
        what: "its digest is not that of its places")
    }
  }

  // MARK: Chain

  private func chain(_ edition: Edition, _ tx: borrowing Transaction) async throws -> [Finding] {
    let rows = try await tx.query(store.query(Closing.chain, edition.values))
    var whats: [String] = []
    for row in rows {
      let (follows, holds) = try row.decode((Bool, Bool).self)
      if !follows {
        whats.append("the chain is broken before it: an edition is missing or was changed")
      }
      if !holds {
        whats.append("its record (who, when, why, digest) is not what was entered")
      }
    }
    return whats.map { Finding(edition: edition, district: nil, what: $0) }
  }

  /// Leaves of editions that are not entered, and editions of no period.
  private func strays(_ records: [EditionRecord], _ tx: borrowing Transaction) async throws
    -> [Finding]
  {
    // With those that were entered since, so that none of them is taken for a stray.
    let records = try await records + RollupStore.editions(in: tx)
    let rows = try await tx.query(
      """
      SELECT period_type::text, period_start, edition FROM rollup.edition_leaves
      UNION SELECT period_type::text, period_start, edition FROM rollup.editions
      ORDER BY 2, 1, 3
      """)
    let known = Set(records.map(\.edition))
    return try rows.compactMap { row in
      let (type, start, number) = try row.decode((String, CalendarDay, Int).self)
      guard let period = Period(type, start) else {
        let month = Period(.month, containing: CalendarDate(start))
        return Finding(
          edition: Edition(month, number), district: nil,
          what: "an edition of a period of the type '\(type)', which there is not")
      }
      guard !known.contains(Edition(period, number)) else { return nil }
      return Finding(
        edition: Edition(period, number), district: nil,
        what: "its record is gone; what was published is there")
    }
  }

  // MARK: Guard

  /// What is of all editions: functions, policies, owners, rights, and the triggers of what is published. A trigger of one
  /// edition's is named with it.
  private func objects(_ tx: borrowing Transaction) async throws -> [Finding] {
    let objects = DatabaseObjects(
      catalog: store.catalog, published: publication.parts.compactMap(\.published))
    return try await objects.findings(in: tx).filter { !$0.isOfEdition }.map {
      Finding(edition: nil, district: nil, what: $0.what)
    }
  }

  private func guards(of edition: Edition, _ recorded: [RecordedPart], isLast: Bool)
    -> [GuardCheck]
  {
    let rollups = recorded.filter { part in !publication.parts.contains { $0.name == part.name } }
    let kept = rollups.filter { part in
      !isLast && !store.catalog.counts.contains { $0.name == part.name }
    }
    return rollups.flatMap { $0.guards(of: edition.period) }
      + kept.map { $0.guardOfKept(edition.number, of: edition.period) }
  }

  /// What is in the database's catalogue, as ``GuardCheck/expected`` has it: triggers that always fire, with the events
  /// that they fire for and without a condition; partitions.
  private func guards(_ tx: borrowing Transaction) async throws -> Set<String> {
    let rows = try await tx.query(
      """
      SELECT n.nspname || '.' || c.relname || ' ' || t.tgname || ' ' || t.tgtype || ' ' || p.proname
      FROM pg_trigger AS t
      JOIN pg_class AS c ON c.oid = t.tgrelid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_proc AS p ON p.oid = t.tgfoid
      JOIN pg_namespace AS f ON f.oid = p.pronamespace
      WHERE NOT t.tgisinternal AND t.tgenabled = 'A' AND t.tgqual IS NULL AND t.tgattr::text = '' AND f.nspname = 'rollup'
      UNION ALL
      SELECT n.nspname || '.' || c.relname || ' in ' || p.relname
      FROM pg_inherits AS i
      JOIN pg_class AS c ON c.oid = i.inhrelid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_class AS p ON p.oid = i.inhparent
      """)
    return Set(try rows.map { try $0.decode(String.self) })
  }

  private func missing(_ needed: [GuardCheck], _ found: Set<String>) -> [Finding] {
    needed.filter { !found.contains($0.expected) }.map {
      Finding(edition: nil, district: nil, what: $0.complaint)
    }
  }

  // MARK: Parts

  /// Whether a table is there with all columns of a part.
  private func isWhole(_ part: RecordedPart, _ table: TableName, _ tx: borrowing Transaction)
    async throws -> Bool
  {
    let columns = try await tx.query(
      """
      SELECT attname::text FROM pg_attribute
      WHERE attrelid = to_regclass(\("\(table)")) AND attnum > 0 AND NOT attisdropped
      """
    ).map { try $0.decode(String.self) }
    return part.columns.allSatisfy { columns.contains($0.name.name) }
  }

  private func strings(
    _ statement: Statement, _ edition: Edition, _ tx: borrowing Transaction
  ) async throws -> [String] {
    try await tx.query(store.query(statement, edition.values)).map { try $0.decode(String.self) }
  }

  private func finding(
    _ tx: borrowing Transaction, _ edition: Edition, _ place: String, _ what: String
  ) async throws -> Finding {
    let query = try store.query(
      publication.places.region, edition.values.merging(["places": Bind([place])]) { $1 })
    let region = try await tx.query(query).first?.decode((String, String).self)
    return Finding(
      edition: edition, district: region.map { "\($0.1) (\($0.0))" }, what: what)
  }
}
