import Foundation
import Hypertension
import Reports

/// What a visitor may ask for. The database shows nobody anything else; this decides what is said: a page that is named for one place
/// must not show another's figures, and whoever reaches a part must not learn from a refusal what there is elsewhere.
extension Gate.Visitor {
  /// What the token opens, as a region.
  var region: RegionChoice {
    let scope = admission.scope
    return RegionChoice(
      state: scope.state, district: scope.district, block: scope.block,
      facility: scope.facility.map { $0.uuidString.lowercased() })
  }

  /// The region that is asked for, with the names of the token's region around it; without one the token's own.
  /// - Throws: ``Refusal`` for one that does not lie in the token's region, whether it is there or not.
  func reach(_ asked: RegionChoice) throws(Refusal) -> RegionChoice {
    let own = region
    guard asked.isNarrowed else { return own }
    guard own.isNarrowed else { return asked }
    if let id = own.facility { return try reach(asked, facility: id) }
    for (mine, other) in [
      (own.state, asked.state), (own.district, asked.district), (own.block, asked.block),
    ] {
      guard let mine, let other else { continue }
      guard PlaceName.folded(mine) == PlaceName.folded(other) else { throw beyond }
    }
    // A state is not opened by a token of one of its districts.
    guard asked.depth >= own.depth else { throw beyond }
    return RegionChoice(
      state: own.state ?? asked.state, district: own.district ?? asked.district,
      block: own.block ?? asked.block, facility: asked.facility)
  }

  /// Of a facility nothing around it is opened; what else is asked has to be true of it, which its row tells.
  private func reach(_ asked: RegionChoice, facility id: String) throws(Refusal) -> RegionChoice {
    guard let name = asked.facility else { throw beyond }
    let isByName = admission.facilityName.map { PlaceName.folded($0) == PlaceName.folded(name) }
    guard name.lowercased() == id || isByName == true else { throw beyond }
    return RegionChoice(
      state: asked.state, district: asked.district, block: asked.block, facility: id)
  }

  /// Whether the token opens all of a region, so that a link to it can be followed.
  func opens(_ region: RegionChoice) -> Bool {
    guard region.isNarrowed else { return !self.region.isNarrowed }
    return (try? reach(region)) != nil
  }

  /// Whether the token opens what a report rests on: a ranking is of a whole district.
  func opens(_ report: Report) -> Bool {
    report.name != FacilitiesReport.report.name || region.depth <= 2
  }

  /// Executes what reads a region.
  /// - Throws: ``Refusal`` instead of `UnknownRegion` where the token is of a part: it says the same of what is elsewhere as of what is
  ///   nowhere. Of a region that the token opens today it says that there are no figures.
  func within<Value>(
    _ region: RegionChoice, _ reader: Reader, _ read: () async throws -> Value
  ) async throws -> Value {
    do {
      return try await read()
    } catch let unknown as UnknownRegion
      where unknown.kind != "figure" && !unknown.isAmbiguous && self.region.isNarrowed
    {
      let isOpened = try await reader.read(secret) { tx in
        do {
          return try await !region.regions(tx).isEmpty
        } catch is UnknownRegion {
          return false
        }
      }
      guard isOpened || region == self.region else { throw beyond }
      throw Refusal.missing("There are no figures of that region in that period.")
    }
  }

  private var beyond: Refusal {
    .forbidden("The token does not open that. It opens \(admission.opens).")
  }
}

extension Refusal {
  /// Where a page is of one region, and several are called what was asked for.
  static func severalRegions(_ names: [String]) -> Refusal {
    .usage(
      "More than one region is called that: \(names.joined(separator: "; ")). Name the region around it too, or a facility by its id."
    )
  }
}

extension RegionChoice {
  /// How far inwards it goes: 0 for everything, 4 for a facility.
  var depth: Int { (parts.lastIndex { $0 != nil } ?? -1) + 1 }

  /// As a query string has it.
  var query: [(name: String, value: String?)] {
    [("state", state), ("district", district), ("block", block), ("facility", facility)]
  }

  /// Of the innermost.
  var name: String? { facility ?? block ?? district ?? state }
}
