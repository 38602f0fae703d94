import TestSupport
import Testing

@testable import PeriodRollups

/// What declarations turn into, beside the declaration (`ForeignSchema.swift`). A change of SQL is seen here in review.
@Suite struct StatementTests {
  @Test func identifiersAreQuotedWhereTheyNeedIt() {
    #expect(Identifier("systolic").quoted == "systolic")
    #expect(Identifier("Systolic").quoted == #""Systolic""#)
    #expect(Identifier("user").quoted == #""user""#)
    #expect(Identifier(#"a"; DROP TABLE x; --"#).quoted == #""a""; DROP TABLE x; --""#)
    #expect(Identifier("").quoted == #""""#)
    #expect(TableName("clinic.People").description == #"clinic."People""#)
  }

  @Test func aParameterHasOneNumberHoweverOftenItIsUsed() {
    let day = Parameter("day", .date)
    let statement = Statement("s", "SELECT \(day), \(Parameter("n", .integer)), \(day)")
    #expect(statement.text == "SELECT $1::date, $2::integer, $1::date")
    #expect(statement.parameters.map(\.name) == ["day", "n"])
  }

  @Test func anInsertIsOneStatement() {
    let statement = SourceWrites(ForeignSchema.weights, in: ForeignSchema.catalog).insert
    #expect(
      statement.text == """
        WITH subject AS MATERIALIZED (
          SELECT k.nr, k.home, k.status IS DISTINCT FROM $1::text AS exists
          FROM clinic."People" AS k
          WHERE k.nr = $2::bigint
          FOR KEY SHARE
        ), written AS (
          INSERT INTO clinic.weights (person_nr, nr, taken, kg, gone)
          SELECT $2::bigint, $3::bigint, $4::timestamp, $5::numeric, $6::boolean
          FROM subject
          ON CONFLICT (person_nr, nr) DO NOTHING
          RETURNING person_nr, nr, taken, kg, gone
        ), in_weight_rollups AS (
          INSERT INTO rollup.weight_rollups AS r (person_nr, period_type, period_start, taken_at, weight_nr, kg, home, year, period_name)
          SELECT d.*, extract(year FROM d.period_start)::integer,
            CASE d.period_type WHEN 'M' THEN to_char(d.period_start, 'YYYY-MM') END
          FROM (
            SELECT e.person_nr, p.period_type, p.period_start, e.taken_at, e.weight_nr, e.kg, k.home
            FROM (
              SELECT s.person_nr AS person_nr, (s.taken AT TIME ZONE 'UTC') AS taken_at, s.nr AS weight_nr, s.kg AS kg
              FROM written AS s
              WHERE s.gone IS NOT TRUE AND s.taken >= '0001-01-02' AND s.taken < '9999-12-31'
            ) AS e
            JOIN subject AS k ON k.exists
            CROSS JOIN LATERAL (VALUES ('M'::"char", date_trunc('month', e.taken_at AT TIME ZONE $7::text)::date)) AS p (period_type, period_start)
          ) AS d
          ON CONFLICT (person_nr, period_type, period_start) DO UPDATE
          SET (taken_at, weight_nr, kg, home) = (excluded.taken_at, excluded.weight_nr, excluded.kg, excluded.home)
          WHERE (excluded.taken_at, excluded.weight_nr) > (r.taken_at, r.weight_nr)
        )
        SELECT (SELECT count(*) FROM subject) AS subjects, (SELECT count(*) FROM written) AS written
        """)
    #expect(statement.parameters[0].constant == "removed")
  }

  @Test func whereRowsAreSelectedByAPlaceItIsNoted() {
    let home = Column("home", .bigint)
    let rollup = MostRecent(
      "weight", table: "rollup.weight_rollups", per: ForeignSchema.person, periods: [.month],
      id: Column("weight_nr", .bigint), time: "taken_at", keeping: [Column("kg", .numeric)],
      from: [.init(ForeignSchema.weights, [Column("kg", .numeric)])], selectedBy: home)
    let catalog = Catalog(subject: ForeignSchema.person, mostRecent: [rollup])
    let writes = SourceWrites(ForeignSchema.weights, in: catalog)
    #expect(
      writes.insert.text.contains(
        """
        ), noted AS (
          INSERT INTO rollup.changes (subject_id, place)
          SELECT k.nr, p.place
          FROM written CROSS JOIN subject AS k
          CROSS JOIN LATERAL (VALUES (coalesce(k.home::text, ''))) AS p (place)
        ), in_weight_rollups AS (
        """))
    #expect(
      writes.note(.subjects).map(\.text) == [
        """
        INSERT INTO rollup.changes (subject_id, place)
        SELECT DISTINCT ON (p.place) k.nr, p.place
        FROM clinic."People" AS k
        CROSS JOIN LATERAL (VALUES (coalesce(k.home::text, ''))) AS p (place)
        WHERE k.nr = ANY ($1::bigint[])
        ORDER BY p.place
        """
      ])
  }

  @Test func verificationIsThePlainQueryBesideTheRollup() {
    let text = ForeignSchema.weight.verify(.everything).text
    #expect(
      text.contains(
        """
          SELECT DISTINCT ON (period_start, period_type, person_nr) *
          FROM (
            SELECT e.person_nr, p.period_type, p.period_start, e.taken_at, e.weight_nr, e.kg, k.home
        """))
    #expect(
      text.contains("ORDER BY period_start, period_type, person_nr, taken_at DESC, weight_nr DESC"))
  }

  @Test func aRemovalLocksBeforeItLooks() throws {
    // The order is the protocol (DESIGN.md section 5): the statement that looks for what takes the place must come after
    // the one that locks the rollup row.
    let explanation = try #require(Explanation("weight", in: ForeignSchema.catalog)).description
    let deletion = try #require(
      explanation.components(separatedBy: "== weight: delete ==").last?
        .components(separatedBy: "-- ==").first)
    let steps = [
      "keep out the arrival", "lock the person rows", "add to weight", "the periods they are in",
      "put the next most recent in its place", "where there is none", "delete weight rows",
      "add to weight",
    ]
    var rest = Substring(deletion)
    for step in steps {
      let found = try #require(rest.range(of: "-- \(step)"), "\(step) is missing or out of order")
      rest = rest[found.upperBound...]
    }
  }

  @Test func partitionsAreNamedByTheirPeriod() throws {
    #expect(
      ForeignSchema.weight.partition(of: try Period(parsing: "2024-06")).description
        == "rollup.weight_rollups_months_2024_06")
    #expect(
      ForeignSchema.weight.partition(of: try Period(parsing: "2024Q2")).description
        == "rollup.weight_rollups_quarters_2024_q2")
  }
}
