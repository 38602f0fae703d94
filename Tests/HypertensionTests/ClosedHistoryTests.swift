import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// Promises P3, P4 and P5: whatever is written while periods close and are restated, a closed period never changes, and what
/// it could not take is in the ledger, once.
@Suite(.serialized) struct ClosedHistoryTests {
  @Test(arguments: ExactnessTests.seeds)
  func whatIsWrittenIsInTheRollupOrInTheLedger(seed: UInt64) async throws {
    try await TestDatabase.migrated { database, store in
      let closing = try await history(store, seed: seed)
      try await closing.check(store, "seed \(seed)")
    }
  }

  /// Several close the same periods at once: each is closed once, and nobody fails.
  @Test func manyWhoCloseAtOnceCloseOnce() async throws {
    try await TestDatabase.migrated { database, store in
      var history = RandomHistory(store, seed: 3)
      for _ in 0..<60 { try await history.step() }
      let periods = ["2024-01", "2024-02", "2024-03", "2024Q1", "2024-04", "2024-05"].compactMap {
        try? Period(parsing: $0)
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<4 {
          group.addTask {
            let closer = Closer(
              store.rollups, publishing: CarePublication(), author: "closer \(number)")
            try await closer.close(periods, workers: 2) { _, _ in }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await store.rollups.editions().map(\.edition.period) == periods)
    }
  }

  /// The server dies in the middle of everything, again and again.
  @Test(arguments: ExactnessTests.seeds.few)
  func whatIsWrittenIsInTheRollupOrInTheLedgerAlsoAfterCrashes(seed: UInt64) async throws {
    let server = try TestServer(losesCommits: false)
    let pool = Pool(
      ConnectionSettings(conninfo: server.address), size: 16, acquireTimeout: .seconds(60))
    _ = try await Migrator.programme.run(
      pool, timeZone: "Asia/Kolkata",
      partitions: Partitions.span(fromYear: 2023, throughYear: 2024))
    let store = try await Store(pool)
    var closings = Closings(seed: seed)
    for round in 0..<4 {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<4 {
          let number = seed &* 1000 &+ UInt64(round * 10 + writer)
          group.addTask {
            var history = RandomHistory(store, seed: number)
            for _ in 0..<40 {
              do { _ = try await history.step() } catch is PostgresError { return }
            }
          }
        }
        group.addTask {
          try await Task.sleep(for: .milliseconds(Int.random(in: 30..<500)))
          try server.crash()
        }
        do {
          try await closings.run(store, pausing: 40)
        } catch is PostgresError {
          // It went down with the server: a period is closed, or not begun.
        }
        try await group.waitForAll()
      }
      try await closings.noteMissing(store)
    }
    try await closings.run(store, pausing: 0)
    try await closings.check(store, "seed \(seed)")
    await pool.close()
  }

  @Test(arguments: ExactnessTests.seeds.few)
  func aLoneHistoryIsAccountedForAfterEveryStep(seed: UInt64) async throws {
    try await TestDatabase.migrated(timeZone: "Asia/Kolkata", size: 2) { database, store in
      var history = RandomHistory(store, seed: seed, patients: 3, rows: 4)
      for _ in 0..<30 { try await history.step() }
      var closings = Closings(seed: seed)
      try await closings.run(store)
      let audit = LedgerAudit(database.pool, last: closings.last)
      for step in 0..<60 {
        let operation = try await history.step()
        let chunks = try await store.rollups.chunks(of: 1000, keyedBy: UUID.self)
        for chunk in chunks {
          let drift = try await store.rollups.verify(chunk, in: .all, asKnownNow: true)
          #expect(drift.isEmpty, "seed \(seed), step \(step) (\(operation)): \(drift.prefix(5))")
        }
        let whole = try await audit.check("seed \(seed), step \(step) (\(operation))")
        if !whole { return }
      }
    }
  }

  /// Writers on eight connections, a backfill, and somebody who closes and restates.
  private func history(_ store: Store, seed: UInt64) async throws -> Closings {
    try await withThrowingTaskGroup(of: Closings?.self) { group in
      for writer in 0..<8 {
        group.addTask {
          var history = RandomHistory(store, seed: seed &* 1000 &+ UInt64(writer))
          for _ in 0..<60 { try await history.step() }
          return nil
        }
      }
      group.addTask {
        for _ in 0..<6 {
          try await Backfilling.everything(store.rollups)
          try await Task.sleep(for: .milliseconds(30))
        }
        return nil
      }
      group.addTask {
        var closings = Closings(seed: seed)
        try await closings.run(store)
        return closings
      }
      // Whoever verifies meanwhile takes no closing or restatement for tampering.
      group.addTask {
        let verification = ClosedVerification(store.rollups, publishing: CarePublication())
        for _ in 0..<2 {
          try await verification.run { finding in
            Issue.record("seed \(seed): \(finding)")
            return true
          }
          try await Task.sleep(for: .milliseconds(100))
        }
        return nil
      }
      var done: Closings?
      for try await closings in group { done = closings ?? done }
      return try #require(done)
    }
  }
}

/// Closings and restatements in a random order, and what the closed periods looked like right afterwards.
struct Closings {
  private var random: Seeded
  private(set) var fingerprints: [Edition: String] = [:]
  /// The last edition of each period.
  private(set) var last: [Period: Int] = [:]

