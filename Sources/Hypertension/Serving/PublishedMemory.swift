import Foundation
import RollupStore
import Synchronization

/// Published figures, kept by whoever reads them again and again. What an edition says never changes: it is told by its
/// digest. What a token sees of it depends on the token's scope alone, so each scope has its own.
public final class PublishedMemory: Sendable {
  private struct Key: Hashable {
    let scope: AccessToken.Scope
    let edition: Edition
    let digest: String
  }

  private struct State {
    var kept: [Key: PublishedRows] = [:]
    var count = 0
  }

  private let state = Mutex(State())
  private let most: Int

  /// - Parameter most: rows of all editions and scopes together, each about 400 bytes.
  public init(most: Int = 50_000) { self.most = most }

  /// How many rows are kept.
  public var count: Int { state.withLock { $0.count } }

  /// - Parameter read: with the token in force.
  func rows(
    of record: EditionRecord, _ scope: AccessToken.Scope,
    _ read: () async throws -> PublishedRows
  ) async throws -> PublishedRows {
    let key = Key(scope: scope, edition: record.edition, digest: record.digest)
    if let kept = state.withLock({ $0.kept[key] }) { return kept }
    let rows = try await read()
    state.withLock { state in
      guard state.kept[key] == nil, rows.count < most else { return }
      if state.count + rows.count > most { state = State() }
      state.kept[key] = rows
      state.count += rows.count
    }
    return rows
  }
}

/// An edition's figures, found by region without looking at each.
struct PublishedRows: Sendable {
  private let rows: [PublishedFigures.Row]
  /// Where they are, by names however they are spelled.
  private var ofState: [ExactText: [Int]] = [:]
  private var ofDistrict: [ExactText: [Int]] = [:]
  private var ofFacility: [ExactText: [Int]] = [:]

  init(_ rows: [PublishedFigures.Row]) {
    self.rows = rows
    for (place, row) in rows.enumerated() {
      ofState[PlaceName.folded(row.facility.state), default: []].append(place)
      ofDistrict[PlaceName.folded(row.facility.district), default: []].append(place)
      let id = row.facility.id.map { [ExactText($0.uuidString.lowercased())] } ?? []
      for name in Set([PlaceName.folded(row.facility.name)] + id) {
        ofFacility[name, default: []].append(place)
      }
    }
  }

  var count: Int { rows.count }

  /// - Parameter published: of this edition.
  func rows(of published: PublishedFigures) -> [PublishedFigures.Row] {
    let found = [
      (ofFacility, published.facility), (ofDistrict, published.district),
      (ofState, published.state),
    ].compactMap { places, name in name.map { places[PlaceName.folded($0)] ?? [] } }
    guard let fewest = found.first else { return rows }
    return found.dropFirst().reduce(fewest) { places, others in
      let others = Set(others)
      return places.filter(others.contains)
    }.map { rows[$0] }
  }
}
