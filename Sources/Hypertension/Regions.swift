import RollupStore

/// The regions that something is narrowed to; letter case does not matter.
public struct RegionFilter: Hashable, Sendable {
  public let state: String?
  public let district: String?

  public init(state: String?, district: String?) {
    self.state = state
    self.district = district
  }

  public var isNarrowed: Bool { state != nil || district != nil }

  /// The names as the places spell them.
  /// - Throws: ``UnknownRegion``.
  public func checked(among regions: [(state: String, district: String)]) throws(UnknownRegion)
    -> RegionFilter
  {
    let state = try spelt(self.state, "state", Set(regions.map(\.state)))
    let within = regions.filter { state == nil || $0.state == state }
    return RegionFilter(
      state: state, district: try spelt(district, "district", Set(within.map(\.district))))
  }

  private func spelt(_ name: String?, _ kind: String, _ names: Set<String>) throws(UnknownRegion)
    -> String?
  {
    guard let name else { return nil }
    if names.contains(name) { return name }
    let sorted = names.sorted()
    if let other = sorted.first(where: { $0.lowercased() == name.lowercased() }) { return other }
    throw UnknownRegion(kind: kind, name: name, nearest: nearest(to: name, among: sorted))
  }

  public func contains(state: String, district: String) -> Bool {
    (self.state ?? state) == state && (self.district ?? district) == district
  }
}

/// A region, or a facility, that does not exist, and the names that are like it.
public struct UnknownRegion: Error, Hashable, CustomStringConvertible {
  public let kind: String
  public let name: String
  public let nearest: [String]

  public init(kind: String, name: String, nearest: [String]) {
    self.kind = kind
    self.name = name
    self.nearest = nearest
  }

  public var description: String {
    "there is no \(kind) '\(name)'"
      + (nearest.isEmpty ? "" : "; the nearest are \(nearest.joined(separator: ", "))")
  }
}
