import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// The `district-bp` report (INDICATORS.md): one row a facility, and one for each block, district,
/// state and for all.
///
/// An open period is counted from the rollups. A closed one is what was published: its figures, its
/// facilities' names and regions, whatever has become of them.
public struct DistrictBP: Sendable {
  public var period: Period
  public var district: String?
  public var state: String?
  public var limits: ControlLimits
  public var view: View

  /// Which figures of a closed period.
  public enum View: Hashable, Sendable {
    /// As published, in the last edition. The one there is of an open period.
    case published
    /// As published in an edition.
    case edition(Int)
    /// As they would be today.
    case knownNow
  }

  public init(
    _ period: Period, district: String? = nil, state: String? = nil,
    limits: ControlLimits = .standard, view: View = .published
  ) {
    self.period = period
    self.district = district
    self.state = state
    self.limits = limits
    self.view = view
  }

  /// Makes the report from the rollups and facilities, or from what was published; nothing else is
  /// read.
  /// - Parameter today: the day it is in the reporting time zone; nil to ask the database.
  /// - Throws: ``UnknownRegion``, ``Closing/Refusal``, ``DeploymentError/notMigrated``.
  public func make(_ pool: Pool, today: CalendarDate? = nil) async throws -> ReportTable {
    // One snapshot, so that facilities and figures are of one moment.
    try await pool.transaction(.repeatableRead, readOnly: true) { tx in
      let frame = try await ReportFrame(period, view, today: today, tx)
      let figures = try await self.figures(frame, tx)
      return table(figures.hierarchy.rows(from: top), frame)
    }
  }

  /// Published, known now, and the difference, side by side.
  /// - Throws: as ``make(_:today:)``; ``Closing/Refusal/open(_:)`` for an open period.
  public func compare(_ pool: Pool, today: CalendarDate? = nil) async throws -> ReportTable {
    try await pool.transaction(.repeatableRead, readOnly: true) { tx in
      let frame = try await ReportFrame(period, view, today: today, tx)
      guard frame.edition != nil else { throw Closing.Refusal.open(period) }
      let published = try await figures(frame, tx)
      // The regions of the closing: a facility that has moved since is compared where it was.
      let now =
        isNarrowed
        ? try await PlacedFigures(live: frame, at: published.places, limits, tx)
        : try await figures(frame.asKnownNow, tx)
      let places = published.merging(now)
      let sides = [published, now].map {
        Hierarchy(places, figures: $0.figures, includingStrangers: false).rows(from: top)
      }
      return comparison(sides[0], sides[1], frame)
    }
  }

  /// The patients behind a figure.
  /// - Throws: as ``make(_:today:)``.
  public func patients(
    _ indicator: Indicator, _ pool: Pool, today: CalendarDate? = nil
  ) async throws -> ReportTable {
    try await pool.transaction(.repeatableRead, readOnly: true) { tx in
      let frame = try await ReportFrame(period, view, today: today, tx)
      let places = try await figures(frame, tx).places
      let ids = isNarrowed ? places.compactMap(\.knownID) : nil
      let patients: [ListedPatient]
      if let edition = frame.published {
        patients = try await PublishedPatients(edition, facilities: ids).run(tx)
      } else {
        // Who registered at a facility may be assigned to any.
        let assigned = indicator.isOfRegistration ? nil : ids
        patients = try await LivePatients(
          frame.evaluation, closed: frame.closed, assignedTo: assigned
        ).run(tx)
      }
      return list(
        patients.filter { $0.line.indicators(limits).contains(indicator) }, indicator, places, frame
      )
    }
  }

  // MARK: Parts

  private var isNarrowed: Bool { state != nil || district != nil }

  private var top: RegionLevel { district != nil ? .district : state != nil ? .state : .all }

  private func figures(_ frame: ReportFrame, _ tx: borrowing Transaction) async throws
    -> PlacedFigures
  {
    if let edition = frame.published {
      return try await PlacedFigures(
        published: edition, RegionFilter(state: state, district: district), limits, tx)
    }
    return try await PlacedFigures(
      live: frame, RegionFilter(state: state, district: district), limits, tx)
  }

  private func table(_ rows: [Hierarchy.Row], _ frame: ReportFrame) -> ReportTable {
    ReportTable(
      name: "district-bp", title: "Hypertension control, \(period)", facts: facts(frame),
      columns: Self.columns, sections: Self.sections,
      rows: rows.map { row in
        ReportTable.Row(
          label: row.label, depth: row.depth,
          cells: leading(row) + Self.figures.map { $0.cell(row.figures) } + frame.statusCells)
      })
  }

  func facts(_ frame: ReportFrame) -> [(name: String, value: String)] {
    [
      ("report", "district-bp"), ("period", "\(period)"),
      ("controlled_below", "\(limits.systolic)/\(limits.diastolic)"),
    ] + frame.facts
  }

  func leading(_ row: Hierarchy.Row) -> [ReportTable.Cell] {
    [
      .text("\(period)"), .text(row.level.rawValue), .text(orEmpty: row.state),
      .text(orEmpty: row.district), .text(orEmpty: row.block),
      .text(orEmpty: row.facilityID.map { $0.uuidString.lowercased() }),
      .text(orEmpty: row.facility),
    ]
  }
}

extension ReportTable.Cell {
  static func text(orEmpty text: String?) -> Self { text.map { .text($0) } ?? .empty }
}
