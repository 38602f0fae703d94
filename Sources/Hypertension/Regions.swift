import RollupStore

/// The regions that something is narrowed to, by names as a reader writes them (``PlaceName/spelling(of:_:among:)``).
public struct RegionFilter: Sendable {
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
    let state = try spelt(self.state, "state", regions.map(\.state))
    let within = regions.filter { state == nil || ExactText($0.state) == state }
    let district = try spelt(self.district, "district", within.map(\.district))
    return RegionFilter(state: state?.text, district: district?.text)
  }

  private func spelt(_ name: String?, _ kind: String, _ names: [String]) throws(UnknownRegion)
    -> ExactText?
  {
    guard let name else { return nil }
    return try PlaceName.spelling(of: name, kind, among: names)
  }

  public func contains(state: String, district: String) -> Bool {
    func isSo(_ asked: String?, _ name: String) -> Bool {
      asked == nil || asked.map(ExactText.init) == ExactText(name)
    }
    return isSo(self.state, state) && isSo(self.district, district)
  }
}

/// A region, or a facility, that does not exist, and the names that are like it.
public struct UnknownRegion: Error, Hashable, CustomStringConvertible {
  public let kind: String
  public let name: String
  public let nearest: [String]
  /// Whether the name means every one of `nearest`, which differ in capitals, accents or blanks alone.
  public let isAmbiguous: Bool

  public init(kind: String, name: String, nearest: [String], isAmbiguous: Bool = false) {
    self.kind = kind
    self.name = name
    self.nearest = nearest
    self.isAmbiguous = isAmbiguous
  }

  public var description: String {
    guard !isAmbiguous else {
      return
        "'\(name)' is more than one \(kind): \(nearest.map(Self.shown).joined(separator: ", ")). Write it as one of them is written."
    }
    return "there is no \(kind) '\(name)'"
      + (nearest.isEmpty ? "" : "; the nearest are \(nearest.joined(separator: ", "))")
  }

  /// Of a name that is not composed its code points too: it looks like the one that is.
  private static func shown(_ name: String) -> String {
    guard ExactText(name) != ExactText(PlaceName.normalised(name)) else { return "'\(name)'" }
    let points = name.unicodeScalars.map { scalar in
      scalar.isASCII ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
    }
    return "'\(name)' (\(points.joined()))"
  }
}
