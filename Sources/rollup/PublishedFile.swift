import CSV
import Commands
import Crypto
import Foundation
import Hypertension
import Output

/// A published CSV file, as `report district-bp --raw` writes it: from its facilities' rows alone the digest of each
/// district's figures is computed again, without a database (docs/digest.md).
struct PublishedFile {
  let path: String

  /// One line a district, as `rollup digest --district` begins it.
  /// - Throws: ``Failure`` when the file cannot be read, or is not of one edition.
  func digests() throws -> [String] {
    let rows = try rows()
    guard let first = rows.first else {
      throw Failure.data("\(path) has no row of a facility: nothing to compute a digest of")
    }
    if let other = rows.first(where: { $0.edition != first.edition }) {
      throw Failure.data("\(path) is of \(first.edition) and of \(other.edition): one is expected")
    }
    let regions = Dictionary(grouping: rows, by: \.region)
    return regions.sorted { Self.precedes($0.key.description, $1.key.description) }
      .map { region, rows in
        let lines = rows.map(\.line).sorted(by: Self.precedes)
        var digest = SHA256()
        for line in lines { digest.update(data: Array((line + "\n").utf8)) }
        return "\(first.edition) \(region) figures \(Self.hexadecimal(digest.finalize()))"
      }
  }

  private static func hexadecimal(_ digest: SHA256.Digest) -> String {
    digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  private struct Region: Hashable, CustomStringConvertible {
    let state: String
    let district: String
    var description: String { "\(state) / \(district)" }
  }

  private struct Facility {
    /// `2024Q2 edition 1`.
    let edition: String
    let region: Region
    let line: String
  }

  /// The columns of the figures' line, in its order.
  private static let columns =
    ["facility_id", "facility", "state", "district", "block"]
    + Indicator.allCases.filter { $0 != .denominator }.map(\.rawValue)
  /// Of these nothing between two commas is null; of the others it is an empty text.
  private static let nullable: Set = ["facility_id", "block"]

  /// Byte order. Swift compares texts by what they mean.
  private static func precedes(_ a: String, _ b: String) -> Bool {
    a.utf8.lexicographicallyPrecedes(b.utf8)
  }

  // MARK: Reading

  private func rows() throws -> [Facility] {
    let records = try records()
    guard let header = records.first?.fields else { throw Failure.data("\(path) is empty") }
    let places = Dictionary(zip(header, header.indices)) { first, _ in first }
    let needed = ["period", "level", "status", "edition"] + Self.columns
    if let missing = needed.first(where: { places[$0] == nil }) {
      throw Failure.data(
        "\(path) has no column '\(missing)'; expected a file of 'report district-bp --raw --format csv'"
      )
    }
    return try records.dropFirst().compactMap { record in
      guard record.fields.count == header.count else {
        throw Failure.data(
          "\(path), line \(record.line): \(record.fields.count) fields, not \(header.count)")
      }
      func field(_ name: String) -> String { places[name].map { record.fields[$0] } ?? "" }
      guard field("level") == "facility" else { return nil }
      guard field("status") == "closed" else {
        throw Failure.data(
          "\(path), line \(record.line): its status is '\(field("status"))'; only what was published of a closed period has a digest"
        )
      }
      return Facility(
        edition: "\(field("period")) edition \(field("edition"))",
        region: Region(state: field("state"), district: field("district")),
        line: "(" + Self.columns.map { Self.printed(field($0), of: $0) }.joined(separator: ",")
          + ")")
    }
  }

  private func records() throws -> [CSVRecord] {
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw Failure.data("\(path) cannot be read: \(FileReason.words(error))")
    }
    var records: [CSVRecord] = []
    func take(_ record: CSVRecord) throws {
      if let fault = record.fault { throw Failure.data("\(path), line \(record.line): \(fault)") }
      records.append(record)
    }
    let parser = CSVParser()
    try parser.feed(Array(data)[...], take)
    try parser.finish(take)
    return records
  }

  /// A field as PostgreSQL prints it in a row. Scalar by scalar: a quote that carries an accent is one character to Swift,
  /// and not a quote.
  private static func printed(_ field: String, of column: String) -> String {
    if field.isEmpty { return nullable.contains(column) ? "" : "\"\"" }
    guard field.unicodeScalars.contains(where: special.contains) else { return field }
    var text = "\""
    for scalar in field.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { text.unicodeScalars.append(scalar) }
      text.unicodeScalars.append(scalar)
    }
    return text + "\""
  }

  private static let special = Set("(),\"\\ \t\n\r\u{0B}\u{0C}".unicodeScalars)
}
