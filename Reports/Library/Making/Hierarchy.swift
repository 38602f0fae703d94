import Foundation
import Hypertension

/// The levels of a report's rows, outermost first; the sizes of facilities are a level of their own.
public enum RegionLevel: String, Sendable, CaseIterable {
  case all, state, district, block, facility, size

  var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  /// The next one inwards.
  fileprivate var next: RegionLevel? {
    self == .size || self == .facility ? nil : Self.allCases[rank + 1]
  }
}

/// Adds facilities' counts up to blocks, districts, states and all.
///
/// Ordered by state, district, block, facility name and id, each parent's row before its children's; by code points, so
/// that no server's locale decides.
struct Hierarchy: Sendable {
  struct Row: Sendable {
    let level: RegionLevel
    var state: String?
    var district: String?
    var block: String?
    var facilityID: UUID?
    var facility: String?
    var size: String?
    /// How far it is indented below the first row.
    var depth = 0
    let tally: Tally

    var label: String {
      level == .size ? size ?? "" : facility ?? block ?? district ?? state ?? "All"
    }

    /// What tells it from the others of its period.
    var key: [ExactText] {
      [
        level.rawValue, state ?? "", district ?? "", block ?? "",
        facilityID.map { $0.uuidString.lowercased() } ?? facility ?? "",
        level == .size ? size ?? "" : "",
      ].map { ExactText($0) }
    }
  }

  private typealias Member = (place: Place, tally: Tally)
  private let members: [Member]
  private let last: RegionLevel

  /// - Parameters:
  ///   - includingStrangers: facilities that have counts but are not among the places.
  ///   - last: the last level that there are rows of.
  init(
    _ places: [Place], tallies: [UUID?: Tally], includingStrangers: Bool,
    to last: RegionLevel = .facility
  ) {
    var all: [Member] = []
    for place in places {
      let mine = tallies[place.knownID] ?? Tally()
      // A deleted facility stays as long as it has something to count.
      if !place.isDeleted || !mine.isZero { all.append((place, mine)) }
    }
    if includingStrangers {
      let known = Set(places.map(\.knownID))
      for (id, tally) in tallies where !known.contains(id) && !tally.isZero {
        all.append((Place.stranger(id), tally))
      }
    }
    // Keys are made once: a country's facilities are compared some ten thousand times.
    members = all.map { ($0, $0.place.key(to: last)) }.sorted {
      $0.1.lexicographicallyPrecedes($1.1, by: Place.byCodePoints)
    }.map(\.0)
    self.last = last
  }

  /// Every level from `top` to the last.
  func rows(from top: RegionLevel) -> [Row] {
    var rows: [Row] = []
    visit(members, .all, from: top, depth: 0, into: &rows)
    return rows
  }

  /// The outermost rows, and below each of them the sizes of its facilities.
  func sizes(from top: RegionLevel) -> [Row] {
    var rows: [Row] = []
    for group in outermost(members, .all, top) {
      var depth = 0
      if top != .facility {
        rows.append(row(top, group, depth: 0))
        depth = 1
      }
      let bySize = Dictionary(grouping: group) { ExactText(FacilitySize.name($0.place)) }
      let outer = named(top, group)
      for size in bySize.keys.sorted(by: { FacilitySize.precedes($0.text, $1.text) }) {
        rows.append(
          Row(
            level: .size, state: outer.state, district: outer.district, block: outer.block,
            size: size.text, depth: depth, tally: sum(bySize[size] ?? [])))
      }
    }
    return rows
  }

  // MARK: Parts

  private func visit(
    _ members: [Member], _ level: RegionLevel, from top: RegionLevel, depth: Int,
    into rows: inout [Row]
  ) {
    for group in groups(members, level) {
      // Facilities that lie in no block stand beside the blocks.
      let isShown = level.rank >= top.rank && !(level == .block && group[0].place.block == nil)
      if isShown { rows.append(row(level, group, depth: depth)) }
      guard let next = level.next, next.rank <= last.rank else { continue }
      visit(group, next, from: top, depth: depth + (isShown ? 1 : 0), into: &rows)
    }
    if members.isEmpty, level == .all, top == .all { rows.append(row(.all, [], depth: 0)) }
  }

  private func outermost(_ members: [Member], _ level: RegionLevel, _ top: RegionLevel)
    -> [[Member]]
  {
    let groups = groups(members, level)
    guard level != top, let next = level.next else {
      return groups.isEmpty && top == .all ? [[]] : groups
    }
    return groups.flatMap { outermost($0, next, top) }
  }

  /// Runs of the same name; the members are sorted.
  private func groups(_ members: [Member], _ level: RegionLevel) -> [[Member]] {
    guard let first = members.first else { return [] }
    func name(_ place: Place) -> ExactText? {
      switch level {
      case .all, .size: ExactText("")
      case .state: ExactText(place.state)
      case .district: ExactText(place.district)
      case .block: place.block.map(ExactText.init)
      case .facility: ExactText(place.idText)
      }
    }
    if level == .facility { return members.map { [$0] } }
    var groups: [[Member]] = []
    var current = name(first.place)
    for member in members {
      let mine = name(member.place)
      if groups.isEmpty || mine != current { groups.append([]) }
      groups[groups.count - 1].append(member)
      current = mine
    }
    return groups
  }

  /// What the members have in common at a level.
  private func named(
    _ level: RegionLevel, _ group: [Member], depth: Int = 0, _ tally: Tally = Tally()
  )
    -> Row
  {
    guard let place = group.first?.place, level != .all else {
      return Row(level: level, depth: depth, tally: tally)
    }
    let isFacility = level == .facility
    return Row(
      level: level, state: place.state,
      district: level.rank >= RegionLevel.district.rank ? place.district : nil,
      block: level.rank >= RegionLevel.block.rank ? place.block : nil,
      facilityID: isFacility ? place.knownID : nil, facility: isFacility ? place.name : nil,
      size: isFacility ? FacilitySize.name(place) : nil, depth: depth, tally: tally)
  }

  private func row(_ level: RegionLevel, _ group: [Member], depth: Int) -> Row {
    named(level, group, depth: depth, sum(group))
  }

  private func sum(_ group: [Member]) -> Tally { group.reduce(into: Tally()) { $0 += $1.tally } }
}
