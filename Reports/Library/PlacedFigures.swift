import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// Places, and the figures of each.
struct PlacedFigures: Sendable {
  let places: [Place]
  let figures: [UUID?: CareFigures]
  private let includesStrangers: Bool

  var hierarchy: Hierarchy {
    Hierarchy(places, figures: figures, includingStrangers: includesStrangers)
  }

  /// Counted from the rollups as they are now.
  init(
    live frame: ReportFrame, _ filter: RegionFilter, _ limits: ControlLimits,
    _ tx: borrowing Transaction
  ) async throws {
    // Starting workers takes longer than counting a district.
    let answers = try await tx.pipeline([
      Query(text: "SET LOCAL max_parallel_workers_per_gather = \(filter.district == nil ? 2 : 0)"),
      "SELECT id, name, state, district, nullif(block, ''), deleted_at IS NOT NULL FROM facilities",
    ])
    let all = try answers[1].map { row in
      let (id, name, state, district, block, isDeleted) = try row.decode(
        (UUID, String, String, String, String?, Bool).self)
      return Place(
        id: id, name: name, state: state, district: district, block: block, isDeleted: isDeleted)
    }
    let checked = try filter.checked(among: all.map { ($0.state, $0.district) })
    places = all.filter { checked.contains(state: $0.state, district: $0.district) }
    includesStrangers = !filter.isNarrowed
    figures = try await CareFiguresQuery(
      frame.evaluation, limits: limits,
      facilities: filter.isNarrowed ? places.map(\.id) : nil, closed: frame.closed
    ).run(tx)
  }

  /// Counted from the rollups as they are now, of given places wherever they lie today.
  init(
    live frame: ReportFrame, at places: [Place], _ limits: ControlLimits,
    _ tx: borrowing Transaction
  ) async throws {
    self.places = places
    includesStrangers = false
    figures = try await CareFiguresQuery(
      frame.evaluation, limits: limits, facilities: places.compactMap(\.knownID),
      closed: frame.closed
    ).run(tx)
  }

  /// As they were published; with other limits counted again from the patients that were published.
  init(
    published edition: Edition, _ filter: RegionFilter, _ limits: ControlLimits,
    _ tx: borrowing Transaction
  ) async throws {
    let published = PublishedFigures(edition, state: filter.state, district: filter.district)
    let rows = try await published.run(tx)
    if rows.isEmpty { _ = try filter.checked(among: try await published.regions(tx)) }
    places = rows.map { facility, _ in
      Place(
        id: facility.id, name: facility.name, state: facility.state, district: facility.district,
        block: facility.block, isDeleted: false)
    }
    includesStrangers = false
    let asPublished = Dictionary(uniqueKeysWithValues: rows.map { ($0.0.id, $0.1) })
    guard limits != .standard else {
      figures = asPublished
      return
    }
    let ids = filter.isNarrowed ? places.compactMap(\.knownID) : nil
    let counted = try await PublishedPatients(edition, facilities: ids).figures(limits, tx)
    figures = counted.filter { asPublished[$0.key] != nil }
  }

  /// The places of both; one that both have as it is here. None is left out for being deleted that has something to
  /// count on either side.
  func merging(_ other: PlacedFigures) -> [Place] {
    let mine = Set(places.map(\.knownID))
    let strangers = other.figures.keys.filter { id in
      other.includesStrangers && !other.places.contains { $0.knownID == id }
    }
    let others = other.places + strangers.map { Place.stranger($0) }
    return (places + others.filter { !mine.contains($0.knownID) }).map { place in
      var place = place
      let counts = [figures, other.figures].contains { !($0[place.knownID]?.isZero ?? true) }
      place.isDeleted = place.isDeleted && !counts
      return place
    }
  }
}
