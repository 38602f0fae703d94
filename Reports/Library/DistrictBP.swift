import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// The `district-bp` report (INDICATORS.md): one row a facility, and one for each block, district,
/// state and for all.
public struct DistrictBP: Sendable {
  public var period: Period
  public var district: String?
  public var state: String?
  public var limits: ControlLimits

  public init(
    _ period: Period, district: String? = nil, state: String? = nil,
    limits: ControlLimits = .standard
  ) {
    self.period = period
    self.district = district
    self.state = state
    self.limits = limits
  }

  /// A region that does not exist, and the names that are like it.
  public struct UnknownRegion: Error, Hashable, CustomStringConvertible {
    public let kind: String
    public let name: String
    public let nearest: [String]

    public var description: String {
      "there is no \(kind) '\(name)'"
        + (nearest.isEmpty ? "" : "; the nearest are \(nearest.joined(separator: ", "))")
    }
  }

  /// Makes the report from the rollups and facilities; nothing else is read.
  /// - Parameter today: the day it is in the reporting time zone; nil to ask the database.
  /// - Throws: ``UnknownRegion``, ``DeploymentError/notMigrated``.
  public func make(_ pool: Pool, today: CalendarDate? = nil) async throws -> ReportTable {
    // One snapshot, so that facilities and figures are of one moment.
    try await pool.transaction(.repeatableRead, readOnly: true) { tx in
      let (now, facilities) = try await frame(tx)
      let (state, district) = try checked(facilities)
      let scope = facilities.filter {
        (state == nil || $0.state == state) && (district == nil || $0.district == district)
      }
      let isNarrowed = state != nil || district != nil
      let evaluation = Evaluation(period, today: today ?? now)
      let figures = try await CareFiguresQuery(
        evaluation, limits: limits, facilities: isNarrowed ? scope.map(\.id) : nil,
        closed: try await RollupStore.closedPeriods(in: tx)
      ).run(tx)
      let hierarchy = Hierarchy(scope, figures: figures, includingStrangers: !isNarrowed)
      let top: RegionLevel = district != nil ? .district : state != nil ? .state : .all
      return table(hierarchy.rows(from: top))
    }
  }

  /// The day it is, and the facilities, in one round trip.
  private func frame(_ tx: borrowing Transaction) async throws -> (CalendarDate, [Place]) {
    do {
      let answers = try await tx.pipeline([
        // Compiling a plan takes longer than running it; a whole programme's hash tables stay in
        // memory.
        "SET LOCAL jit = off", "SET LOCAL work_mem = '64MB'",
        // Starting workers takes longer than counting a district.
        Query(text: "SET LOCAL max_parallel_workers_per_gather = \(district == nil ? 2 : 0)"),
        "SELECT (now() AT TIME ZONE time_zone)::date FROM rollup.deployment",
        "SELECT id, name, state, district, nullif(block, ''), deleted_at IS NOT NULL FROM facilities",
      ])
      guard let today = try answers[3].first?.decode(CalendarDay.self) else {
        throw DeploymentError.notMigrated
      }
      let places = try answers[4].map { row in
        let (id, name, state, district, block, isDeleted) = try row.decode(
          (UUID, String, String, String, String?, Bool).self)
        return Place(
          id: id, name: name, state: state, district: district, block: block, isDeleted: isDeleted)
      }
      return (CalendarDate(daysSince1970: Int(today.daysSince2000) + 10_957), places)
    } catch let error as PostgresError
      where error.sqlState == .undefinedTable || error.sqlState == .invalidSchemaName
    {
      throw DeploymentError.notMigrated
    }
  }

  /// The names as the facilities spell them.
  private func checked(_ places: [Place]) throws -> (state: String?, district: String?) {
    func check(_ name: String?, _ kind: String, among names: [String]) throws -> String? {
      guard let name else { return nil }
      if names.contains(name) { return name }
      if let other = names.first(where: { $0.lowercased() == name.lowercased() }) { return other }
      throw UnknownRegion(kind: kind, name: name, nearest: nearest(to: name, among: names))
    }
    let state = try check(state, "state", among: Array(Set(places.map(\.state))).sorted())
    let within = places.filter { state == nil || $0.state == state }
    let district = try check(
      district, "district", among: Array(Set(within.map(\.district))).sorted())
    return (state, district)
  }

  // MARK: Columns

  private typealias Column = ReportTable.Column
  private struct Figure: Sendable {
    let column: Column
    let cell: @Sendable (CareFigures) -> ReportTable.Cell
  }

  private static func count(
    _ name: String, _ heading: String, _ figure: @escaping @Sendable (CareFigures) -> Int
  ) -> Figure {
    Figure(column: Column(name, heading)) { .integer(figure($0)) }
  }

