import Foundation

/// Which field of a record holds which column: read from a file's first record.
///
/// Names are compared without case and without the blanks around them.
///
/// ```swift
/// let header = try CSVHeader(first.fields, required: ["id", "name"], optional: ["block"])
/// let name = header.index(of: "name").map { record.fields[$0] }
/// ```
public struct CSVHeader: Sendable, Hashable {
  /// How many fields a record of the file has.
  public let width: Int
  private let places: [String: Int]

  /// - Parameters:
  ///   - fields: the fields of the first record.
  ///   - required: columns that must be there.
  ///   - optional: columns that may be there.
  /// - Throws: ``Mismatch`` when a required column is missing, or one is unknown or there twice.
  public init(_ fields: [String], required: [String], optional: [String] = []) throws(Mismatch) {
    let names = fields.map(Self.normal)
    let expected = required + optional
    let known = Dictionary(expected.map { (Self.normal($0), $0) }) { first, _ in first }
    let found = Set(names)
    let mismatch = Mismatch(
      unknown: zip(names, fields).filter { known[$0.0] == nil }
        .map { Mismatch.Unknown(name: $0.1, nearest: Self.nearest(to: $0.0, among: expected)) },
      missing: required.filter { !found.contains(Self.normal($0)) },
      repeated: expected.filter { name in names.count { $0 == Self.normal(name) } > 1 },
      expected: expected)
    guard mismatch.isEmpty else { throw mismatch }
    width = fields.count
    places = Dictionary(zip(names, 0...)) { first, _ in first }
  }

  /// The index of a column in each record, from 0; nil when the file does not have the column.
  public func index(of column: String) -> Int? { places[Self.normal(column)] }

  private static func normal(_ name: String) -> String {
    name.trimmingCharacters(in: .whitespacesAndNewlines).lowercased()
  }

  /// The known column that a name was probably meant to be; nil when none is near.
  private static func nearest(to name: String, among columns: [String]) -> String? {
    columns.map { (column: $0, distance: editDistance(name, normal($0))) }
      .filter { $0.distance <= max(2, max(name.count, $0.column.count) / 3) }
      .min { $0.distance < $1.distance }?.column
  }
}

extension CSVHeader {
  /// What is wrong with a header; its description says it in a sentence each.
  public struct Mismatch: Error, Hashable, Sendable, CustomStringConvertible {
    /// A column that nobody knows, and the one it was probably meant to be.
    public struct Unknown: Hashable, Sendable {
      /// As the file spells it.
      public let name: String
      /// nil when none is near.
      public let nearest: String?
    }

    /// Columns of the file that nobody knows.
    public let unknown: [Unknown]
    /// Required columns that the file does not have.
    public let missing: [String]
    /// Columns that are there more than once.
    public let repeated: [String]
    /// All columns that are understood.
    public let expected: [String]

    var isEmpty: Bool { unknown.isEmpty && missing.isEmpty && repeated.isEmpty }

    /// All that is wrong, a sentence each, and the columns that are understood.
    public var description: String {
      let faults =
        unknown.map { column in
          if column.name.isEmpty { return "a column has no name." }
          return "there is no column '\(column.name)'"
            + (column.nearest.map { "; did you mean \($0)?" } ?? ".")
        } + missing.map { "the column \($0) is missing." }
        + repeated.map { "the column \($0) is there twice." }
      return faults.joined(separator: " ")
        + " The columns are \(expected.joined(separator: ", "))."
    }
  }
}
