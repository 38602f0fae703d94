/// A FHIR reference to another resource.
struct Reference: Decodable {
  let reference: String?
  let type: String?

  /// The id in it: of `Type/id`, `https://server/fhir/Type/id`, either with `/_history/version`,
  /// and `urn:uuid:id`.
  ///
  /// nil for what names no resource of a file: a contained one (`#id`), a search
  /// (`Patient?identifier=…`), a mere identifier, or a resource of another type.
  func id(of type: String) -> String? {
    guard let reference, self.type == nil || self.type == type else { return nil }
    if reference.hasPrefix("urn:uuid:") { return FHIRID.valid(reference.dropFirst(9)) }
    var parts = reference.split(separator: "/", omittingEmptySubsequences: false)
    if parts.count > 2, parts[parts.count - 2] == "_history" { parts.removeLast(2) }
    guard parts.count > 1, parts[parts.count - 2] == type, let id = parts.last else { return nil }
    return FHIRID.valid(id)
  }
}

/// An id as FHIR allows it: 1 to 64 letters, digits, `-` and `.`.
enum FHIRID {
  static func valid(_ text: some StringProtocol) -> String? {
    guard (1...64).contains(text.utf8.count) else { return nil }
    let isValid = text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E: true
      default: false
      }
    }
    return isValid ? String(text) : nil
  }
}