  private static func rate(
    _ name: String, _ heading: String, _ part: @escaping @Sendable (CareFigures) -> Int,
    of whole: @escaping @Sendable (CareFigures) -> Int
  ) -> Figure {
    Figure(column: Column(name, heading)) { figures in
      Rate(part(figures), of: whole(figures)).map { .rate(tenths: $0.tenths) } ?? .empty
    }
  }

  private static let figures: [Figure] = [
    count("cumulative_registrations", "Registered") { $0.cumulativeRegistrations },
    count("new_registrations", "New") { $0.newRegistrations },
    count("assigned_patients", "Assigned") { $0.assignedPatients },
    count("under_care", "Under care") { $0.underCare },
    count("lost_to_follow_up", "Lost") { $0.lostToFollowUp },
    count("dead", "Dead") { $0.dead },
    count("patients_with_bp", "With BP") { $0.patientsWithBP },
    count("bp_controlled", "Controlled") { $0.bpControlled },
    count("bp_uncontrolled", "Uncontrolled") { $0.bpUncontrolled },
    count("denominator", "Denominator") { $0.denominator },
    count("controlled", "Controlled") { $0.controlled },
    count("uncontrolled", "Uncontrolled") { $0.uncontrolled },
    count("missed_visit", "Missed visit") { $0.missedVisit },
    count("visited_no_bp", "No BP") { $0.visitedNoBP },
    rate("controlled_rate", "Controlled %", { $0.controlled }, of: { $0.denominator }),
    rate("uncontrolled_rate", "Uncontr. %", { $0.uncontrolled }, of: { $0.denominator }),
    rate("missed_visit_rate", "Missed %", { $0.missedVisit }, of: { $0.denominator }),
    rate("visited_no_bp_rate", "No BP %", { $0.visitedNoBP }, of: { $0.denominator }),
    count("cohort_registered", "Cohort") { $0.cohortRegistered },
    count("cohort_controlled", "Controlled") { $0.cohortControlled },
    count("cohort_uncontrolled", "Uncontrolled") { $0.cohortUncontrolled },
    count("cohort_missed_visit", "Missed visit") { $0.cohortMissedVisit },
    count("cohort_visited_no_bp", "No BP") { $0.cohortVisitedNoBP },
    rate(
      "cohort_controlled_rate", "Controlled %", { $0.cohortControlled }, of: { $0.cohortRegistered }
    ),
  ]

  private static let columns: [Column] =
    [
      Column("period", "Period", isNumber: false), Column("level", "Level", isNumber: false),
      Column("state", "State", isNumber: false), Column("district", "District", isNumber: false),
      Column("block", "Block", isNumber: false),
      Column("facility_id", "Facility id", isNumber: false),
      Column("facility", "Facility", isNumber: false),
    ] + figures.map(\.column) + [
      Column("status", "Status", isNumber: false), Column("edition", "Edition"),
    ]

  private static let sections: [ReportTable.Section] = [
    .init(
      "Registrations and care",
      [
        "cumulative_registrations", "new_registrations", "assigned_patients", "under_care",
        "lost_to_follow_up", "dead",
      ]),
    .init(
      "Blood pressure in the period", ["patients_with_bp", "bp_controlled", "bp_uncontrolled"]),
    .init(
      "Outcomes of patients under care, registered three months ago or more",
      [
        "denominator", "controlled", "uncontrolled", "missed_visit", "visited_no_bp",
        "controlled_rate",
        "missed_visit_rate",
      ]),
    .init(
      "Cohort",
      [
        "cohort_registered", "cohort_controlled", "cohort_uncontrolled", "cohort_missed_visit",
        "cohort_visited_no_bp", "cohort_controlled_rate",
      ]),
  ]

  private func table(_ rows: [Hierarchy.Row]) -> ReportTable {
    // No period can be closed yet: `open`, and no edition.
    let (status, edition) = ("open", 0)
    func text(_ text: String?) -> ReportTable.Cell { text.map { .text($0) } ?? .empty }
    return ReportTable(
      name: "district-bp", title: "Hypertension control, \(period)",
      facts: [
        ("report", "district-bp"), ("period", "\(period)"),
        ("controlled_below", "\(limits.systolic)/\(limits.diastolic)"), ("status", status),
        ("edition", "\(edition)"),
      ],
      columns: Self.columns, sections: Self.sections,
      rows: rows.map { row in
        ReportTable.Row(
          label: row.label, depth: row.depth,
          cells: [
            .text("\(period)"), .text(row.level.rawValue), text(row.state), text(row.district),
            text(row.block), text(row.facilityID.map { $0.uuidString.lowercased() }),
            text(row.facility),
          ] + Self.figures.map { $0.cell(row.figures) } + [.text(status), .integer(edition)])
      })
  }
}
