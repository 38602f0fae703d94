import Foundation
import Hypertension
import RollupStore

/// What a report is narrowed to, by names whose letter case does not matter; a facility also by its id.
public struct RegionChoice: Hashable, Sendable {
  public var state: String?
  public var district: String?
  public var block: String?
  public var facility: String?

  public init(
    state: String? = nil, district: String? = nil, block: String? = nil, facility: String? = nil
  ) {
    self.state = state
    self.district = district
    self.block = block
    self.facility = facility
  }

  public var isNarrowed: Bool { self != RegionChoice() }

  /// The level of the outermost rows.
  var top: RegionLevel {
    facility != nil
      ? .facility
      : block != nil ? .block : district != nil ? .district : state != nil ? .state : .all
  }

  /// Whether few enough facilities are left that one process counts them soonest.
  var isSmall: Bool { district != nil || block != nil || facility != nil }

  /// The places that are chosen.
  /// - Throws: ``UnknownRegion``, with the nearest names.
  func places(among all: [Place]) throws(UnknownRegion) -> [Place] {
    var places = all
    try narrow(&places, "state", state) { [$0.state] }
    try narrow(&places, "district", district) { [$0.district] }
    try narrow(&places, "block", block) { $0.block.map { [$0] } ?? [] }
    if let id = facility.flatMap({ UUID(uuidString: $0) }),
      places.contains(where: { $0.knownID == id })
    {
      return places.filter { $0.knownID == id }
    }
    try narrow(&places, "facility", facility) { [$0.name] }
    return places
  }

  private func narrow(
    _ places: inout [Place], _ kind: String, _ name: String?, _ names: (Place) -> [String]
  ) throws(UnknownRegion) {
    guard let name else { return }
    let all = Set(places.flatMap(names))
    let spelt =
      all.contains(name) ? name : all.sorted().first { $0.lowercased() == name.lowercased() }
    guard let spelt else {
      throw UnknownRegion(kind: kind, name: name, nearest: nearest(to: name, among: all.sorted()))
    }
    places = places.filter { names($0).contains(spelt) }
  }
}
