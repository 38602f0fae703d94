import ArgumentParser
import CSV
import Commands
import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// `rollup digest`.
struct DigestCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "digest",
    abstract: "Print the digest of an edition, in one line fit for publication.",
    discussion: """
      For example: rollup digest --quarter 2024Q2. With --district the digest of the district, and of its figures alone; \
      'rollup digest --file bathinda.csv' computes the latter from a published file ('report district-bp --district \
      Bathinda --raw'). docs/digest.md says how each is made.
      """)

  @OptionGroup var database: DatabaseOptions

  @Option(help: "A quarter, such as 2024Q2.", transform: { try Period.parse($0, as: .quarter) })
  var quarter: Period?

  @Option(help: "A month, such as 2024-06.", transform: { try Period.parse($0, as: .month) })
  var month: Period?

  @Option(help: "An edition. Default: the last.")
  var edition: Int?

  @Option(help: "Of this district.")
  var district: String?

  @Flag(help: "Every edition, in the order of the chain.")
  var all = false

  @Option(help: "A published CSV file of a district.")
  var file: String?

  var databaseDescription: String? { database.described }

  func validate() throws {
    let given = [quarter != nil, month != nil, all, file != nil].filter { $0 }.count
    guard given == 1 else {
      throw ValidationError(
        "name one of --quarter 2024Q2, --month 2024-06, --all and --file FILE.csv")
    }
  }

  func execute() async throws {
    if let file {
      // SHA-256 is the server's: the same program that made the digests.
      let pool = try await database.pool(size: 1)
      Terminal.print(try await PublishedFile(path: file).digest(pool))
      return await pool.close()
    }
    let pool = try await database.pool(size: 1)
    let store = try await RollupStore(pool, Rollups.catalog)
    let records = try await store.editions()
    if let period = quarter ?? month {
      let record = try record(period, among: records)
      if let district {
        Terminal.print(try await store.digest(of: district, in: record))
      } else {
        Terminal.print(record.line)
      }
    } else {
      for record in records { Terminal.print(record.line) }
    }
    await pool.close()
  }

  private func record(_ period: Period, among records: [EditionRecord]) throws -> EditionRecord {
    let mine = records.filter { $0.edition.period == period }
    guard let last = mine.last else { throw Closing.Refusal.open(period) }
    guard let edition else { return last }
    guard let record = mine.first(where: { $0.edition.number == edition }) else {
      throw Closing.Refusal.noSuchEdition(period, edition, last: last.edition.number)
    }
    return record
  }
}

extension EditionRecord {
  /// One line: nothing in it has a space that is not a separator.
  fileprivate var line: String {
    """
    \(edition.period) edition \(edition.number) sha256 \(digest) previous \(previous ?? "none") closed \(closedAt) \
    zone \(timeZone) definitions \(definitions)
    """
  }
}

extension RollupStore {
  /// - Throws: ``Failure`` with the nearest names.
  fileprivate func digest(of district: String, in record: EditionRecord) async throws -> String {
    let (type, start) = (record.edition.period.type.code, CalendarDay(record.edition.period.start))
    let rows = try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT state, district, encode(figures, 'hex'), encode(digest, 'hex')
        FROM rollup.edition_regions
        WHERE period_type = \(type)::"char" AND period_start = \(start) AND edition = \(record.edition.number)
        ORDER BY state, district
        """
      ).map { try $0.decode((String, String, String?, String).self) }
    }
    let mine = rows.filter { $0.1.lowercased() == district.lowercased() }
    guard !mine.isEmpty else {
      let near = nearest(to: district, among: Array(Set(rows.map(\.1))).sorted())
      throw Failure.usage(
        "there is no district '\(district)' in \(record.edition.period), edition \(record.edition.number)"
          + (near.isEmpty ? "" : "; the nearest are \(near.joined(separator: ", "))"))
    }
    return mine.map { row in
      "\(record.edition.period) edition \(record.edition.number) \(row.0) / \(row.1) figures \(row.2 ?? "none") all \(row.3)"
    }.joined(separator: "\n")
  }
}

/// A district's CSV file as `report district-bp --raw` writes it.
struct PublishedFile {
  let path: String

  /// The columns of the figures' line, in its order (docs/digest.md).
  private static let columns =
    ["facility_id", "facility", "state", "district", "block"]
    + Indicator.allCases.filter { $0 != .denominator }.map(\.rawValue)

  /// The digest of the facilities' rows.
  func digest(_ pool: Pool) async throws -> String {
    let lines = try lines()
    return try await pool.withConnection { connection in
      try await connection.query(
        """
        SELECT encode(sha256(convert_to(string_agg(line || E'\\n', '' ORDER BY line COLLATE "C"), 'UTF8')), 'hex')
        FROM unnest(\(lines)::text[]) AS t (line)
        """
      ).only(String?.self)
    } ?? "none"
  }

  private func lines() throws -> [String] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure.data("\(path) cannot be read")
    }
    var records: [[String]] = []
    let parser = CSVParser()
    do {
      try parser.feed(Array(data)[...]) { records.append(try fields($0)) }
      try parser.finish { records.append(try fields($0)) }
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure.data("\(path), record \(records.count + 1): \(error)")
    }
    guard let header = records.first else { throw Failure.data("\(path) is empty") }
    let places = try (["level"] + Self.columns).map { name in
      guard let place = header.firstIndex(of: name) else {
        throw Failure.data(
          "\(path) has no column '\(name)'; expected a file of 'report district-bp --raw --format csv'"
        )
      }
      return place
    }
    return records.dropFirst().filter { $0[places[0]] == "facility" }.map { record in
      "(" + places.dropFirst().map { Self.printed(record[$0]) }.joined(separator: ",") + ")"
    }
  }

  private func fields(_ record: CSVRecord) throws -> [String] {
    if let fault = record.fault { throw Failure.data("\(path), line \(record.line): \(fault)") }
    return record.fields
  }

  /// A field as PostgreSQL prints it in a row; an empty one is null.
  private static func printed(_ field: String) -> String {
    let special = field.unicodeScalars.contains {
      "(),\"\\ \t\n\r\u{0B}\u{0C}".unicodeScalars.contains($0)
    }
    guard special else { return field }
    return "\""
      + field.replacing("\\", with: "\\\\").replacing("\"", with: "\"\"") + "\""
  }
}
