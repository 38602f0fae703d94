import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// What closing or restating a period would publish now: read, and nothing written or held.
public struct EditionPreview: Sendable {
  public let period: Period
  /// As ``CarePublication`` would write them, in the order of the facilities' ids.
  public let rows: [PublishedFigures.Row]

  /// Counted in the transaction's snapshot.
  public init(_ period: Period, in tx: borrowing Transaction) async throws {
    self.period = period
    let closed = try await RollupStore.closedPeriods(in: tx)
    let figures = try await CareFiguresQuery(
      Evaluation(lastOf: period), limits: .standard, facilities: nil, closed: closed
    ).run(tx)
    var places: [UUID?: PublishedFacility] = [:]
    let facilities = try await tx.query(
      """
      SELECT id, name, state, district, nullif(block, ''), nullif(size, ''), deleted_at IS NOT NULL
      FROM facilities
      """)
    for row in facilities {
      let (id, name, state, district, block, size, isDeleted) = try row.decode(
        (UUID, String, String, String, String?, String?, Bool).self)
      if isDeleted, (figures[id] ?? CareFigures()) == CareFigures() { continue }
      places[id] = PublishedFacility(
        id: id, name: name, state: state, district: district, block: block, size: size)
    }
    for id in figures.keys where places[id] == nil && figures[id] != CareFigures() {
      places[id] = PublishedFacility(
        id: id, name: "Unknown facility", state: "Unknown", district: "Unknown", block: nil,
        size: nil)
    }
    rows = places.map { ($1, figures[$0] ?? CareFigures()) }.sorted(by: Self.isBefore)
  }

  /// Everybody registered up to the period's end, the dead among them.
  public var patients: Int {
    rows.reduce(0) { $0 + $1.figures.assignedPatients + $1.figures.dead }
  }

  /// The figures of all facilities together.
  public var sum: CareFigures { rows.reduce(CareFigures()) { $0 + $1.figures } }

  /// A cell that would be another in the next edition.
  public struct Change: Hashable, Sendable {
    public let facility: PublishedFacility
    /// The column's name: a figure of INDICATORS.md, or what is said of the facility.
    public let column: String
    /// Empty where the edition has no row of the facility, or would have none.
    public let from: String
    public let to: String
  }

  /// What is not as an edition has it, facility by facility.
  public func changes(from edition: Edition, in tx: borrowing Transaction) async throws -> [Change]
  {
    let published = try await PublishedFigures(edition, state: nil, district: nil).run(tx)
    let before = Dictionary(uniqueKeysWithValues: published.map { ($0.facility.id, $0) })
    let after = Dictionary(uniqueKeysWithValues: rows.map { ($0.facility.id, $0) })
    let gone = published.filter { after[$0.facility.id] == nil }
    return (rows + gone).sorted(by: Self.isBefore).flatMap { row in
      let id = row.facility.id
      return zip(Self.cells(before[id]), Self.cells(after[id])).compactMap { old, new in
        old.value == new.value
          ? nil
          : Change(facility: row.facility, column: old.column, from: old.value, to: new.value)
      }
    }
  }

  private static func isBefore(_ a: PublishedFigures.Row, _ b: PublishedFigures.Row) -> Bool {
    (a.facility.id?.uuidString ?? "") < (b.facility.id?.uuidString ?? "")
  }

  /// Of no row, empty ones.
  private static func cells(_ row: PublishedFigures.Row?) -> [(column: String, value: String)] {
    let facility = row?.facility
    let words = [
      ("facility", facility?.name), ("state", facility?.state), ("district", facility?.district),
      ("block", facility?.block), ("size", facility?.size),
    ]
    return words.map { (column: $0, value: $1 ?? "") }
      + zip(CarePublication.countColumns, CareFigures.counts).map { name, count in
        (column: name, value: row.map { String($0.figures[keyPath: count]) } ?? "")
      }
  }
}

extension CareFigures {
  /// The counts with the names of their columns, in the order of INDICATORS.md.
  public var named: [(column: String, count: Int)] {
    Indicator.allCases.map { indicator in
      (indicator.rawValue, indicator.count.map { self[keyPath: $0] } ?? denominator)
    }
  }
}
