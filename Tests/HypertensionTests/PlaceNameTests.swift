import Foundation
import Hypertension
import Postgres
import TestSupport
import Testing

/// One rule of which names are one: bytes, everywhere; and names are stored in one form.
@Suite struct PlaceNameTests {
  private static let composed = "Orl\u{E9}ans"
  private static let decomposed = "Orle\u{301}ans"

  @Test func whatLooksTheSameIsNotTheSame() {
    #expect(Self.composed == Self.decomposed)
    #expect(ExactText(Self.composed) != ExactText(Self.decomposed))
    let scopes: Set<AccessToken.Scope> = [
      .state(Self.composed), .state(Self.decomposed), .district(state: "a", Self.composed),
      .district(state: "a", Self.decomposed),
    ]
    #expect(scopes.count == 4)
    let regions = RegionFilter(state: nil, district: Self.composed)
    #expect(regions.contains(state: "a", district: Self.composed))
    #expect(!regions.contains(state: "a", district: Self.decomposed))
  }

  @Test func aNameMeansItselfOrTheOnlySpellingOfIt() throws {
    func spelled(_ name: String, _ names: String...) throws -> String {
      try PlaceName.spelling(of: name, "district", among: names).text
    }
    #expect(try spelled("Hamirpur", "Hamirpur", "HAMIRPUR") == "Hamirpur")
    #expect(try spelled("hamirpur ", "Hamirpur", "Mansa") == "Hamirpur")
    #expect(try spelled("M\u{C9}NOUA", "Me\u{301}noua") == "Me\u{301}noua")
    for name in [Self.composed, Self.decomposed] {
      #expect(try ExactText(spelled(name, Self.composed, Self.decomposed)) == ExactText(name))
    }
    for (name, hint) in [("hamirpur", "'HAMIRPUR', 'Hamirpur'"), ("hamirpr", "nearest")] {
      do {
        _ = try spelled(name, "Hamirpur", "HAMIRPUR")
        Issue.record("'\(name)' is two names")
      } catch let error as UnknownRegion {
        #expect(error.description.contains(hint))
      }
    }
  }

  /// At the door names become one form; what an application wrote otherwise stays what it is.
  @Test func namesAreStoredInOneForm() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      for (number, name) in [Self.composed, Self.decomposed, " \(Self.decomposed)\u{A0}"]
        .enumerated()
      {
        try await store.save(
          Facility(
            name: name, state: name, district: name, block: number == 0 ? nil : name, size: name))
      }
      let names = try await database.pool.withConnection {
        try await $0.query(
          """
          SELECT DISTINCT encode(convert_to(n, 'UTF8'), 'hex')
          FROM facilities CROSS JOIN LATERAL unnest(ARRAY[name, state, district, block, size]) AS n
          WHERE n IS NOT NULL
          """
        ).map { try $0.decode(String.self) }
      }
      #expect(names == [Self.composed.utf8.map { String(format: "%02x", $0) }.joined()])
    }
  }
}