  init(seed: UInt64) { random = Seeded(seed) }

  /// Closes what is open yet of the periods of ``RandomHistory``.
  mutating func run(_ store: Store, pausing pause: Int = 150) async throws {
    let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
    let periods = ["2024-02", "2024-03", "2024Q1", "2024-04", "2024Q2"].compactMap {
      try? Period(parsing: $0)
    }
    for period in periods.shuffled(using: &random) where last[period] == nil {
      try await Task.sleep(for: .milliseconds(Int.random(in: 0...pause, using: &random)))
      try await note(closer.close(period).edition, store)
      if Int.random(in: 0..<2, using: &random) == 0, let other = last.keys.sorted().first {
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...pause, using: &random)))
        try await note(closer.restate(other, reason: "late phones").edition, store)
      }
    }
  }

  private mutating func note(_ edition: Edition, _ store: Store) async throws {
    last[edition.period] = edition.number
    fingerprints[edition] = try await Self.fingerprint(edition, store, last: last)
  }

  /// Notes the editions that were made although nobody was told.
  mutating func noteMissing(_ store: Store) async throws {
    for record in try await store.rollups.editions() where fingerprints[record.edition] == nil {
      try await note(record.edition, store)
    }
  }

  /// Open periods, closed ones as known now, counts with what came late, closed rows and the ledger.
  func check(_ store: Store, _ seed: String) async throws {
    #expect(try await Backfilling.drift(store.rollups).isEmpty, "\(seed)")
    for chunk in try await store.rollups.chunks(of: 1000, keyedBy: UUID.self) {
      let drift = try await store.rollups.verify(chunk, in: .all, asKnownNow: true)
      #expect(drift.isEmpty, "\(seed), as known now: \(drift.prefix(5))")
    }
    for (edition, fingerprint) in fingerprints {
      let now = try await Self.fingerprint(edition, store, last: last)
      #expect(now == fingerprint, "\(seed): \(edition) has changed")
    }
    try await LedgerAudit(store.rollups.pool, last: last).check(seed)
  }

  /// All that belongs to an edition, as one text.
  static func fingerprint(_ edition: Edition, _ store: Store, last: [Period: Int]) async throws
    -> String
  {
    let isLast = last[edition.period] == edition.number
    let tables = Rollups.catalog.mostRecent.map { rollup in
      let table =
        isLast
        ? rollup.partition(of: edition.period)
        : rollup.edition(edition.number, of: edition.period)
      let rows = rollup.rows(of: edition.period, isClosed: false)
        .replacing("\(rollup.table) AS r", with: "\(table) AS r")
      return
        "SELECT md5(coalesce(string_agg(t::text, ';' ORDER BY t::text), '')) FROM (\(rows)) AS t"
    }
    let key = """
      period_type = '\(edition.period.type.code)' AND period_start = '\(edition.period.start)'
      AND edition = \(edition.number)
      """
    let published = ["published_figures", "published_patients", "editions", "edition_leaves"].map {
      "SELECT md5(coalesce(string_agg(t::text, ';' ORDER BY t::text), '')) FROM rollup.\($0) AS t WHERE \(key)"
    }
    let query = Query(text: (tables + published).joined(separator: " UNION ALL "))
    return try await store.rollups.pool.withConnection { connection in
      try await connection.query(query).map { try $0.decode(String.self) }
    }.joined(separator: " ")
  }
}

/// Reads the ledger as an auditor would: what each event was to each closed period when it closed, by what it is now and
/// what the ledger says has happened since. The rollup's row of edition 1 must be the most recent of those.
struct LedgerAudit {
  struct Key: Hashable {
    let source: String
    let subject: UUID
    let row: String
    let type: String
    let start: CalendarDay
  }

  private struct Entry {
    let effect: String
    let at: Timestamp?
  }

  let pool: Pool
  let last: [Period: Int]

  init(_ pool: Pool, last: [Period: Int]) {
    self.pool = pool
    self.last = last
  }

