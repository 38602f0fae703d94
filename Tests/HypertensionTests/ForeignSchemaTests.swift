import Foundation
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// An application with its own tables, keys and habits, and a domain that is not hypertension, need no change to the core: the
/// write path, the backfill, closing, the ledger and verification work from the declaration.
@Suite struct ForeignSchemaTests {
  private static let tables = """
    CREATE SCHEMA clinic;
    CREATE TABLE clinic."People" (nr bigint PRIMARY KEY, status text, home bigint);
    CREATE TABLE clinic.weights (person_nr bigint, nr bigint, taken timestamp, kg numeric, gone boolean,
      PRIMARY KEY (person_nr, nr));
    """

  /// The heaviest reading of each home.
  private struct Weights: Publication {
    let definitions = 1

    private static let home = Column("home", .bigint)
    var parts: [EditionPart] {
      [
        EditionPart(
          "weights", published: "rollup.published_weights",
          columns: [Self.home, Column("kg", .numeric)], place: Self.home)
      ]
    }
    var places: EditionPlaces {
      EditionPlaces(
        "rollup.published_weights", place: Self.home, state: Column("state", .text),
        district: Column("district", .text), figures: parts[0])
    }

    static let table = """
      CREATE TABLE rollup.published_weights (period_type "char", period_start date, edition integer, home bigint,
        state text, district text, kg numeric);
      SELECT rollup.protect('rollup.published_weights');
      """

    func publish(_ edition: Edition, since: String, in tx: borrowing Transaction) async throws {
      try await tx.execute(
        """
        INSERT INTO rollup.published_weights
        SELECT r.period_type, r.period_start, \(edition.number), r.home, 'S', 'D', max(r.kg)
        FROM rollup.weight_rollups AS r
        WHERE r.period_type = \(edition.period.type.code)::"char" AND r.period_start = \(CalendarDay(edition.period.start))
        GROUP BY 1, 2, 4
        """)
    }

    func refresh(_ edition: Edition, since: String, in tx: borrowing Transaction) async throws
      -> [String]
    { [] }

    func explain(_ part: String, place: String, of edition: Edition, _ pool: Pool) async throws
      -> String
    { "" }
  }

  private func drift(_ store: RollupStore) async throws -> [Drift] {
    var drift: [Drift] = []
    for chunk in try await store.chunks(of: 2, keyedBy: Int64.self) {
      drift += try await store.verify(chunk, in: .all)
      drift += try await store.verify(chunk, in: .all, asKnownNow: true)
    }
    return drift
  }

  private func weight(_ nr: Int64, of person: Int64, on day: Int, _ kg: Int) -> Values {
    [
      "person_nr": Bind(person), "nr": Bind(nr),
      "taken": Bind(Timestamp(Date(timeIntervalSince1970: 1_717_200_000 + Double(day) * 86_400))),
      "kg": Bind(Double(kg)), "gone": Bind(false),
    ]
  }

  @Test func everythingWorksFromTheDeclaration() async throws {
    try await withDatabase { url in
      let pool = Pool(ConnectionSettings(conninfo: url), size: 4)
      try await pool.withConnection { try await $0.script(Self.tables) }
      let migrator = Migrator(ForeignSchema.catalog)
      _ = try await migrator.run(
        pool, timeZone: "Asia/Kathmandu",
        partitions: Partitions.span(fromYear: 2024, throughYear: 2024))
      try await pool.withConnection { try await $0.script(Weights.table) }
      _ = try await Migrator(ForeignSchema.catalog, published: ["rollup.published_weights"]).run(
        pool, partitions: Partitions.span(fromYear: 2024, throughYear: 2024))
      let store = try await RollupStore(pool, ForeignSchema.catalog)
      let (people, weights) = (
        SubjectPath<Int64>(in: store), SourcePath<Int64>(ForeignSchema.weights, in: store)
      )
      func person(_ nr: Int64) -> Values {
        ["nr": Bind(nr), "status": Bind("active"), "home": Bind(Int64(7))]
      }
      // One ahead of its person.
      _ = try await weights.insert(1, of: 1, weight(1, of: 1, on: 0, 60))
      try await store.transaction { tx in
        for nr in Int64(1)...3 { _ = try await people.insert(nr, person(nr), in: tx) }
      }
      for nr in Int64(2)...9 {
        let person = nr % 3 + 1
        _ = try await weights.insert(nr, of: person, weight(nr, of: person, on: Int(nr) * 4, 50))
      }
      #expect(try await drift(store) == [])
      func changes() async throws {
        try await store.transaction { tx in
          _ = try await weights.update(
            3, of: 1, [ForeignSchema.weights.time] + ForeignSchema.weights.values,
            weight(3, of: 1, on: 1, 61), in: tx)
          _ = try await weights.delete(8, of: 3, in: tx)
          try await weights.destroy(9, of: 1, in: tx)
          try await weights.reassign(7, from: 2, to: 3, in: tx)
          _ = try await people.delete(2, in: tx)
        }
        #expect(try await drift(store) == [])
        try await store.transaction { tx in
          _ = try await weights.restore(8, of: 3, in: tx)
          _ = try await people.restore(2, in: tx)
          _ = try await people.update(
            3, [ForeignSchema.person.carried[0]], ["home": Bind(Int64(8))], in: tx)
          try await weights.reassign(7, from: 3, to: 2, in: tx)
          _ = try await weights.insert(9, of: 1, weight(9, of: 1, on: 36, 50), in: tx)
        }
        #expect(try await drift(store) == [])
      }
      try await changes()

      let closer = Closer(store, publishing: Weights(), author: "a test")
      let june = try Period(parsing: "2024-06")
      try await closer.close(june)
      // The rollup has no quarters: there is nothing of it to guard, and closing one is nothing worse.
      try await closer.close(Period(parsing: "2024Q2"))
      let rows =
        "SELECT md5(string_agg(r::text, ';' ORDER BY r::text)) FROM rollup.weight_rollups_months_2024_06 AS r"
      func fingerprint() async throws -> String {
        try await pool.withConnection { try await $0.query(Query(text: rows)).only(String.self) }
      }
      let closed = try await fingerprint()
      try await changes()
      for chunk in try await store.chunks(of: 2, keyedBy: Int64.self) {
        _ = try await store.derive(
          chunk, in: .all, rollups: store.catalog.mostRecent, registers: store.catalog.registers)
      }
      #expect(try await drift(store) == [])
      #expect(try await fingerprint() == closed)
      _ = try await weights.insert(20, of: 1, weight(20, of: 1, on: 28, 70))
      #expect(try await fingerprint() == closed)
      try await closer.restate(june, reason: "late")
      #expect(try await fingerprint() != closed)
      #expect(try await drift(store) == [])
      var findings: [String] = []
      try await ClosedVerification(store, publishing: Weights()).run { finding in
        findings.append("\(finding)")
        return true
      }
      #expect(findings == [])
      await pool.close()
    }
  }
}
