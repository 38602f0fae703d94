import Foundation
import RollupStore

/// A text that is told from others by its bytes, as the database tells it.
///
/// A `String` equals every other one that looks the same: `Orléans` with one letter é equals `Orléans` with an e and an accent. The
/// database's policies compare bytes, so what is kept for one of them must not be found under the other: keys that hold names hold
/// this type.
public struct ExactText: Hashable, Sendable, Comparable {
  public let text: String

  public init(_ text: String) { self.text = text }

  public static func == (a: ExactText, b: ExactText) -> Bool {
    a.text.utf8.elementsEqual(b.text.utf8)
  }

  /// By code points, which is also the order of the bytes in UTF-8.
  public static func < (a: ExactText, b: ExactText) -> Bool {
    a.text.utf8.lexicographicallyPrecedes(b.text.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
    hasher.combine(0xFF as UInt8)
  }
}

/// Names of states, districts, blocks and facilities: how they are stored, and which one a reader means.
public enum PlaceName {
  /// As a name is stored: in Unicode's composed form (NFC), without blanks around it.
  public static func normalised(_ name: String) -> String {
    name.precomposedStringWithCanonicalMapping.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Equal for all spellings of a name: composed or not, in capitals or not, with blanks around it or not.
  public static func folded(_ name: String) -> ExactText {
    ExactText(normalised(normalised(name).lowercased()))
  }

  /// The one of `names` that is meant by a name: itself, byte by byte, or else the only one that is another spelling of it.
  /// - Parameter kind: what the names are of, such as `district`.
  /// - Throws: ``UnknownRegion`` where there is none, or where there are several and none is spelled like this.
  public static func spelling(of name: String, _ kind: String, among names: some Sequence<String>)
    throws(UnknownRegion) -> ExactText
  {
    let asked = ExactText(name)
    let all = Set(names.map { ExactText($0) })
    if all.contains(asked) { return asked }
    let key = folded(name)
    let found = all.filter { folded($0.text) == key }
    if let only = found.first, found.count == 1 { return only }
    guard found.isEmpty else {
      throw UnknownRegion(
        kind: kind, name: name, nearest: found.sorted().map(\.text), isAmbiguous: true)
    }
    throw UnknownRegion(
      kind: kind, name: name, nearest: nearest(to: name, among: all.sorted().map(\.text)))
  }
}

extension Facility {
  /// With its names as they are stored (``PlaceName/normalised(_:)``).
  var normalised: Facility {
    var facility = self
    facility.name = PlaceName.normalised(name)
    facility.state = PlaceName.normalised(state)
    facility.district = PlaceName.normalised(district)
    facility.block = block.map(PlaceName.normalised)
    facility.size = size.map(PlaceName.normalised)
    return facility
  }
}
