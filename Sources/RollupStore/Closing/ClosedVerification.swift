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
    let last = Dictionary(grouping: records, by: \.edition.period).mapValues {
      $0.map(\.edition.number).max() ?? 0
    }
    let guarded = try await guards()
    let chain = try await self.chain()
    for finding in try await strays(records) + general(guarded) {
      guard found(finding) else { return }
    }
    for record in records {
      let edition = record.edition
      let isLast = last[edition.period] == edition.number
      for finding in try await rows(edition, isLast: isLast) + regions(edition)
        + (chain[edition] ?? []) + missing(edition, isLast: isLast, guarded)
      {
        guard found(finding) else { return }
      }
      progress(edition)
    }
  }

  // MARK: Rows

  private func rows(_ edition: Edition, isLast: Bool) async throws -> [Finding] {
    let kept = isLast ? nil : edition.number
    var findings: [Finding] = []
    for part in publication.parts {
      for place in try await strings(part.differing, edition) {
        let reason = try await publication.explain(part.name, place: place, of: edition, store.pool)
        findings.append(
          try await finding(edition, place, "\(part.name): the row of facility \(place)\(reason)"))
      }
    }
    for count in store.catalog.counts
    where isLast && count.periods.contains(edition.period.type) {
      for place in try await strings(count.part(of: edition.period).differing, edition) {
        findings.append(
          try await finding(edition, place, "\(count.name): the count of facility \(place)"))
      }
    }
    for rollup in store.catalog.mostRecent(of: edition.period) {
      let part = rollup.part(of: edition.period, edition: kept)
      do {
        for place in try await strings(part.differing, edition) {
          let suspects = isLast ? try await suspects(rollup, edition.period, at: place) : ""
          findings.append(
            try await finding(
              edition, place, "\(rollup.name): rows of facility \(place)\(suspects)"))
        }
      } catch let error as PostgresError where error.sqlState == .undefinedTable {
        findings.append(
          Finding(edition: edition, district: nil, what: "\(rollup.name): its table is gone"))
      }
    }
    return findings
  }

  /// The subjects whose closed row is not what the sources say, with nothing late that explains it. Ids only.
  /// A row that is missing can be of any place.
  private func suspects(_ rollup: MostRecent, _ period: Period, at place: String) async throws
    -> String
  {
    guard let span = PeriodSpan(from: period, through: period) else { return "" }
    let statement = try store.query(rollup.verifyKnown(.everything), store.values(of: span))
    let rows = try await store.pool.withConnection { try await $0.query(statement) }
    let places = try await self.places(rollup, period)
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
  private func places(_ rollup: MostRecent, _ period: Period) async throws -> [String: String] {
    let statement = try store.query(rollup.placesOfSubjects(in: period))
    let rows = try await store.pool.withConnection { try await $0.query(statement) }
    return try Dictionary(uniqueKeysWithValues: rows.map { try $0.decode((String, String).self) })
  }

  private static let words = [
    "missing": "missing", "orphan": "one that the sources do not have",
    "stale": "of another event than the sources say", "wrong value": "of other values",
  ]

  private func regions(_ edition: Edition) async throws -> [Finding] {
    let statement = try store.query(publication.places.differingRegions, edition.values)
    let rows = try await store.pool.withConnection { try await $0.query(statement) }
    return try rows.map { row in
      let (state, district) = try row.decode((String, String).self)
      return Finding(
        edition: edition, district: "\(district) (\(state))",
        what: "its digest is not that of its places")
    }
  }

  // MARK: Chain

  private func chain() async throws -> [Edition: [Finding]] {
    let statement = try store.query(Closing.chain)
    let rows = try await store.pool.withConnection { try await $0.query(statement) }
    var findings: [Edition: [Finding]] = [:]
    for row in rows {
      guard
        let period = Period(
          try row.decode(0, as: String.self), try row.decode(1, as: CalendarDay.self))
      else { continue }
      let edition = Edition(period, try row.decode(2, as: Int.self))
      var whats: [String] = []
      if !(try row.decode(3, as: Bool.self)) {
        whats.append("the chain is broken before it: an edition is missing or was changed")
      }
      if !(try row.decode(4, as: Bool.self)) {
        whats.append("its record (who, when, why, digest) is not what was entered")
      }
      findings[edition] = whats.map { Finding(edition: edition, district: nil, what: $0) }
    }
    return findings
  }

  /// Leaves of editions that are not entered, and editions of no period.
  private func strays(_ records: [EditionRecord]) async throws -> [Finding] {
    let rows = try await store.pool.withConnection { connection in
      try await connection.query(
        """
        SELECT period_type::text, period_start, edition FROM rollup.edition_leaves
        UNION SELECT period_type::text, period_start, edition FROM rollup.editions
        ORDER BY 2, 1, 3
        """)
    }
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

  /// The guards of what belongs to all editions.
  private func general(_ found: Set<String>) -> [Finding] {
    GuardCheck.published(publication.parts).filter { !found.contains($0.expected) }.map {
      Finding(edition: nil, district: nil, what: $0.complaint)
    }
  }

  // MARK: Guard

  /// The triggers that always fire, as `table trigger function`, and the partitions, as `table in parent`.
  private func guards() async throws -> Set<String> {
    let rows = try await store.pool.withConnection { connection in
      try await connection.query(
        """
        SELECT n.nspname || '.' || c.relname || ' ' || t.tgname || ' ' || p.proname
        FROM pg_trigger AS t
        JOIN pg_class AS c ON c.oid = t.tgrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_proc AS p ON p.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND t.tgenabled = 'A'
        UNION ALL
        SELECT n.nspname || '.' || c.relname || ' in ' || p.relname
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_class AS p ON p.oid = i.inhparent
        """)
    }
    return Set(try rows.map { try $0.decode(String.self) })
  }

  private func missing(_ edition: Edition, isLast: Bool, _ found: Set<String>) -> [Finding] {
    let needed =
      store.catalog.closingOrder(of: edition.period).flatMap { $0.guards(of: edition.period) }
      + (isLast
        ? []
        : store.catalog.mostRecent(of: edition.period).map {
          $0.guardOfKept(edition.number, of: edition.period)
        })
    return needed.filter { !found.contains($0.expected) }.map {
      Finding(edition: edition, district: nil, what: $0.complaint)
    }
  }

  // MARK: Parts

  private func strings(_ statement: Statement, _ edition: Edition) async throws -> [String] {
    let query = try store.query(statement, edition.values)
    return try await store.pool.withConnection { connection in
      try await connection.query(query).map { try $0.decode(String.self) }
    }
  }

  private func finding(_ edition: Edition, _ place: String, _ what: String) async throws -> Finding
  {
    let query = try store.query(
      publication.places.region, edition.values.merging(["places": Bind([place])]) { $1 })
    let region = try await store.pool.withConnection { try await $0.query(query) }.first?.decode(
      (String, String).self)
    return Finding(
      edition: edition, district: region.map { "\($0.1) (\($0.0))" }, what: what)
  }
}
