import PeriodRollups
import Postgres

/// What a domain publishes when a period closes: its figures, the subjects behind them, the places as they were.
///
/// Its tables have `period_type`, `period_start` and `edition`, and are protected by `rollup.protect` in a migration.
public protocol Publication: Sendable {
  /// The version of the definitions that the figures are counted by.
  var definitions: Int { get }
  /// What the digest is over, besides the rollups' own rows.
  var parts: [EditionPart] { get }
  var places: EditionPlaces { get }
  /// Tables of the application that it reads, besides those that the rollups are made of.
  var reads: [TableName] { get }

  /// Writes an edition's rows, of all places, from what is known now.
  /// - Parameter since: the oldest transaction that was running a moment ago.
  func publish(_ edition: Edition, since: String, in tx: borrowing Transaction) async throws
  /// Writes again what has changed since ``publish(_:since:in:)``, with the period's writers kept out: soon.
  /// - Parameter since: as then.
  /// - Returns: the places whose rows may be others now.
  func refresh(_ edition: Edition, since: String, in tx: borrowing Transaction) async throws
    -> [String]
  /// What can be said of a place whose published rows are not what they were, as the end of a sentence; ids only.
  func explain(_ part: String, place: String, of edition: Edition, _ pool: Pool) async throws
    -> String
}

extension Publication {
  public var reads: [TableName] { [] }
}

/// A period as it was published.
public struct Edition: Hashable, Sendable {
  public let period: Period
  /// 1 at closing, then 2, 3, … for restatements.
  public let number: Int

  public init(_ period: Period, _ number: Int) {
    self.period = period
    self.number = number
  }

  /// The values of the statements' parameters.
  var values: Values {
    [
      "period_type": Bind(period.type.code), "period_start": Bind(CalendarDay(period.start)),
      "edition": Bind(number),
    ]
  }
}

/// What is on file of an edition.
public struct EditionRecord: Hashable, Sendable {
  public let edition: Edition
  /// The place in the chain.
  public let sequence: Int
  public let timeZone: String
  public let definitions: Int
  public let closedAt: Timestamp
  public let closedBy: String
  public let reason: String?
  /// In hexadecimal digits.
  public let previous: String?
  public let digest: String
}

extension RollupStore {
  /// All editions of all periods, in the order of the chain.
  public func editions() async throws -> [EditionRecord] {
    try await pool.withConnection { connection in
      try await connection.query(Query(text: Self.records)).compactMap(Self.record)
    }
  }

  /// The editions of one period; none while it is open.
  public func editions(of period: Period) async throws -> [EditionRecord] {
    try await editions().filter { $0.edition.period == period }
  }

  /// As ``editions()``, in the snapshot of a transaction.
  public static func editions(in tx: borrowing Transaction) async throws -> [EditionRecord] {
    try await tx.query(Query(text: Self.records)).compactMap(Self.record)
  }

  /// The periods that are closed for each rollup, by name: one that was declared later is open where others are closed.
  static func closedPeriodsByRollup(in tx: borrowing Transaction) async throws
    -> [String: Set<Period>]
  {
    try await tx.query(
      "SELECT DISTINCT part, period_type::text, period_start FROM rollup.edition_parts"
    ).reduce(into: [:]) { closed, row in
      let (part, type, start) = try row.decode((String, String, CalendarDay).self)
      guard let period = Period(type, start) else { return }
      closed[part, default: []].insert(period)
    }
  }

  /// The periods that are closed.
  public static func closedPeriods(in tx: borrowing Transaction) async throws -> Set<Period> {
    Set(
      try await tx.query(
        "SELECT period_type::text, period_start FROM rollup.editions WHERE edition = 1"
      )
      .compactMap { row in
        let (type, start) = try row.decode((String, CalendarDay).self)
        return Period(type, start)
      })
  }

  /// The parts of an edition as they are on record, with the types that their columns have.
  func parts(of edition: Edition, in tx: borrowing Transaction) async throws -> [RecordedPart] {
    try await tx.query(query(Closing.recordedParts, edition.values)).map { row in
      let (name, relation, place) = (
        try row.decode(0, as: String.self), try row.decode(1, as: String.self),
        try row.decode(2, as: String.self)
      )
      let columns = zip(try row.decode(3, as: [String].self), try row.decode(4, as: [String].self))
      return RecordedPart(
        name: name, table: TableName(qualified: relation), place: Column(Identifier(place), .text),
        // Only instants are printed otherwise than they are.
        columns: columns.map {
          Column(Identifier($0), $1 == "timestamp with time zone" ? .timestamptz : .text)
        })
    }
  }

  private static let records = """
    SELECT period_type::text, period_start, edition, sequence, time_zone, definitions, closed_at, closed_by, reason,
      encode(previous, 'hex'), encode(digest, 'hex')
    FROM rollup.editions
    ORDER BY sequence
    """

  private static func record(_ row: Row) throws -> EditionRecord? {
    guard
      let period = Period(
        try row.decode(0, as: String.self), try row.decode(1, as: CalendarDay.self))
    else { return nil }
    return EditionRecord(
      edition: Edition(period, try row.decode(2, as: Int.self)),
      sequence: try row.decode(3, as: Int.self),
      timeZone: try row.decode(4, as: String.self), definitions: try row.decode(5, as: Int.self),
      closedAt: try row.decode(6, as: Timestamp.self),
      closedBy: try row.decode(7, as: String.self), reason: try row.decode(8, as: String?.self),
      previous: try row.decode(9, as: String?.self), digest: try row.decode(10, as: String.self))
  }
}

extension SQLState {
  /// What the guard of a closed period refuses with.
  public static let closedPeriod = SQLState(rawValue: "RC077")
  /// What a closing by a program that is older than the database is refused with.
  public static let olderProgram = SQLState(rawValue: "RC078")
}
