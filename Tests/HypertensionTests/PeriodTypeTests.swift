import Foundation
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// Rollups of every type of period: the write path, the backfill, and a type that is added later, against plain queries that
/// compute periods otherwise than the library does.
@Suite struct PeriodTypeTests {

  private static func catalog(_ periods: [PeriodType]) -> Catalog {
    let count = PeriodCount(
      "homes", table: "rollup.home_rollups", of: subject, periods: periods,
      by: Column("since", .timestamptz), per: Column("home", .bigint), where: .always)
    return Catalog(
      subject: subject,
      mostRecent: [
        MostRecent(
          "weight", table: "rollup.weight_rollups", per: subject, periods: periods,
          id: Column("weight_nr", .bigint), time: "taken_at", keeping: [Column("kg", .numeric)],
          from: [.init(ForeignSchema.weights, [Column("kg", .numeric)])])
      ], counts: [count])
  }

  private static let subject = Subject(
    "person", table: "clinic.People", id: Column("nr", .bigint),
    values: [Column("status", .text), Column("home", .bigint), Column("since", .timestamptz)],
    exists: .differs(Column("status", .text), from: "removed"), carrying: [Column("home", .bigint)])

  private static let tables = """
    CREATE SCHEMA clinic;
    CREATE TABLE clinic."People" (nr bigint PRIMARY KEY, status text, home bigint, since timestamptz);
    CREATE TABLE clinic.weights (person_nr bigint, nr bigint, taken timestamp, kg numeric, gone boolean,
      PRIMARY KEY (person_nr, nr));
    """

  /// The rollup by plain SQL: periods by their names, and the first day of each by the days there are.
  private static let oracle = """
    WITH local AS (
      SELECT w.*, w.taken AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Kathmandu' AS t, p.home
      FROM clinic.weights AS w JOIN clinic."People" AS p ON p.nr = w.person_nr AND p.status <> 'removed'
      WHERE w.gone IS NOT TRUE AND w.taken > '0001-01-03' AND w.taken < '9999-12-30'
    ), named AS (
      SELECT l.*, n.type, n.name
      FROM local AS l
      CROSS JOIN LATERAL (VALUES ('W', to_char(t, 'IYYY-"W"IW')), ('M', to_char(t, 'YYYY-MM')),
        ('Q', to_char(t, 'YYYY"Q"Q')), ('F', 'FY' || to_char(t - interval '3 months', 'YYYY"Q"Q')),
        ('H', to_char(t, 'YYYY"H"') || (extract(month FROM t)::integer + 5) / 6)) AS n (type, name)
    )
    SELECT DISTINCT ON (person_nr, name) person_nr, type, name, nr, kg, home
    FROM named ORDER BY person_nr, name, taken DESC, nr DESC
    """
  private static let rollup =
    "SELECT person_nr, period_type::text, period_name, weight_nr, kg, home FROM rollup.weight_rollups"

  private func differences(_ pool: Pool, where condition: String = "true") async throws -> [String]
  {
    let (oracle, rollup) = (Self.oracle, Self.rollup)
    let wanted = "SELECT * FROM (\(oracle)) AS o WHERE \(condition)"
    let query = """
      (SELECT 'missing ' || a FROM (\(wanted) EXCEPT ALL \(rollup)) AS a)
      UNION ALL (SELECT 'too many ' || b FROM (\(rollup) EXCEPT ALL \(wanted)) AS b)
      UNION ALL
      SELECT 'year ' || period_name FROM rollup.weight_rollups
      WHERE year <> substring(period_name FROM '[0-9]{4}')::integer
      LIMIT 20
      """
    return try await pool.withConnection {
      try await $0.query(Query(text: query)).map { try $0.decode(String.self) }
    }
  }

  private func expectNone(_ pool: Pool, _ seed: UInt64) async throws {
    let found = try await differences(pool)
    #expect(found == [], "seed \(seed)")
  }

  private func drift(_ store: RollupStore) async throws -> [Drift] {
    var drift = try await store.verifyCounts(in: .all)
    for chunk in try await store.chunks(of: 100, keyedBy: Int64.self) {
      drift += try await store.verify(chunk, in: .all)
    }
    return drift
  }

  private func instant(_ random: inout Seeded) -> Date {
    // Around new years, whose weeks are another year's; anywhere in some years; and in the first and last there are.
    let newYear = [1_072_915_200.0, 1_230_768_000, 1_451_606_400, 1_735_689_600, 1_711_909_800]
    switch Int.random(in: 0..<20, using: &random) {
    case 0: return Date(timeIntervalSince1970: -62_120_000_000)
    case 1: return Date(timeIntervalSince1970: 253_402_000_000)
    case 2..<10:
      let at = newYear[Int.random(in: 0..<newYear.count, using: &random)]
      return Date(
        timeIntervalSince1970: at + Double(Int.random(in: -12...12, using: &random)) * 43_200)
    default:
      return Date(
        timeIntervalSince1970: Double(Int.random(in: 1_690_000_000...1_740_000_000, using: &random))
      )
    }
  }

