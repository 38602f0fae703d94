import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// Places, and the counts of each.
struct PlacedTallies: Sendable {
  let places: [Place]
  let tallies: [UUID?: Tally]
  /// Whether places that are not known have counts of their own.
  let includesStrangers: Bool

  /// - Parameter last: the last level that there are rows of.
  func hierarchy(to last: RegionLevel = .facility) -> Hierarchy {
    Hierarchy(places, tallies: tallies, includingStrangers: includesStrangers, to: last)
  }

  /// The places of both; one that both have as it is here. None is left out for being deleted that has something to
  /// count on either side.
  func merging(_ other: PlacedTallies) -> [Place] {
    let mine = Set(places.map(\.knownID))
    let strangers = other.tallies.keys.filter { id in
      other.includesStrangers && !other.places.contains { $0.knownID == id }
    }
    let others = other.places + strangers.map { Place.stranger($0) }
    return (places + others.filter { !mine.contains($0.knownID) }).map { place in
      var place = place
      let counts = [tallies, other.tallies].contains { !($0[place.knownID]?.isZero ?? true) }
      place.isDeleted = place.isDeleted && !counts
      return place
    }
  }
}

/// Facilities as they are now, or as an edition has them.
enum Places {
  /// As they are now, narrowed.
  /// - Throws: ``UnknownRegion``.
  static func live(_ region: RegionChoice, _ tx: borrowing Transaction) async throws -> [Place] {
    // Starting workers takes longer than counting a district.
    let answers = try await tx.pipeline([
      Query(text: "SET LOCAL max_parallel_workers_per_gather = \(region.isSmall ? 0 : 2)"),
      """
      SELECT id, name, state, district, nullif(block, ''), nullif(size, ''), deleted_at IS NOT NULL
      FROM facilities
      """,
    ])
    let all = try answers[1].map { row in
      let (id, name, state, district, block, size, isDeleted) = try row.decode(
        (UUID, String, String, String, String?, String?, Bool).self)
      return Place(
        id: id, name: name, state: state, district: district, block: block, size: size,
        isDeleted: isDeleted)
    }
    return try region.places(among: all)
  }

  /// As an edition has them, narrowed, with their figures.
  /// - Throws: ``UnknownRegion``.
  static func published(
    _ edition: Edition, _ region: RegionChoice, _ tx: borrowing Transaction
  ) async throws -> [(place: Place, figures: CareFigures)] {
    var published = PublishedFigures(
      edition, state: region.state, district: region.district, facility: region.facility)
    var rows = try await published.run(tx)
    if rows.isEmpty, region.facility != nil {
      // For the names that are like it.
      published = PublishedFigures(edition, state: region.state, district: region.district)
      rows = try await published.run(tx)
    }
    if rows.isEmpty {
      _ = try RegionFilter(state: region.state, district: region.district).checked(
        among: try await published.regions(tx))
    }
    let figures = Dictionary(uniqueKeysWithValues: rows.map { ($0.0.id, $0.1) })
    let places = rows.map { facility, _ in
      Place(
        id: facility.id, name: facility.name, state: facility.state, district: facility.district,
        block: facility.block, size: facility.size, isDeleted: false)
    }
    return try region.places(among: places).map { ($0, figures[$0.knownID] ?? CareFigures()) }
  }
}
