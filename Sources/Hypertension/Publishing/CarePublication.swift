import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// What closing publishes of the programme: each facility's figures with the facility as it was, and the patients behind
/// them (`Migrations/0004_published.sql`).
public struct CarePublication: Publication {
  public init() {}

  /// Of INDICATORS.md as it stands.
  public var definitions: Int { 1 }

  public var parts: [EditionPart] {
    [
      EditionPart(
        "figures", published: "rollup.published_figures",
        columns: Self.facilityColumns + Self.countColumns.map { Column(Identifier($0), .bigint) },
        place: Self.facilityID),
      EditionPart(
        "sizes", published: "rollup.published_figures",
        columns: [Self.facilityID, Column("size", .text)], place: Self.facilityID),
      EditionPart(
        "patients", published: "rollup.published_patients",
        columns: [
          Self.registrationFacilityID, Self.assignedFacilityID, Column("state", .integer),
          Column("patient_ids", .array(.uuid)), Column("systolic", .array(.smallint)),
          Column("diastolic", .array(.smallint)),
        ], place: Self.assignedFacilityID),
    ]
  }

  public var places: EditionPlaces {
    EditionPlaces(
      "rollup.published_figures", place: Self.facilityID, state: Column("state", .text),
      district: Column("district", .text), figures: parts[0])
  }

  private static let facilityID = Column("facility_id", .uuid)
  private static let registrationFacilityID = Column("registration_facility_id", .uuid)
  private static let assignedFacilityID = Column("assigned_facility_id", .uuid)
  private static let facilityColumns = [
    facilityID, Column("facility", .text), Column("state", .text), Column("district", .text),
    Column("block", .text),
  ]
  /// The counts in the order of ``CareFigures/counts``.
  static let countColumns = Indicator.allCases.filter { $0 != .denominator }.map(\.rawValue)

  // MARK: Publishing

  public func publish(_ edition: Edition, since: String, in tx: borrowing Transaction)
    async throws
  {
    // Before the lines: a row that goes after it was counted is missed in the count of then.
    try await tx.execute(
      "CREATE TEMPORARY TABLE care_counts (patients bigint, readings bigint, visits bigint) ON COMMIT DROP"
    )
    try await tx.execute(
      Query(
        text: "INSERT INTO care_counts SELECT \(oldRows(edition.period).joined(separator: ", "))",
        binds: [Bind(since)]))
    let lines = try await lines(edition, .everybody, in: tx)
    try await tx.execute(
      Query(
        text: """
          CREATE TEMPORARY TABLE care_lines ON COMMIT DROP AS
          \(lines)
          """.replacing("$1::uuid[] IS NOT NULL", with: "true")))
    try await tx.execute("ANALYZE care_lines")
    try await insertFigures(edition, nil, in: tx)
    try await insertPatients(edition, nil, in: tx)
  }

  public func refresh(_ edition: Edition, since: String, in tx: borrowing Transaction)
    async throws -> [String]
  {
    let changed = try await changedPatients(edition.period, since, in: tx)
    let patients = try await tx.query(changed).map { try $0.decode(UUID.self) }
    let facilities = try await tx.query(
      "SELECT f.id FROM facilities AS f WHERE age(f.xmin) <= age(\(since)::xid)"
    ).map { try $0.decode(UUID.self) }
    guard !patients.isEmpty || !facilities.isEmpty else { return [] }
    var places = Set(facilities.map(Optional.some))
    places.formUnion(try await self.places(of: patients, in: tx))
    try await tx.execute("DELETE FROM care_lines WHERE patient_id = ANY (\(patients))")
    let lines = try await lines(edition, .patients, in: tx)
    try await tx.execute(
      Query(text: "INSERT INTO care_lines \(lines)", binds: [Bind(patients)]))
    places.formUnion(try await self.places(of: patients, in: tx))
    let texts = places.map { $0?.uuidString.lowercased() ?? "" }
    for (table, place) in [
      ("published_figures", "facility_id"), ("published_patients", "assigned_facility_id"),
    ] {
      try await tx.execute(
        Query(
          text: """
            DELETE FROM rollup.\(table)
            WHERE period_type = $1::"char" AND period_start = $2 AND edition = $3 AND coalesce(\(place)::text, '') = ANY ($4)
            """, binds: key(edition) + [Bind(texts)]))
    }
    try await insertFigures(edition, texts, in: tx)
    try await insertPatients(edition, texts, in: tx)
    return texts
  }

