/// The sizes of facilities, largest first: those of the programmes on Simple, then others by name, then none.
enum FacilitySize {
  static let unknown = "unknown"
  private static let known = ["large", "medium", "small", "community"]

  static func name(_ place: Place) -> String {
    guard let size = place.size, !size.isEmpty else { return unknown }
    return size
  }

  static func precedes(_ a: String, _ b: String) -> Bool {
    let (first, second) = (rank(a), rank(b))
    return first == second ? Place.byCodePoints(a, b) : first < second
  }

  private static func rank(_ size: String) -> Int {
    size == unknown ? known.count + 1 : known.firstIndex(of: size.lowercased()) ?? known.count
  }
}
