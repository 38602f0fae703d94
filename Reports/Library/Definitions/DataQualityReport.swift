import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// `report data-quality`: what comes late, what has impossible times, who is silent.
public enum DataQualityReport: ReportDefinition {
  public static let report = Report(
    "data-quality", "Data quality",
    summary: "Late arrivals by age, readings with impossible times, and silent facilities.",
    discussion:
      "Late arrivals are events that came after the period was closed, counted at the facility that the patient is assigned to, by the "
      + "days from when they happened to when they came. An impossible time is none, one before 1990 or one after tomorrow; such "
      + "readings are counted whatever the period, at the facility that took them. A facility is silent where no patient's most "
      + "recent visit of a month of the period was. This report also reads the readings, through an index by time.",
    example: "report data-quality --month 2024-06 --state Punjab",
    parameters: Set<ReportParameter>.periods.union(Set<ReportParameter>.region).union([
      .by, .figures, .suppressBelow,
    ]),
    sections: [.init("Data quality", FigureSet.dataQuality.figures)],
    counting: .dataQuality)
}

struct QualityCounts: CountSource {
  var figures: FigureSet { .dataQuality }

  func count(
    _ frame: ReportFrame, _ region: RegionChoice, _ limits: ControlLimits,
    _ tx: borrowing Transaction
  ) async throws -> PlacedTallies {
    let places = try await Places.live(region, tx)
    return try await recount(frame, at: places, limits, tx).including(strangers: !region.isNarrowed)
  }

  func recount(
    _ frame: ReportFrame, at places: [Place], _ limits: ControlLimits, _ tx: borrowing Transaction
  ) async throws -> PlacedTallies {
    try await RangeTable.requireIndex(tx)
    let query = DataQualityQuery(frame.period)
    var tallies = try await DataQualityQuery.impossibleTimes(tx)
    if frame.edition != nil { tallies.merge(try await query.late(tx), uniquingKeysWith: +) }
    let visited = try await query.visited(closed: frame.closed, tx)
    for place in places where !place.isDeleted {
      guard let id = place.knownID, !visited.contains(id) else { continue }
      tallies[id, default: Tally()]["facilities_silent"] = 1
    }
    return PlacedTallies(places: places, tallies: tallies, includesStrangers: false)
  }
}

extension PlacedTallies {
  fileprivate func including(strangers: Bool) -> PlacedTallies {
    PlacedTallies(places: places, tallies: tallies, includesStrangers: strangers)
  }
}
