import ArgumentParser
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
      Bathinda --raw'), without a database. docs/digest.md says how each is made.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions

  @OptionGroup var which: PeriodOptions

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
    let given = [which.quarter != nil, which.month != nil, all, file != nil].filter { $0 }.count
    guard given == 1 else {
      throw ValidationError(
        "name one of --quarter 2024Q2, --month 2024-06, --all and --file FILE.csv")
    }
    if all || file != nil, edition != nil || district != nil {
      throw ValidationError("--edition and --district go with --quarter or --month")
    }
  }

  func execute() async throws {
    if let file {
      for line in try PublishedFile(path: file).digests() { Terminal.print(line) }
      return
    }
    let pool = try await database.pool(size: 1)
    let store = try await RollupStore(pool, Rollups.catalog)
    let records = try await store.editions()
    if let period = which.period {
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
  /// - Throws: ``UnknownRegion``.
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
    let region = try RegionFilter(state: nil, district: district).checked(
      among: rows.map { ($0.0, $0.1) })
    let mine = rows.filter { region.contains(state: $0.0, district: $0.1) }
    return mine.map { row in
      "\(record.edition.period) edition \(record.edition.number) \(row.0) / \(row.1) figures \(row.2 ?? "none") all \(row.3)"
    }.joined(separator: "\n")
  }
}