  private func key(_ edition: Edition) -> [Bind] {
    [
      Bind(edition.period.type.code), Bind(CalendarDay(edition.period.start)),
      Bind(edition.number),
    ]
  }

  /// Every patient's line. `visited` says whether there was a visit within the period, to see whether it has gone.
  private func lines(
    _ edition: Edition, _ scope: CareStates.Scope, in tx: borrowing Transaction
  ) async throws -> String {
    let closed = try await RollupStore.closedPeriods(in: tx)
    let states = CareStates(
      evaluation: Evaluation(lastOf: edition.period), closed: closed, scope: scope)
    return """
      SELECT s.patient_id, s.registration_facility_id, s.assigned_facility_id,
        s.dead::integer * \(PatientState.dead.rawValue) + s.cared_for::integer * \(PatientState.caredFor.rawValue)
          + s.adjusted::integer * \(PatientState.adjusted.rawValue) + s.visited::integer * \(PatientState.visited.rawValue)
          + (s.period_systolic IS NOT NULL)::integer * \(PatientState.readInPeriod.rawValue)
          + s.in_cohort::integer * \(PatientState.inCohort.rawValue)
          + s.cohort_visited::integer * \(PatientState.cohortVisited.rawValue)
          + (s.cohort_systolic IS NOT NULL)::integer * \(PatientState.readInCohortWindow.rawValue)
          + s.is_new::integer * \(PatientState.new.rawValue) AS state,
        s.visited_in_period, \(Self.published("s.recent_systolic")) AS systolic,
        \(Self.published("s.recent_diastolic")) AS diastolic
      FROM (
        \(states.query)
      ) AS s
      """
  }

  /// A pressure as it is published: two bytes. One that no arm ever had, such as 40000, is published as the nearest that fits, on
  /// the same side of every limit.
  private static func published(_ pressure: String) -> String {
    "CASE WHEN \(pressure) IS NOT NULL THEN least(greatest(\(pressure), -32768), 32767)::smallint END"
  }

  /// A name as it is published: what is longer is cut, because the names of districts are in an index.
  private static func published(name: String) -> String { "left(\(name), 200)" }

  /// How many rows there are that were committed before a transaction, `$1`, of the register, the readings and the visits.
  /// After that they can only become fewer: as long as they are as many, none was changed or removed.
  private func oldRows(_ period: Period) -> [String] {
    sources(period).map { "(SELECT count(*) FROM \($0) AS r WHERE age(r.xmin) > age($1::xid))" }
  }

  private func sources(_ period: Period) -> [TableName] {
    [
      "rollup.patient_register", Rollups.bloodPressure.partition(of: period),
      Rollups.visits.partition(of: period),
    ]
  }

