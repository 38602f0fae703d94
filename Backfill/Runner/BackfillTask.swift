import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// What a backfill is asked to do. As JSON it is the task of its run: the same command again is the same task.
public struct BackfillTask: RunTask, Hashable, Sendable {
  public var from: Period
  public var to: Period
  /// Names of rollups; empty for all.
  public var only: [String] = []
  /// Fills only these columns of the one rollup, in rows that are there; nil for rows and all columns.
  public var columns: [String]?
  /// Only patients who are assigned to facilities of these regions, or one patient.
  public var state: String?
  public var district: String?
  public var facility: UUID?
  public var patient: UUID?
  /// Patients a chunk; nil for as many as have some hundred thousand events.
  public var chunk: Int?
  /// Whether empty periods are loaded before they are indexed; nil for where it is worth it.
  public var load: Loads?

  /// When empty periods are loaded into tables of their own.
  public enum Loads: String, Codable, CaseIterable, Sendable { case always, never }

  public init(_ span: PeriodSpan) {
    from = span.first
    to = span.last
  }

  public var span: PeriodSpan { PeriodSpan(from: from, through: to) ?? .all }

  /// Whether it is of all patients.
  public var isWhole: Bool { state == nil && district == nil && facility == nil && patient == nil }

  // MARK: What it is about

  func includes(_ name: String) -> Bool { only.isEmpty || only.contains(name) }

  var rollups: [MostRecent] { Rollups.catalog.mostRecent.filter { includes($0.name) } }
  var registers: [Register] { Rollups.catalog.registers.filter { includes($0.name) } }
  /// The rollup whose ``columns`` are filled, and which those are.
  var filling: (MostRecent, [Column])? {
    guard let columns, let rollup = rollups.first else { return nil }
    return (rollup, rollup.payload.filter { columns.contains($0.name.name) })
  }
  /// Counts are of all patients; one patient or facility more or less shows in the rest.
  var counts: [PeriodCount] { isWhole ? Rollups.catalog.counts.filter { includes($0.name) } : [] }
  /// What it fills.
  var tables: [TableName] {
    rollups.map(\.table) + counts.map(\.table) + registers.map(\.table)
  }
  /// The types of periods that any of them is declared for.
  var types: Set<PeriodType> { Set(rollups.flatMap(\.periods) + counts.flatMap(\.periods)) }
}

extension BackfillTask: CustomStringConvertible {
  /// `2020-01 to 2024-06, blood-pressure, district Bathinda`
  public var description: String {
    let regions: [(String, String?)] = [
      ("state", state), ("district", district),
      ("facility", facility?.uuidString.lowercased()),
      ("patient", patient?.uuidString.lowercased()),
    ]
    let narrowed = regions.compactMap { name, value in value.map { "\(name) \($0)" } }
    let filled = columns.map { ["columns \($0.joined(separator: " "))"] } ?? []
    return (["\(span)"] + only + filled + narrowed).joined(separator: ", ")
  }

  /// Whether a period is in its span.
  public func includes(_ period: Period) -> Bool {
    span.periods(of: period.type).contains(period)
  }
}

/// Whom a task is about.
struct BackfillScope: Sendable {
  let task: BackfillTask

  /// The patients of the task's regions, with those of whom the rollups have rows there although they are gone;
  /// nil for all.
  /// - Throws: ``UnknownRegion``.
  func patients(_ pool: Pool) async throws -> [UUID]? {
    if let patient = task.patient { return [patient] }
    guard !task.isWhole else { return nil }
    let facilities = try await facilities(pool)
    let rows = Rollups.catalog.mostRecent.map {
      "SELECT patient_id FROM \($0.table) WHERE assigned_facility_id = ANY ($1) AND period_start >= $2 AND period_start < $3"
    }
    let query = Query(
      text: """
        SELECT id FROM patients WHERE assigned_facility_id = ANY ($1)
        UNION SELECT patient_id FROM rollup.patient_register WHERE assigned_facility_id = ANY ($1)
        UNION \(rows.joined(separator: " UNION "))
        ORDER BY 1
        """,
      binds: [
        Bind(facilities), Bind(CalendarDay(task.span.bounds(of: [.quarter]).from)),
        Bind(CalendarDay(task.to.end)),
      ])
    return try await pool.withConnection { connection in
      try await connection.query(query).map { try $0.decode(UUID.self) }
    }
  }

  private func facilities(_ pool: Pool) async throws -> [UUID] {
    let all = try await pool.withConnection { connection in
      try await connection.query("SELECT id, state, district FROM facilities").map {
        try $0.decode((UUID, String, String).self)
      }
    }
    let regions = try RegionFilter(state: task.state, district: task.district)
      .checked(among: all.map { ($0.1, $0.2) })
    if let facility = task.facility, !all.contains(where: { $0.0 == facility }) {
      throw UnknownRegion(kind: "facility", name: facility.uuidString.lowercased(), nearest: [])
    }
    return all.filter { id, state, district in
      (task.facility ?? id) == id && regions.contains(state: state, district: district)
    }.map(\.0)
  }
}
