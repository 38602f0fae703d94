import Foundation
import PeriodRollups
import Postgres

/// A type of rows that a projection gives, as Swift values.
///
/// ```swift
/// struct MostRecentImmunization: Projectable {
///   static let projection = Projection.mostRecent("most-recent-immunizations", …)
///   let patientID: UUID
///   let givenOn: CalendarDay
///   init(_ row: Row) throws { (patientID, givenOn) = try row.decode((UUID, CalendarDay).self) }
/// }
/// ```
public protocol Projectable: Projected {
  /// - Parameter row: the projection's columns in their order.
  init(_ row: Row) throws
}

/// The Swift that makes a streamed projection's rows of the rows of its query.
public struct StreamDerivation: Sendable {
  let name: String
  /// A JSON array of a batch's rows.
  let derive: @Sendable ([Row]) throws -> String

  /// - Parameter derive: is given each row of the query once, in batches in the query's order; what it gives must not
  ///   depend on where a batch ends. Property names are those of the columns, in camel case.
  public init<Output: Encodable>(
    _ projection: Projection, _ derive: @escaping @Sendable ([Row]) throws -> [Output]
  ) {
    name = projection.name
    self.derive = { rows in
      let encoder = JSONEncoder()
      encoder.keyEncodingStrategy = .convertToSnakeCase
      encoder.dateEncodingStrategy = .custom { date, encoder in
        var container = encoder.singleValueContainer()
        try container.encode(Timestamp(date).description)
      }
      return String(decoding: try encoder.encode(derive(rows)), as: UTF8.self)
    }
  }

  /// JSON arrays as one.
  static func joined(_ batches: [String]) -> String {
    "[" + batches.map { $0.dropFirst().dropLast() }.filter { !$0.isEmpty }.joined(separator: ",")
      + "]"
  }
}

extension CalendarDay: Encodable {
  /// `2024-06-30`
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// A lens as a job's arguments have it.
struct LensRecord: Codable, Hashable {
  var filters: [Filter]

  struct Filter: Codable, Hashable {
    var column: String
    var test: Projection.Filter.Test
  }

  init(_ lens: Projection.Lens) {
    filters = lens.filters.map { Filter(column: $0.column.name.name, test: $0.test) }
  }

  /// - Throws: ``GraphError/unknownColumn(_:in:known:)``.
  func lens(of projection: Projection) throws -> Projection.Lens {
    try filters.reduce(.everything) { lens, filter in
      guard let column = projection.columns.first(where: { $0.name.name == filter.column }) else {
        throw GraphError.unknownColumn(
          filter.column, in: projection.name, known: projection.columns.map(\.name.name))
      }
      return lens.and(.init(column, filter.test))
    }
  }
}