  /// - Returns: whether everything is accounted for.
  @discardableResult
  func check(_ seed: String) async throws -> Bool {
    var isWhole = true
    let now = try await standing()
    let ledger = try await entries()
    var atClosing: [Key: Timestamp] = [:]
    var unknown: Set<Key> = []
    for key in Set(now.keys).union(ledger.keys) {
      let entries = ledger[key] ?? []
      guard let first = entries.first else {
        atClosing[key] = now[key]
        continue
      }
      var stands = first.effect != "in"
      if first.effect == "out" { atClosing[key] = first.at }
      if first.effect == "within" { unknown.insert(key) }
      for entry in entries {
        isWhole = isWhole && stands == (entry.effect != "in")
        #expect(stands == (entry.effect != "in"), "\(seed): \(key) \(entries.map(\.effect))")
        stands = entry.effect != "out"
      }
      isWhole = isWhole && stands == (now[key] != nil)
      #expect(stands == (now[key] != nil), "\(seed): \(key) \(entries.map(\.effect))")
    }
    try await compare(atClosing, unknown, "blood_pressure_id", Rollups.bloodPressure, ["B"], seed)
    try await compare(atClosing, unknown, "blood_sugar_id", Rollups.bloodSugar, ["S"], seed)
    try await compare(atClosing, unknown, "visit_id", Rollups.visits, ["B", "V"], seed)
    return isWhole
  }

  private func compare(
    _ standing: [Key: Timestamp], _ unknown: Set<Key>, _ id: String, _ rollup: MostRecent,
    _ sources: Set<String>, _ seed: String
  ) async throws {
    for (period, number) in last {
      let start = CalendarDay(period.start)
      func isOf(_ key: Key) -> Bool {
        key.type == period.type.code && key.start == start && sources.contains(key.source)
      }
      var expected: [UUID: (Timestamp, String, String)] = [:]
      for (key, at) in standing where isOf(key) {
        let mine = (at, key.row, key.source)
        if let best = expected[key.subject], mine < best { continue }
        expected[key.subject] = mine
      }
      let table = number == 1 ? rollup.partition(of: period) : rollup.edition(1, of: period)
      let rows = try await pool.withConnection {
        try await $0.query(Query(text: "SELECT patient_id, \(id)::text FROM \(table)"))
      }
      let found = try Dictionary(
        uniqueKeysWithValues: rows.map { try $0.decode((UUID, String).self) })
      let doubtful = Set(unknown.filter(isOf).map(\.subject))
      for subject in Set(found.keys).union(expected.keys).subtracting(doubtful) {
        #expect(
          found[subject] == expected[subject]?.1,
          "\(seed): \(rollup.name) of \(subject) in \(period) at closing")
      }
    }
  }

  /// Every event that counts now, in each closed period it is in.
  private func standing() async throws -> [Key: Timestamp] {
    let rows = try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT e.source, e.patient_id, e.id::text, c.period_type::text, c.period_start, e.at
        FROM (
          SELECT 'B' AS source, patient_id, id, recorded_at AS at FROM blood_pressures WHERE deleted_at IS NULL
          UNION ALL SELECT 'S', patient_id, id, recorded_at FROM blood_sugars WHERE deleted_at IS NULL
          UNION ALL SELECT 'V', patient_id, id, visited_at FROM visits WHERE deleted_at IS NULL
        ) AS e
        JOIN patients AS k ON k.id = e.patient_id AND k.deleted_at IS NULL
        JOIN rollup.editions AS c ON c.edition = 1 AND c.period_start = date_trunc(
          CASE c.period_type WHEN 'M' THEN 'month' ELSE 'quarter' END, e.at AT TIME ZONE 'Asia/Kolkata')::date
        WHERE e.at > '0001-01-02 00:00+00' AND e.at < '9999-12-31 00:00+00'
        """)
    }
    var standing: [Key: Timestamp] = [:]
    for row in rows {
      let (source, subject, id, type, start, at) = try row.decode(
        (String, UUID, String, String, CalendarDay, Timestamp).self)
      standing[Key(source: source, subject: subject, row: id, type: type, start: start)] = at
    }
    return standing
  }

  private func entries() async throws -> [Key: [Entry]] {
    let rows = try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT source::text, subject_id, row_id, period_type::text, period_start, effect, occurred_at
        FROM rollup.late_arrivals
        ORDER BY number
        """)
    }
    var entries: [Key: [Entry]] = [:]
    for row in rows {
      let (source, subject, id, type, start, effect, at) = try row.decode(
        (String, UUID, String, String, CalendarDay, String, Timestamp?).self)
      let key = Key(source: source, subject: subject, row: id, type: type, start: start)
      entries[key, default: []].append(Entry(effect: effect, at: at))
    }
    return entries
  }
}
