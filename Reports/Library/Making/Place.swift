import Foundation

/// A facility as reports need it.
struct Place: Sendable, Hashable {
  /// nil for "no facility".
  var knownID: UUID?
  var name: String
  var state: String
  var district: String
  var block: String?
  /// As the programme calls it, such as `community`, `small`, `medium`, `large`.
  var size: String?
  var isDeleted: Bool

  init(
    id: UUID?, name: String, state: String, district: String, block: String?, size: String?,
    isDeleted: Bool
  ) {
    knownID = id
    self.name = name
    self.state = state
    self.district = district
    self.block = block
    self.size = size
    self.isDeleted = isDeleted
  }

  /// Patients can be assigned to a facility that nobody has told us of; they are not lost from the totals.
  static func stranger(_ id: UUID?) -> Place {
    Place(
      id: id, name: "Unknown facility", state: "Unknown", district: "Unknown", block: nil,
      size: nil, isDeleted: true)
  }

  /// State, district, block, name and id, as far as the level goes; compared by code points, so that no server's locale
  /// decides.
  func key(to level: RegionLevel = .facility) -> [String] {
    switch level {
    case .all: []
    case .state: [state]
    case .district: [state, district]
    case .block: [state, district, block ?? ""]
    case .facility, .size: [state, district, block ?? "", name, idText]
    }
  }

  /// As files have it; empty for "no facility".
  var idText: String { knownID.map { $0.uuidString.lowercased() } ?? "" }

  static func precedes(_ a: Place, _ b: Place) -> Bool {
    a.key().lexicographicallyPrecedes(b.key(), by: byCodePoints)
  }

  /// Which is also the order of their bytes in UTF-8.
  static func byCodePoints(_ a: String, _ b: String) -> Bool {
    a.utf8.lexicographicallyPrecedes(b.utf8)
  }
}
