import Foundation
import RollupStore
import TestSupport
import Testing
import VeterinaryReminders

@testable import PeriodRollups

/// What declarations turn into, and what is refused.
@Suite struct GraphTests {
  static let patient = Field<UUID>("patient_id")
  static let clinic = Field<Int>("clinic_id")
  static let visits = Table(
    "visits", table: "app.visits",
    columns: [patient.column, clinic.column, Column("day", .date), Column("visit_id", .uuid)],
    stored: ["visit_id": "id"])
  static let last = Projection.mostRecent(
    "last-visits", table: "kept.last_visits", of: visits, per: [clinic.column, patient.column],
    by: [Column("day", .date), Column("visit_id", .uuid)], unit: patient.column)

  private func text(_ projection: Projection, _ lens: Projection.Lens, chunk: Bool = false) throws
    -> String
  {
    Materialisation(
      projection, in: try Graph([projection]), form: LensForm(lens, isChunk: chunk)
    ).materialise.text
  }

  @Test func aMaterialisationIsOneStatementOverOneSnapshot() throws {
    #expect(
      try text(Self.last, .where(Self.clinic, is: 5), chunk: true) == """
        WITH derived AS MATERIALIZED (
          SELECT d.clinic_id, d.patient_id, d.day, d.visit_id
          FROM (
            SELECT DISTINCT ON (clinic_id, patient_id) clinic_id, patient_id, day, visit_id
            FROM (
              SELECT i.* FROM (
                SELECT s.patient_id, s.clinic_id, s.day, s.id AS visit_id
                FROM app.visits AS s
                WHERE s.clinic_id = $1::bigint AND s.patient_id = ANY ($2::uuid[])
              ) AS i
            ) AS c
            ORDER BY clinic_id, patient_id, day DESC, visit_id DESC
          ) AS d
          WHERE d.clinic_id = $1::bigint AND (d.patient_id = ANY ($2::uuid[])) IS TRUE AND d.clinic_id IS NOT NULL AND d.patient_id IS NOT NULL
        ), gone AS (
          DELETE FROM kept.last_visits AS t
          WHERE t.clinic_id = $1::bigint AND t.patient_id = ANY ($2::uuid[]) AND NOT EXISTS (
              SELECT FROM derived AS d
              WHERE (d.clinic_id, d.patient_id) = (t.clinic_id, t.patient_id)
            )
          RETURNING 1
        ), written AS (
          INSERT INTO kept.last_visits AS t (clinic_id, patient_id, day, visit_id)
          SELECT d.clinic_id, d.patient_id, d.day, d.visit_id
          FROM derived AS d
          WHERE NOT EXISTS (
            SELECT FROM kept.last_visits AS r
            WHERE r.clinic_id = $1::bigint AND r.patient_id = ANY ($2::uuid[]) AND (r.clinic_id, r.patient_id) = (d.clinic_id, d.patient_id)
              AND (r.day, r.visit_id) IS NOT DISTINCT FROM (d.day, d.visit_id)
          )
          ON CONFLICT (clinic_id, patient_id) DO UPDATE
          SET (day, visit_id) = ROW (excluded.day, excluded.visit_id)
          WHERE (t.day, t.visit_id) IS DISTINCT FROM (excluded.day, excluded.visit_id)
          RETURNING t.clinic_id, t.patient_id, t.day, t.visit_id
        )
        SELECT c.written, c.gone, c.emitted, extract(epoch FROM clock_timestamp() - statement_timestamp())::double precision
        FROM (
          SELECT (SELECT count(*) FROM written) AS written, (SELECT count(*) FROM gone) AS gone, 0::bigint AS emitted
          OFFSET 0
        ) AS c
        """)
  }

  @Test func lensesOfOneFormShareAStatement() throws {
    let (a, b) = (UUID(), UUID())
    #expect(
      LensForm(.where(Self.patient, is: a), isChunk: false)
        == LensForm(.where(Self.patient, is: b), isChunk: false))
    #expect(
      LensForm(.where(Self.patient, is: a), isChunk: false)
        != LensForm(.where(Self.patient, in: [a]), isChunk: false))
  }

  @Test func aValueOfALensNeverReachesTheText() throws {
    let name = Field<String>("name")
    let lens = Projection.Lens.where(name, is: "'; DROP TABLE x; --")
    let named = Projection.virtual("named", columns: [name.column]) {
      "SELECT n.name FROM \(Table("n", table: "n", columns: [name.column])) AS n"
    }
    let rows = Materialisation(
      named, in: try Graph([named]), form: LensForm(lens, isChunk: false)
    ).rows
    #expect(!rows.text.contains("DROP") && rows.parameters.map(\.name) == ["lens_1"])
  }

  // MARK: What is refused

  enum Hen: Projected {
    static let projection = derived("hen", [Egg.self])
  }
  enum Egg: Projected {
    static let projection = derived("egg", [Nest.self])
  }
  enum Nest: Projected {
    static let projection = derived("nest", [Hen.self])
  }

  private static func derived(_ name: String, _ inputs: [any Projected.Type]) -> Projection {
    .derived(
      name, table: TableName(stringLiteral: name), columns: [patient.column], key: [patient.column],
      scopes: [patient.column], unit: patient.column
    ) { inputs.map { reading($0) } }
  }

  private static func reading<P: Projected>(_: P.Type) -> Derivation {
    "SELECT patient_id FROM \(P.self) AS x"
  }

  @Test func aCycleIsAnErrorThatNamesItsPath() {
    #expect(throws: GraphError.cycle(["hen", "egg", "nest", "hen"])) { try Graph([Hen.projection]) }
    #expect(
      "\(GraphError.cycle(["hen", "egg", "hen"]))"
        == "projections derive from each other: hen <- egg <- hen")
  }

  @Test func anUnknownColumnIsAnError() throws {
    let other = Field<UUID>("doctor_id")
    let wrong = Projection.derived(
      "wrong", table: "w", columns: [Self.patient.column], key: [other.column], scopes: [],
      unit: nil
    ) { ["SELECT"] }
    #expect(throws: GraphError.unknownColumn("doctor_id", in: "wrong", known: ["patient_id"])) {
      try Graph([wrong])
    }
    let graph = try Graph([Self.last])
    #expect(throws: GraphError.self) { try graph.plan(Self.last, .where(other, is: UUID())) }
    #expect(
      throws: GraphError.noScope("day", of: "last-visits", scopes: ["clinic_id", "patient_id"])
    ) {
      try graph.plan(
        Self.last,
        .where(Field<CalendarDate>("day"), is: CalendarDate(year: 2024, month: 1, day: 1)!))
    }
  }

  @Test func twoProjectionsOfOneNameAreAnError() {
    let other = Projection.mostRecent(
      "last-visits", table: "elsewhere", of: Self.visits, per: [Self.patient.column],
      by: [Column("day", .date)], unit: Self.patient.column)
    #expect(throws: GraphError.twoOfOneName("last-visits")) { try Graph([Self.last, other]) }
  }

  @Test func anInputThatTheLensCannotNarrowIsAnErrorUnlessItIsMeant() throws {
    func counted(_ isWhole: Bool) -> Projection {
      let clinics = Projection.count(
        "by-day", table: "d", of: Self.last, per: [Column("day", .date)], as: Column("n", .bigint),
        unit: nil, options: .init(isWhole: isWhole))
      return .derived(
        "busy", table: "b", columns: [Self.patient.column], key: [Self.patient.column],
        scopes: [Self.patient.column], unit: Self.patient.column
      ) {
        ["SELECT v.patient_id FROM \(Self.visits) AS v JOIN \(clinics) AS c ON c.day = v.day"]
      }
    }
    let lens = Projection.Lens.where(Self.patient, is: UUID())
    #expect(throws: GraphError.self) { try Graph([counted(false)]).plan(counted(false), lens) }
    let plan = try Graph([counted(true)]).plan(counted(true), lens)
    #expect(
      plan.stages.map { $0.projections.map(\.name) } == [["last-visits"], ["by-day"], ["busy"]])
    #expect(plan.stages.map { "\($0.lens)" }[0...1] == ["everything", "everything"])
  }

  @Test func aPatientsPlanIsOneTransaction() throws {
    let graph = try Graph([TriggeredCadence.projection])
    let plan = try graph.plan(
      OutstandingProtocol.projection, .where(Of.patient, is: UUID()))
    #expect(plan.stages.count == 1)
    #expect(
      plan.stages[0].projections.map(\.name) == [
        "most-recent-immunizations", "most-recent-order-items",
        "most-recent-custom-patient-protocols", "product-protocols", "outstanding-protocols",
      ])
    let alone = try graph.plan(
      OutstandingProtocol.projection, .everything, withInputs: false)
    #expect(alone.stages.flatMap(\.projections).map(\.name) == ["outstanding-protocols"])
  }

  @Test func aLensIsSaidInWords() {
    let lens = Projection.Lens.where(Self.clinic, within: 1..<5).and(
      Self.patient, in: [UUID(), UUID()]
    )
    .and(Self.patient) { _ in true }
    #expect(
      "\(lens)" == "clinic_id >= 1, clinic_id < 5, patient_id in 2 values, patient_id by a function"
    )
    #expect("\(Projection.Lens.everything)" == "everything")
  }
}
