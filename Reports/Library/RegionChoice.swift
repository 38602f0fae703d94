import Foundation
import Hypertension
import Postgres

/// What a report is narrowed to, by names as a reader writes them (`PlaceName.spelling`); a facility also by its id.
public struct RegionChoice: Sendable {
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

  public var isNarrowed: Bool { parts.contains { $0 != nil } }

  /// State, district, block and facility, byte by byte.
  public var parts: [ExactText?] {
    [state, district, block, facility].map { $0.map(ExactText.init) }
  }

  /// The same with the names as the places spell them, and a facility by its id where only one is meant.
  /// - Throws: ``UnknownRegion``.
  func spelled(by places: [Place]) throws(UnknownRegion) -> RegionChoice {
    let places = try self.places(among: places)
    guard let first = places.first else { return self }
    let only = Set(places.map(\.knownID)).count == 1 ? first.idText : nil
    return RegionChoice(
      state: state.map { _ in first.state }, district: district.map { _ in first.district },
      block: block.flatMap { _ in first.block },
      facility: facility.map { _ in only ?? first.name })
  }

  /// The level of the outermost rows.
  var top: RegionLevel {
    facility != nil
      ? .facility
      : block != nil ? .block : district != nil ? .district : state != nil ? .state : .all
  }

  /// Whether few enough facilities are left that one process counts them soonest.
  var isSmall: Bool { district != nil || block != nil || facility != nil }

  /// The regions of today that are meant, for whoever reads, what each is called, and where it lies: one, or as many as have the name.
  /// - Throws: ``UnknownRegion``.
  public func regions(_ tx: borrowing Transaction) async throws -> [(
    region: RegionChoice, name: String, path: String
  )] {
    var found: [(region: RegionChoice, name: String, path: String)] = []
    var known: Set<RegionChoice> = []
    for place in try await Places.live(self, tx).sorted(by: Place.precedes) {
      let (region, names) = around(place)
      guard known.insert(region).inserted else { continue }
      let id = region.facility.map { " (\($0))" } ?? ""
      found.append((region, names.last ?? "", names.joined(separator: " / ") + id))
    }
    return found
  }

  /// The region of a place as deep as this one goes, and the names on the way there.
  private func around(_ place: Place) -> (region: RegionChoice, names: [String]) {
    let (state, district) = (place.state, place.district)
    switch top {
    case .all, .size: return (RegionChoice(), [])
    case .state: return (RegionChoice(state: state), [state])
    case .district: return (RegionChoice(state: state, district: district), [state, district])
    case .block:
      return (
        RegionChoice(state: state, district: district, block: place.block),
        [state, district, place.block ?? ""]
      )
    case .facility:
      let block = place.block.map { [$0] } ?? []
      return (RegionChoice(facility: place.idText), [state, district] + block + [place.name])
    }
  }

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
    let spelled = try PlaceName.spelling(of: name, kind, among: places.flatMap(names))
    places = places.filter { names($0).contains { ExactText($0) == spelled } }
  }
}

extension RegionChoice: Hashable {
  public static func == (a: Self, b: Self) -> Bool { a.parts == b.parts }
  public func hash(into hasher: inout Hasher) { hasher.combine(parts) }
}
