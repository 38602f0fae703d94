extension FHIR {
  /// What one resource says of another.
  struct Reference: Decodable {
    var reference: String?
    var type: String?

    /// The id in `Type/id`, `https://server/fhir/Type/id`, either with `/_history/version`, and
    /// `urn:uuid:id`; nil when there is no reference, but a name or an identifier at most.
    ///
    /// - Throws: ``Reject`` for what names no resource of a file: a contained one (`#id`), a search
    ///   (`Patient?identifier=…`), a resource of another type.
    func id(of type: String, in field: String) throws -> String? {
      guard let reference, !reference.isEmpty else { return nil }
      guard !reference.hasPrefix("#") else {
        throw Reject("\(field): contained resources are not read")
      }
      guard self.type == nil || self.type == type,
        let id = Self.id(in: reference, of: type), ResourceID.isValid(id)
      else { throw Reject("\(field): expected a reference such as \(type)/17") }
      return id
    }

    private static func id(in reference: String, of type: String) -> String? {
      if reference.hasPrefix("urn:uuid:") { return String(reference.dropFirst(9)) }
      var parts = reference.split(separator: "/", omittingEmptySubsequences: false)
      if parts.count > 2, parts[parts.count - 2] == "_history" { parts.removeLast(2) }
      guard parts.count > 1, parts[parts.count - 2] == type else { return nil }
      return parts.last.map(String.init)
    }
  }

  /// What tells resources of a type apart.
  enum ResourceID {
    static let expected = "id: expected 1 to 128 letters, digits, '-', '.' and '_'"

    /// FHIR's own rule, but for the underscore and lengths above 64, which servers are known to
    /// use.
    static func isValid(_ text: String) -> Bool {
      (1...128).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
          switch byte {
          case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
          default: false
          }
        }
    }
  }
}
