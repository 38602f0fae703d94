import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// What may be asked of a projection besides its rows, and the rollups of the write path as projections.
@Suite(.timeLimit(.minutes(30))) struct OptionTests {
  static let id = Field<Int>("thing_id")
  static let note = Column("note", .text)
  static let mark = Column("mark", .bigint)
  static let things = Table("things", table: "things", columns: [id.column, note, mark])

  private static func kept(_ options: Projection.Options) -> Projection {
    .derived(
      "kept", table: "kept", columns: [id.column, note, mark], key: [id.column],
      scopes: [id.column], unit: id.column, options: options
    ) { ["SELECT t.thing_id, t.note, t.mark FROM \(things) AS t"] }
  }

  private func withThings(
    _ options: Projection.Options, _ body: (Projector, Projection, Pool) async throws -> Void
  ) async throws {
    let projection = Self.kept(options)
    try await TestDatabase.migrated(size: 6) { database, _ in
      let pool = database.pool
      try await pool.withConnection {
        try await $0.script(
          "CREATE TABLE things (thing_id bigint, note text, mark bigint); INSERT INTO things VALUES (1, 'a', 1), (2, 'b', 1), (3, NULL, 1)"
        )
      }
      let projector = Projector(
        pool, try Graph([projection]), timeZone: "Asia/Kolkata", replica: pool)
      try await projector.deploy()
      try await projector.begin(projection, lens: .everything).wait()
      try await body(projector, projection, pool)
    }
  }

  private func change(_ pool: Pool, _ sql: String) async throws {
    try await pool.withConnection { try await $0.script(sql) }
  }

  private func rows(_ pool: Pool) async throws -> [String] {
    try await pool.withConnection {
      try await $0.query("SELECT k::text FROM kept AS k ORDER BY thing_id").map {
        try $0.decode(String.self)
      }
    }
  }

  @Test func rowsWithoutWhatIsRequiredAreLeftOut() async throws {
    try await withThings(.init(required: [Self.note])) { _, _, pool async throws -> Void in
      #expect(try await rows(pool) == ["(1,a,1)", "(2,b,1)"])
    }
  }

  @Test(arguments: [
    (Projection.Conflict.replaceAll, "(1,x,9)"), (.replace([mark]), "(1,a,9)"),
    (.ifNewer(by: [mark]), "(1,x,9)"), (.nothing, "(1,a,1)"),
  ])
  func aRowThatIsThereIsReplacedAsTheOptionSays(_ conflict: Projection.Conflict, row: String)
    async throws
  {
    try await withThings(.init(onConflict: conflict)) { projector, projection, pool in
      try await change(pool, "UPDATE things SET note = 'x', mark = 9 WHERE thing_id = 1")
      try await projector.begin(projection, lens: .everything).wait()
      #expect(try await rows(pool) == [row, "(2,b,1)", "(3,,1)"])
      #expect(try await projector.verify(projection, lens: .everything).isEmpty)
    }
  }

  @Test func aTableThatOnlyGrowsKeepsWhatIsDerivedNoMore() async throws {
    try await withThings(.init(dematerialises: false)) { projector, projection, pool in
      try await change(pool, "DELETE FROM things WHERE thing_id = 1")
      try await projector.begin(projection, lens: .everything).wait()
      #expect(try await rows(pool).count == 3)
      await #expect(throws: GraphError.cannotDematerialise("kept")) {
        try await projector.dematerialise(projection, lens: .everything)
      }
    }
  }

  @Test func whatIsReadFromAReplicaIsWrittenToThePrimary() async throws {
    try await withThings(.init(reads: .replica)) { projector, projection, pool in
      try await change(pool, "DELETE FROM things WHERE thing_id = 2")
      try await change(pool, "UPDATE things SET note = 'é \"x\"' WHERE thing_id = 1")
      try await projector.begin(projection, lens: .where(Self.id, in: [1, 2])).wait()
      #expect(try await rows(pool) == ["(1,\"é \"\"x\"\"\",1)", "(3,,1)"])
    }
  }

  @Test func whatTakesTooLongIsGivenUp() async throws {
    let slow = Projection.derived(
      "slow", table: "slow", columns: [Self.id.column], key: [Self.id.column],
      scopes: [Self.id.column], unit: Self.id.column, options: .init(timeLimit: 1)
    ) { ["SELECT 1::bigint AS thing_id FROM pg_sleep(30)"] }
    try await TestDatabase.migrated(size: 3) { database, _ in
      let projector = Projector(database.pool, try Graph([slow]), timeZone: "UTC")
      try await projector.deploy()
      let error = await #expect(throws: PostgresError.self) {
        try await projector.begin(slow, lens: .where(Self.id, is: 1)).wait()
      }
      #expect(error?.sqlState == .queryCanceled)
    }
  }

  @Test func anEmptyScopeChangesNothing() async throws {
    try await withThings(.init()) { projector, projection, pool in
      try await change(pool, "DELETE FROM things")
      try await projector.begin(projection, lens: .where(Self.id, in: [Int]())).wait()
      try await projector.begin(projection, lens: .where(Self.id) { _ in false }).wait()
      #expect(try await rows(pool).count == 3)
    }
  }

  @Test func aColumnThatTheTablesDoNotHaveIsNamedBeforeAnythingIsDerived() async throws {
    let wrong = Projection.derived(
      "wrong", table: "wrong", columns: [Self.id.column], key: [Self.id.column], scopes: [],
      unit: nil
    ) { ["SELECT t.thing_id FROM \(Self.things) AS t WHERE t.colour = 'red'"] }
    try await TestDatabase.migrated(size: 2) { database, _ in
      try await change(
        database.pool, "CREATE TABLE things (thing_id bigint, note text, mark bigint)")
      let error = await #expect(throws: BadDerivation.self) {
        try await Projector(database.pool, Graph([wrong]), timeZone: "UTC").deploy()
      }
      #expect(error?.projection == "wrong" && error?.reason.contains("t.colour") == true)
    }
  }

  // MARK: Periods

  static let patient = Field<UUID>("patient_id")

  @Test func closedPeriodsAreRespectedByEveryKind() async throws {
    let readings = Table(Tables.BloodPressures.source)
    let last = Projection.mostRecent(
      "last-of-month", table: "kept.last_of_month", of: readings, per: [Self.patient.column],
      by: [Tables.BloodPressures.recordedAt, Column("id", .uuid)],
      keeping: [Tables.BloodPressures.systolic], periods: [.month], unit: Self.patient.column)
    let counted = Projection.count(
      "readings-a-month", table: "kept.readings_a_month", of: readings,
      per: [Self.patient.column], as: Column("n", .bigint), periods: [.month, .quarter],
      at: Tables.BloodPressures.recordedAt, unit: Self.patient.column)
    try await TestDatabase.migrated(timeZone: "Asia/Kolkata", size: 6) { database, store in
      let pool = database.pool
      let projector = Projector(pool, try Graph([last, counted]), timeZone: "Asia/Kolkata")
      try await projector.deploy()
      func readings(_ month: String, _ systolic: Int) async throws {
        try await change(
          pool,
          "INSERT INTO blood_pressures (patient_id, id, systolic, diastolic, recorded_at) VALUES ('00000000-0000-4000-8000-000000000001', gen_random_uuid(), \(systolic), 80, '\(month)-10 10:00Z')"
        )
      }
      func project() async throws {
        for projection in [last, counted] {
          try await projector.begin(projection, lens: .everything).wait()
        }
      }
      for month in ["2024-01", "2024-02"] { try await readings(month, 120) }
      try await project()
      try await change(
        pool,
        """
        INSERT INTO rollup.edition_parts VALUES ('M', '2024-01-01', 1, 'test', 'kept.last_of_month', 'systolic', '{systolic}');
        INSERT INTO rollup.editions (period_type, period_start, edition, sequence, period_name, time_zone, definitions,
          closed_at, closed_by, digest)
        VALUES ('M', '2024-01-01', 1, 1, '2024-01', 'Asia/Kolkata', 1, now(), 'test', '')
        """)
      for month in ["2024-01", "2024-02"] { try await readings("\(month)", 150) }
      try await change(
        pool,
        "UPDATE blood_pressures SET recorded_at = recorded_at + '1 hour' WHERE systolic = 150")
      try await project()
      let found = try await pool.withConnection {
        try await $0.query(
          "SELECT to_char(period_start, 'YYYY-MM'), systolic::bigint, n FROM kept.last_of_month JOIN kept.readings_a_month USING (patient_id, period_type, period_start) ORDER BY 1"
        ).map { try $0.decode((String, Int, Int).self) }
      }
      #expect(found.map { "\($0)" } == ["(\"2024-01\", 120, 1)", "(\"2024-02\", 150, 2)"])
      for projection in [last, counted] {
        #expect(try await projector.verify(projection, lens: .everything).isEmpty)
        try await projector.dematerialise(projection, lens: .everything)
      }
      let left = try await pool.withConnection {
        try await $0.query("SELECT count(*) FROM kept.readings_a_month").only(Int.self)
      }
      #expect(left == 1, "the closed month's rows stay")
    }
  }

  // MARK: Rollups

  @Test func theRollupsOfTheWritePathAreProjections() async throws {
    try await TestDatabase.migrated(size: 8) { database, store in
      let pool = database.pool
      let facility = UUID()
      let registered = Date(timeIntervalSince1970: 1_700_000_000)
      let patients = (0..<5).map { _ in
        Patient(registeredAt: registered, registrationFacilityID: facility)
      }
      for patient in patients {
        try await store.transaction { tx in try await store.insert(patient, in: tx) }
        for day in 1...3 {
          try await store.record(
            Reading(
              patientID: patient.id, facilityID: facility, systolic: 120 + day, diastolic: 80,
              recordedAt: Date(timeIntervalSince1970: 1_710_000_000 + Double(day) * 86_400)))
        }
      }
      let rollup = Projection(Rollups.bloodPressure)
      let high = Projection.derived(
        "high", table: "kept.high", columns: [Self.patient.column, Column("times", .bigint)],
        key: [Self.patient.column], scopes: [Self.patient.column], unit: Self.patient.column
      ) {
        [
          "SELECT r.patient_id, count(*) AS times FROM \(rollup) AS r WHERE r.systolic > 122 GROUP BY 1"
        ]
      }
      let graph = try Graph([high, Projection(Rollups.registrations), Projection(Rollups.patients)])
      let projector = Projector(pool, graph, timeZone: "Asia/Kolkata", rollups: store.rollups)
      try await projector.deploy()
      // Rows of the write path are right already: only what derives from them is materialised.
      let first: Projection.Lens = .where(Self.patient, is: patients[0].id)
      #expect(try graph.plan(high, first).stages.flatMap(\.projections).map(\.name) == ["high"])
      try await projector.begin(high, lens: first).wait()
      let times = try await pool.withConnection {
        try await $0.query("SELECT times FROM kept.high").only(Int.self)
      }
      #expect(times == 2, "a month and a quarter")
      // Asked for themselves they are derived anew, through the backfill's own code.
      try await change(
        pool,
        """
        DELETE FROM rollup.blood_pressure_rollups;
        DELETE FROM rollup.patient_register;
        DELETE FROM rollup.registration_rollups;
        """)
      try await projector.begin(rollup, lens: first).wait()
      let restored = try await pool.withConnection {
        try await $0.query(
          "SELECT count(DISTINCT patient_id), count(*) FROM rollup.blood_pressure_rollups"
        ).only((Int, Int).self)
      }
      #expect(restored == (1, 2))
      for projection in graph.projections where projection.isKeptAtCommit {
        try await projector.begin(projection, lens: .everything).wait()
      }
      let drift = try await store.rollups.verify(Chunk<UUID>(first: nil, end: nil), in: .all)
      #expect(drift.isEmpty, "\(drift)")
      #expect(try await store.rollups.verifyCounts(in: .all).isEmpty)
    }
  }

  @Test func theGraphOfTheReferenceDomainIsDrawn() throws {
    let drawing = GraphDrawing(try Rollups.graph())
    #expect(
      drawing.text == """
        blood-pressure (kept at commit)
          <- patient
          <- blood pressure
        visits (kept at commit)
          <- patient
          <- blood pressure
          <- visit
        blood-sugar (kept at commit)
          <- patient
          <- blood sugar
        patients (kept at commit)
          <- patient
        registrations (kept at commit)
          <- patient

        """)
    #expect(drawing.dot.contains("\"visit\" -> \"visits\";"))
    #expect(drawing.svg.hasPrefix("<svg") && drawing.svg.contains("blood-pressure"))
  }
}