  /// Patients whose facts, readings or visits in the period are not what the lines say. Who has rows no more is looked
  /// for only where rows are missed: that takes several times as long, and writers wait.
  private func changedPatients(
    _ period: Period, _ since: String, in tx: borrowing Transaction
  ) async throws -> Query {
    let tables = sources(period)
    let counts = zip(["patients", "readings", "visits"], oldRows(period)).map { "\($0) <> \($1)" }
    let (patients, readings, visits) = try await tx.query(
      Query(
        text: "SELECT \(counts.joined(separator: ", ")) FROM care_counts", binds: [Bind(since)])
    ).only((Bool, Bool, Bool).self)
    var parts = tables.map {
      "SELECT r.patient_id FROM \($0) AS r WHERE age(r.xmin) <= age($1::xid)"
    }
    func gone(_ condition: String, _ table: TableName) -> String {
      """
      SELECT l.patient_id FROM care_lines AS l
      WHERE \(condition) AND NOT EXISTS (SELECT FROM \(table) AS r WHERE r.patient_id = l.patient_id)
      """
    }
    if patients { parts.append(gone("true", tables[0])) }
    if readings {
      parts.append(gone("l.state & \(PatientState.readInPeriod.rawValue) <> 0", tables[1]))
    }
    if visits { parts.append(gone("l.visited_in_period", tables[2])) }
    return Query(text: parts.joined(separator: " UNION "), binds: [Bind(since)])
  }

  private func places(of patients: [UUID], in tx: borrowing Transaction) async throws
    -> Set<UUID?>
  {
    let rows = try await tx.query(
      """
      SELECT registration_facility_id FROM care_lines WHERE patient_id = ANY (\(patients))
      UNION SELECT assigned_facility_id FROM care_lines WHERE patient_id = ANY (\(patients))
      """)
    return Set(try rows.map { try $0.decode(0, as: UUID?.self) })
  }

  /// - Parameter places: only these, as text; nil for all.
  private func insertFigures(_ edition: Edition, _ places: [String]?, in tx: borrowing Transaction)
    async throws
  {
    func bit(_ state: PatientState) -> String { "l.state & \(state.rawValue) <> 0" }
    let (dead, cared) = (bit(.dead), bit(.caredFor))
    let underCare = "NOT \(dead) AND \(cared) AND \(bit(.adjusted))"
    let limits = ControlLimits.standard
    let controlled = "(l.systolic < \(limits.systolic) AND l.diastolic < \(limits.diastolic))"
    let (inPeriod, inCohort) = (bit(.readInPeriod), bit(.inCohort))
    let (cohortVisited, cohortRead) = (bit(.cohortVisited), bit(.readInCohortWindow))
    let conditions = [
      "NOT \(dead)", "NOT \(dead) AND \(cared)", "NOT \(dead) AND NOT (\(cared))", dead,
      inPeriod, "\(inPeriod) AND \(controlled)", "\(inPeriod) AND NOT \(controlled)",
      "\(underCare) AND \(bit(.visited)) AND \(controlled)",
      "\(underCare) AND \(bit(.visited)) AND NOT \(controlled)",
      "\(underCare) AND NOT (\(bit(.visited)))",
      "\(underCare) AND \(bit(.visited)) AND l.systolic IS NULL",
      inCohort, "\(inCohort) AND \(cohortVisited) AND \(cohortRead) AND \(controlled)",
      "\(inCohort) AND \(cohortVisited) AND \(cohortRead) AND NOT \(controlled)",
      "\(inCohort) AND NOT (\(cohortVisited))",
      "\(inCohort) AND \(cohortVisited) AND NOT (\(cohortRead))",
    ]
    let columns = Self.countColumns
    let assigned = zip(columns.dropFirst(2), conditions).map {
      "count(*) FILTER (WHERE \($1)) AS \($0)"
    }
    let counts = columns.map { "coalesce(\(columns.prefix(2).contains($0) ? "r" : "a").\($0), 0)" }
    try await tx.execute(
      Query(
        text: """
          INSERT INTO rollup.published_figures (period_type, period_start, edition,
            size, \((Self.facilityColumns.map(\.name.name) + columns).joined(separator: ", ")))
          WITH places AS (
            SELECT f.id::uuid AS facility_id, \(Self.published(name: "f.name")) AS facility, \(Self.published(name: "f.state")) AS state,
              \(Self.published(name: "f.district")) AS district, nullif(\(Self.published(name: "f.block")), '') AS block,
              \(Self.published(name: "f.size")) AS size,
              f.deleted_at IS NOT NULL AS is_deleted
            FROM facilities AS f
            UNION ALL
            SELECT l.id, 'Unknown facility', 'Unknown', 'Unknown', NULL, NULL, true
            FROM (
              SELECT assigned_facility_id AS id FROM care_lines
              UNION SELECT registration_facility_id FROM care_lines WHERE registration_facility_id IS NOT NULL
            ) AS l
            WHERE NOT EXISTS (SELECT FROM facilities AS f WHERE f.id = l.id)
          )
          SELECT $1::"char", $2::date, $3::integer, p.size, p.facility_id, p.facility, p.state, p.district, p.block,
            \(counts.joined(separator: ", "))
          FROM places AS p
          LEFT JOIN (
            SELECT l.registration_facility_id AS id, count(*) AS cumulative_registrations,
              count(*) FILTER (WHERE \(bit(.new))) AS new_registrations
            FROM care_lines AS l
            GROUP BY 1
          ) AS r ON r.id = p.facility_id
          LEFT JOIN (
            SELECT l.assigned_facility_id AS id, true AS found, \(assigned.joined(separator: ",\n      "))
            FROM care_lines AS l
            GROUP BY 1
          ) AS a ON a.id IS NOT DISTINCT FROM p.facility_id
          WHERE (NOT p.is_deleted OR r.id IS NOT NULL OR a.found)
            AND ($4::text[] IS NULL OR coalesce(p.facility_id::text, '') = ANY ($4))
          """, binds: key(edition) + [Bind(places)]))
  }

