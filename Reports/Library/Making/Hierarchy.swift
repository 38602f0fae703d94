import Foundation
import Hypertension

/// The levels of a report's rows, outermost first.
public enum RegionLevel: String, Sendable, CaseIterable {
  case all, state, district, block, facility
}

/// A facility as reports need it.
struct Place: Sendable, Hashable {
  /// nil for "no facility".
  var knownID: UUID?
  var name: String
  var state: String
  var district: String
  var block: String?
  var isDeleted: Bool

  init(id: UUID?, name: String, state: String, district: String, block: String?, isDeleted: Bool) {
    knownID = id
    self.name = name
    self.state = state
    self.district = district
    self.block = block
    self.isDeleted = isDeleted
  }

  var id: UUID { knownID ?? UUID(uuid: nilUUID) }

  /// Patients can be assigned to a facility that nobody has told us of; they are not lost from the totals.
  static func stranger(_ id: UUID?) -> Place {
    Place(
      id: id, name: "Unknown facility", state: "Unknown", district: "Unknown", block: nil,
      isDeleted: true)
  }
}

private let nilUUID: uuid_t = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

/// Adds facilities' figures up to blocks, districts, states and all.
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
    /// How far it is indented below the first row.
    var depth = 0
    let figures: CareFigures

    var label: String { facility ?? block ?? district ?? state ?? "All" }
  }

  private let places: [(place: Place, figures: CareFigures)]

  /// - Parameter includingStrangers: facilities that have figures but are not among the places.
  init(_ places: [Place], figures: [UUID?: CareFigures], includingStrangers: Bool) {
    var all: [(place: Place, figures: CareFigures)] = []
    for place in places {
      let mine = figures[place.knownID] ?? CareFigures()
      // A deleted facility stays as long as it has something to count.
      if !place.isDeleted || !mine.isZero { all.append((place, mine)) }
    }
    if includingStrangers {
      let known = Set(places.map(\.knownID))
      for (id, figures) in figures where !known.contains(id) && !figures.isZero {
        all.append((Place.stranger(id), figures))
      }
    }
    self.places = all.sorted {
      Self.key($0.place).lexicographicallyPrecedes(Self.key($1.place), by: Self.byCodePoints)
    }
  }

  private static func key(_ place: Place) -> [String] {
    [
      place.state, place.district, place.block ?? "", place.name,
      place.knownID?.uuidString.lowercased() ?? "",
    ]
  }

  static func byCodePoints(_ a: String, _ b: String) -> Bool {
    a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars)
  }

  func rows(from top: RegionLevel) -> [Row] {
    var rows: [Row] = []
    if top == .all { rows.append(Row(level: .all, figures: sum(places))) }
    for state in grouped(places, by: \.state) {
      if top == .all || top == .state {
        rows.append(Row(level: .state, state: state.name, figures: sum(state.members)))
      }
      for district in grouped(state.members, by: \.district) {
        rows.append(
          Row(
            level: .district, state: state.name, district: district.name,
            figures: sum(district.members)))
        for block in grouped(district.members, by: { $0.block ?? "" }) {
          let name = block.name.isEmpty ? nil : block.name
          if let name {
            rows.append(
              Row(
                level: .block, state: state.name, district: district.name, block: name,
                figures: sum(block.members)))
          }
          rows += block.members.map { place, figures in
            Row(
              level: .facility, state: place.state, district: place.district, block: name,
              facilityID: place.knownID, facility: place.name, figures: figures)
          }
        }
      }
    }
    return rows.map { row in
      var row = row
      let levels = RegionLevel.allCases
      let (own, first) = (levels.firstIndex(of: row.level) ?? 0, levels.firstIndex(of: top) ?? 0)
      row.depth = own - first - (row.level == .facility && row.block == nil ? 1 : 0)
      return row
    }
  }

  private typealias Member = (place: Place, figures: CareFigures)

  /// Runs of the same name; the members are sorted.
  private func grouped(_ members: [Member], by name: (Place) -> String) -> [(
    name: String, members: [Member]
  )] {
    var groups: [(name: String, members: [Member])] = []
    for member in members {
      if groups.last?.name == name(member.place) {
        groups[groups.count - 1].members.append(member)
      } else {
        groups.append((name(member.place), [member]))
      }
    }
    return groups
  }

  private func sum(_ members: [Member]) -> CareFigures {
    members.reduce(CareFigures()) { $0 + $1.figures }
  }
}