  @Test(arguments: seeds(4))
  func everyTypeIsWhatAPlainQueryGives(seed: UInt64) async throws {
    var random = Seeded(seed)
    try await withDatabase { url in
      let pool = Pool(
        ConnectionSettings(conninfo: url, options: ["TimeZone": "America/Caracas"]), size: 4)
      try await pool.withConnection { try await $0.script(Self.tables) }
      let span = Partitions.span(fromYear: 2024, throughYear: 2024)
      // The weeks and the rest are declared later.
      let few: [PeriodType] = seed % 2 == 0 ? [.month, .quarter] : [.week, .halfYear]
      _ = try await Migrator(Self.catalog(few)).run(
        pool, timeZone: "Asia/Kathmandu", partitions: span)
      var store = try await RollupStore(pool, Self.catalog(few))
      var number: Int64 = 0
      func write(_ count: Int) async throws {
        let (people, weights) = (
          SubjectPath<Int64>(in: store), SourcePath<Int64>(ForeignSchema.weights, in: store)
        )
        for _ in 0..<count {
          let person = Int64.random(in: 1...4, using: &random)
          let at = instant(&random)
          number += 1
          let values: Values = [
            "person_nr": Bind(person), "nr": Bind(number), "taken": Bind(Timestamp(at)),
            "kg": Bind(Double(Int.random(in: 40...120, using: &random))), "gone": Bind(false),
          ]
          let old = Int64.random(in: 1...max(1, number), using: &random)
          let isRemoval = Int.random(in: 0..<5, using: &random) == 0
          let since = Bind(instant(&random))
          try await store.transaction { tx in
            _ = try await people.insert(
              person,
              [
                "nr": Bind(person), "status": Bind("active"), "home": Bind(person % 2),
                "since": since,
              ],
              in: tx)
          }
          _ = try await weights.insert(number, of: person, values)
          guard isRemoval else { continue }
          do {
            try await store.transaction { tx in
              _ = try await weights.delete(old, of: person, in: tx)
            }
          } catch is WriteError {}
        }
      }
      try await write(40)
      let codes = few.map { "'\($0.code)'" }.joined(separator: ", ")
      #expect(try await differences(pool, where: "type IN (\(codes))") == [])
      #expect(try await drift(store) == [])

      let all = Migrator(Self.catalog(PeriodType.allCases))
      _ = try await all.run(pool, partitions: span)
      #expect(try await all.plan(pool, partitions: span).steps.count == 1)
      store = try await RollupStore(pool, Self.catalog(PeriodType.allCases))
      let unfilled = try await store.readiness().filter { !$0.isFilled }
      #expect(unfilled.count == 2 * 3)
      try await write(40)
      for chunk in try await store.chunks(of: 2, keyedBy: Int64.self) {
        _ = try await store.derive(
          chunk, in: .all, rollups: store.catalog.mostRecent, registers: [])
      }
      for count in store.catalog.counts { _ = try await store.derive(count, in: .all) }
      try await expectNone(pool, seed)
      #expect(try await drift(store) == [])
      try await write(40)
      try await expectNone(pool, seed)
      #expect(try await drift(store) == [])
      await pool.close()
    }
  }

  /// A week that a span has a day of is computed whole.
  @Test func aSpanIsWidenedToWholePeriods() async throws {
    let june = try #require(
      PeriodSpan(from: Period(parsing: "2024-06"), through: Period(parsing: "2024-06")))
    #expect(
      june.periods(of: .week).map(\.description) == [
        "2024-W22", "2024-W23", "2024-W24", "2024-W25", "2024-W26",
      ])
    #expect(june.periods(of: .halfYear).map(\.description) == ["2024H1"])
    #expect(june.periods(of: .financialQuarter).map(\.description) == ["FY2024Q1"])
    let bounds = june.bounds(of: PeriodType.allCases)
    #expect("\(bounds.from) \(bounds.to)" == "2024-01-01 2024-07-01")
    let week = try Period(parsing: "2024-W27")
    #expect(week.months.map(\.description) == ["2024-07"])
    #expect(try Period(parsing: "2024-W18").months.map(\.description) == ["2024-04", "2024-05"])
    #expect(PeriodSpan(from: week, through: week)?.description == "2024-07")
  }

  @Test(arguments: [
    ("2024-W23", "2024-06-03"), ("2024w23", "2024-06-03"), ("2020-W53", "2020-12-28"),
    ("2025-W01", "2024-12-30"), ("2024H2", "2024-07-01"), ("2024-h1", "2024-01-01"),
    ("FY2024Q1", "2024-04-01"), ("fy2024q4", "2025-01-01"), ("FY0000Q4", "0001-01-01"),
  ])
  func namesAreRead(text: String, start: String) throws {
    #expect("\(try Period(parsing: text).start)" == start)
  }

  @Test(arguments: [
    "2024-W54", "2021-W53", "2024H3", "FY2024", "FY2024Q5", "FY2024H1", "W23", "2024-W", "FY9999Q4",
  ])
  func whatIsNoPeriodIsRefused(text: String) {
    #expect(throws: Period.Unreadable.self) { try Period(parsing: text) }
  }
}