  private func insertPatients(
    _ edition: Edition, _ places: [String]?, in tx: borrowing Transaction
  ) async throws {
    func values(_ column: String) -> String {
      """
      CASE WHEN count(l.systolic) > 0 THEN array_agg(l.\(column) ORDER BY l.patient_id) END
      """
    }
    try await tx.execute(
      Query(
        text: """
          INSERT INTO rollup.published_patients (period_type, period_start, edition, registration_facility_id,
            assigned_facility_id, state, patient_ids, systolic, diastolic)
          SELECT $1::"char", $2::date, $3::integer, l.registration_facility_id, l.assigned_facility_id, l.state,
            array_agg(l.patient_id ORDER BY l.patient_id), \(values("systolic")), \(values("diastolic"))
          FROM care_lines AS l
          WHERE $4::text[] IS NULL OR coalesce(l.assigned_facility_id::text, '') = ANY ($4)
          GROUP BY l.registration_facility_id, l.assigned_facility_id, l.state
          """, binds: key(edition) + [Bind(places)]))
  }
}

extension CarePublication {
  /// Counts the figures again from the patients, and names the columns that differ.
  public func explain(_ part: String, place: String, of edition: Edition, _ pool: Pool)
    async throws -> String
  {
    try await pool.transaction(.repeatableRead, readOnly: true) { tx in
      let facility = UUID(uuidString: place)
      let published = try await PublishedFigures(edition, state: nil, district: nil).run(tx)
        .first { $0.0.id == facility }?.1
      guard let published else { return " is missing among the figures" }
      let counted =
        try await PublishedPatients(edition, facilities: facility.map { [$0] })
        .figures(.standard, tx)[facility] ?? CareFigures()
      let columns = zip(Self.countColumns, CareFigures.counts).compactMap { name, count in
        let (a, b) = (published[keyPath: count], counted[keyPath: count])
        return a == b ? nil : "\(name) is \(a), its patients give \(b)"
      }
      return columns.isEmpty ? "" : ": " + columns.joined(separator: "; ")
    }
  }
}

extension Evaluation {
  /// Of a period that is over.
  init(lastOf period: Period) {
    self.init(period, today: period.end)
  }
}

extension Migrator {
  /// Of the hypertension programme, with its default tables.
  public static let programme = Migrator(
    Rollups.catalog, places: "facilities",
    published: ["rollup.published_figures", "rollup.published_patients"])
}
