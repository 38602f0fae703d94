import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// Where a report's counts come from.
protocol CountSource: Sendable {
  var figures: FigureSet { get }

  /// The counts of each place in the frame's period, of the view that the frame has.
  /// - Throws: ``UnknownRegion``.
  func count(
    _ frame: ReportFrame, _ region: RegionChoice, _ limits: ControlLimits,
    _ tx: borrowing Transaction
  ) async throws -> PlacedTallies

  /// The counts of given places as they are now, wherever the places lie today; to compare a narrowed region with.
  func recount(
    _ frame: ReportFrame, at places: [Place], _ limits: ControlLimits, _ tx: borrowing Transaction
  ) async throws -> PlacedTallies
}

/// INDICATORS.md: an open period is counted from the rollups, a closed one is what was published.
struct CareCounts: CountSource {
  var figures: FigureSet { .care }

  func count(
    _ frame: ReportFrame, _ region: RegionChoice, _ limits: ControlLimits,
    _ tx: borrowing Transaction
  ) async throws -> PlacedTallies {
    if let edition = frame.published {
      return try await published(edition, region, limits, tx)
    }
    let places = try await Places.live(region, tx)
    let figures = try await CareFiguresQuery(
      frame.evaluation, limits: limits,
      facilities: region.isNarrowed ? places.compactMap(\.knownID) : nil,
      closed: frame.closed
    ).run(tx)
    return PlacedTallies(
      places: places, tallies: figures.mapValues(\.tally), includesStrangers: !region.isNarrowed)
  }

  func recount(
    _ frame: ReportFrame, at places: [Place], _ limits: ControlLimits, _ tx: borrowing Transaction
  ) async throws -> PlacedTallies {
    let figures = try await CareFiguresQuery(
      frame.evaluation, limits: limits, facilities: places.compactMap(\.knownID),
      closed: frame.closed
    ).run(tx)
    return PlacedTallies(
      places: places, tallies: figures.mapValues(\.tally), includesStrangers: false)
  }

  /// With other limits counted again from the patients that were published.
  private func published(
    _ edition: Edition, _ region: RegionChoice, _ limits: ControlLimits,
    _ tx: borrowing Transaction
  ) async throws -> PlacedTallies {
    let rows = try await Places.published(edition, region, tx)
    let places = rows.map(\.place)
    let asPublished = Dictionary(
      uniqueKeysWithValues: rows.map { ($0.place.knownID, $0.figures) })
    guard limits != .standard else {
      return PlacedTallies(
        places: places, tallies: asPublished.mapValues(\.tally), includesStrangers: false)
    }
    let ids = region.isNarrowed ? places.compactMap(\.knownID) : nil
    let counted = try await PublishedPatients(edition, facilities: ids).figures(limits, tx)
      .filter { asPublished[$0.key] != nil }
    return PlacedTallies(
      places: places, tallies: counted.mapValues(\.tally), includesStrangers: false)
  }
}

/// Blood sugars and heart rates, which are not among what closing publishes: of a closed period the rows that it closed
/// with, at the places of its last edition.
struct MeasurementCounts: CountSource {
  let kind: MeasurementQuery.Kind

  var figures: FigureSet {
    switch kind {
    case .bloodSugar: .bloodSugar
    case .heartRate: .heartRate
    }
  }

  func count(
    _ frame: ReportFrame, _ region: RegionChoice, _ limits: ControlLimits,
    _ tx: borrowing Transaction
  ) async throws -> PlacedTallies {
    let places =
      if let edition = frame.published {
        try await Places.published(edition, region, tx).map(\.place)
      } else {
        try await Places.live(region, tx)
      }
    let tallies = try await MeasurementQuery(
      kind, frame.period,
      frame.published.map { .closed($0) } ?? (frame.edition == nil ? .open : .knownNow),
      facilities: region.isNarrowed ? places.compactMap(\.knownID) : nil
    ).run(tx)
    return PlacedTallies(
      places: places, tallies: tallies, includesStrangers: !region.isNarrowed)
  }

  func recount(
    _ frame: ReportFrame, at places: [Place], _ limits: ControlLimits, _ tx: borrowing Transaction
  ) async throws -> PlacedTallies {
    let tallies = try await MeasurementQuery(
      kind, frame.period, .knownNow, facilities: places.compactMap(\.knownID)
    ).run(tx)
    return PlacedTallies(places: places, tallies: tallies, includesStrangers: false)
  }
}
