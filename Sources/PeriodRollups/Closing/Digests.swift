/// What an edition consists of, for its digest: rows in a table, each belonging to a place.
///
/// A row's line is its columns as PostgreSQL prints them in a row, instants as microseconds since 1970; the digest of
/// a place is over its lines in byte order (docs/digest.md).
public struct EditionPart: Sendable {
  public let name: String
  /// What is put on record of it.
  public let record: RecordedPart
  let table: SQL
  let line: [SQL]
  let place: SQL
  /// Whether the table has the rows of all editions.
  let isByEdition: Bool
  /// The table that has the rows of all editions.
  public let published: TableName?

  /// A table of published rows, with `period_type`, `period_start` and `edition`.
  public init(_ name: String, published table: TableName, columns: [Column], place: Column) {
    self.init(
      RecordedPart(name: name, table: table, place: place, columns: columns), table,
      isByEdition: true)
  }

  /// As it is on record, with the rows of a table.
  init(_ record: RecordedPart, _ table: TableName, isByEdition: Bool = false) {
    name = record.name
    self.record = record
    self.table = "\(table)"
    line = record.columns.map(Self.printed)
    place = Self.text(record.place)
    self.isByEdition = isByEdition
    published = isByEdition ? table : nil
  }

  /// The same part of an older edition, over what was on record then.
  public func asOn(_ record: RecordedPart) -> EditionPart {
    EditionPart(record, record.table, isByEdition: isByEdition)
  }

  static func printed(_ column: Column) -> SQL {
    column.type == .timestamptz
      ? "(extract(epoch FROM \(column.of("r"))) * 1000000)::bigint" : column.of("r")
  }

  private static func text(_ column: Column) -> SQL { "coalesce(\(column.of("r"))::text, '')" }

  var ofEdition: SQL {
    isByEdition
      ? """
      r.period_type = \(Parameter.periodType) AND r.period_start = \(Parameter.periodStart)
        AND r.edition = \(Parameter.edition)
      """ : "true"
  }

  /// The leaves as they are now: `place`, `rows`, `digest`.
  public func leaves(ofPlaces: Bool) -> Statement {
    Statement("digest \(name)", leafRows(ofPlaces: ofPlaces))
  }

  func leafRows(ofPlaces: Bool) -> SQL {
    let only: SQL = ofPlaces ? " AND \(place) = ANY (\(Parameter.places))" : ""
    return """
      SELECT l.place, count(*) AS rows,
        sha256(convert_to(string_agg(l.line || E'\\n', '' ORDER BY l.line COLLATE "C"), 'UTF8')) AS digest
      FROM (
        SELECT \(place) AS place, ROW(\(.joined(line)))::text AS line
        FROM \(table) AS r
        WHERE \(ofEdition)\(only)
      ) AS l
      GROUP BY l.place
      """
  }

  /// Stores the leaves of an edition.
  public func storeLeaves(ofPlaces: Bool) -> Statement {
    let part = Parameter("part", .text, constant: name)
    return Statement(
      "store the digests of \(name)",
      """
      INSERT INTO rollup.edition_leaves (period_type, period_start, edition, part, place, rows, digest)
      SELECT \(Parameter.periodType), \(Parameter.periodStart), \(Parameter.edition), \(part), d.place, d.rows, d.digest
      FROM (
        \(leafRows(ofPlaces: ofPlaces))
      ) AS d
      """)
  }

  /// The places whose leaves differ from what was stored: `place`.
  public var differing: Statement {
    let part = Parameter("part", .text, constant: name)
    return Statement(
      "compare the digests of \(name)",
      """
      SELECT coalesce(e.place, d.place) AS place
      FROM (
        SELECT place, rows, digest
        FROM rollup.edition_leaves
        WHERE period_type = \(Parameter.periodType) AND period_start = \(Parameter.periodStart)
          AND edition = \(Parameter.edition) AND part = \(part)
      ) AS e
      FULL JOIN (
        \(leafRows(ofPlaces: false))
      ) AS d ON d.place = e.place
      WHERE (d.rows, d.digest) IS DISTINCT FROM (e.rows, e.digest)
      ORDER BY 1
      """)
  }
}

extension PeriodTable {
  /// The rows of a period, for the edition that is being made.
  public func part(of period: Period) -> EditionPart {
    let record = RecordedPart(name: name, table: table, place: place, columns: lineColumns)
    return record.part(of: period, keptAs: nil)
  }
}

extension RecordedPart {
  /// The rollup's rows of a closed period.
  /// - Parameter edition: a number of an edition that was restated: the copy that was kept.
  public func part(of period: Period, keptAs edition: Int?) -> EditionPart {
    EditionPart(self, rows(of: period, keptAs: edition))
  }

  /// Where those rows are.
  public func rows(of period: Period, keptAs edition: Int?) -> TableName {
    edition.map { table.edition($0, of: period) } ?? table.partition(of: period)
  }
}

extension MostRecent {
  /// Where the rows of an edition are kept once it is restated.
  public func edition(_ edition: Int, of period: Period) -> TableName {
    table.edition(edition, of: period)
  }
}

extension MostRecent {
  /// The place of each subject's closed row: the subject's key and the place, as text.
  public func placesOfSubjects(in period: Period) -> Statement {
    Statement(
      "where the subjects of \(name) are",
      """
      SELECT \(subjectID.of("r"))::text, coalesce(\(place.of("r"))::text, '')
      FROM \(partition(of: period)) AS r
      """)
  }
}

extension Parameter {
  static let periodType = Parameter("period_type", .char)
  static let periodStart = Parameter("period_start", .date)
  static let edition = Parameter("edition", .integer)
  static let places = Parameter("places", .array(.text))
}

extension EditionPart {
  /// The places whose rows have changed since leaves of the edition were stored: rows of transactions that were in
  /// progress at a snapshot or came after it, or more or fewer rows. Only for a table of one period's rows.
  public var changed: Statement {
    let part = Parameter("part", .text, constant: name)
    return Statement(
      "see whose \(name) rows have changed",
      """
      SELECT coalesce(n.place, l.place) AS place
      FROM (
        SELECT \(place) AS place, count(*) AS rows, bool_or(\(Self.isNew("r"))) AS is_new
        FROM \(table) AS r
        GROUP BY 1
      ) AS n
      FULL JOIN (
        SELECT place, rows
        FROM rollup.edition_leaves
        WHERE period_type = \(Parameter.periodType) AND period_start = \(Parameter.periodStart)
          AND edition = \(Parameter.edition) AND part = \(part)
      ) AS l ON l.place = n.place
      WHERE n.is_new OR n.rows IS DISTINCT FROM l.rows
      """)
  }

  /// Whether a row may have been written after a snapshot whose oldest running transaction is given.
  public static func isNew(_ alias: Identifier) -> SQL {
    "age(\(alias).xmin) <= age(\(Parameter.since)::xid)"
  }

  /// Takes back the leaves of places, before the edition is entered.
  public var dropLeaves: Statement {
    let part = Parameter("part", .text, constant: name)
    return Statement(
      "take back digests of \(name)",
      """
      DELETE FROM rollup.edition_leaves
      WHERE period_type = \(Parameter.periodType) AND period_start = \(Parameter.periodStart)
        AND edition = \(Parameter.edition) AND part = \(part) AND place = ANY (\(Parameter.places))
      """)
  }
}

/// Where an edition's places lie: a published table that has a row for each.
public struct EditionPlaces: Sendable {
  let table: TableName
  let place: Column
  let state: Column
  let district: Column
  /// What is printed of a place, the table's rows: from its lines a district's published file can be checked.
  let figures: EditionPart

  public init(
    _ table: TableName, place: Column, state: Column, district: Column, figures: EditionPart
  ) {
    self.table = table
    self.place = place
    self.state = state
    self.district = district
    self.figures = figures
  }

  /// The districts' digests, over the leaves of their places: `state`, `district`, `digest`.
  private var regions: SQL {
    let key: SQL = """
      l.period_type = \(Parameter.periodType) AND l.period_start = \(Parameter.periodStart)
        AND l.edition = \(Parameter.edition)
      """
    return """
      SELECT d.state, d.district, f.digest AS figures, d.digest
      FROM (
        \(ofLeaves(key))
      ) AS d
      LEFT JOIN (
        SELECT l.state, l.district,
          sha256(convert_to(string_agg(l.line || E'\\n', '' ORDER BY l.line COLLATE "C"), 'UTF8')) AS digest
        FROM (
          SELECT \(state.of("r")) AS state, \(district.of("r")) AS district, ROW(\(.joined(figures.line)))::text AS line
          FROM \(table) AS r
          WHERE \(figures.ofEdition)
        ) AS l
        GROUP BY 1, 2
      ) AS f ON f.state = d.state AND f.district = d.district
      """
  }

  private func ofLeaves(_ key: SQL) -> SQL {
    """
    SELECT coalesce(\(state.of("p")), '') AS state, coalesce(\(district.of("p")), '') AS district,
      sha256(convert_to(string_agg(
        ROW(l.part, l.place, l.rows, encode(l.digest, 'hex'))::text || E'\\n', ''
        ORDER BY l.part COLLATE "C", l.place COLLATE "C"), 'UTF8')) AS digest
    FROM rollup.edition_leaves AS l
    LEFT JOIN \(table) AS p ON p.period_type = l.period_type AND p.period_start = l.period_start
      AND p.edition = l.edition AND coalesce(\(place.of("p"))::text, '') = l.place
    WHERE \(key)
    GROUP BY 1, 2
    """
  }

  /// The state and district of a place.
  public var region: Statement {
    Statement(
      "where the place lies",
      """
      SELECT \(state.of("r")), \(district.of("r"))
      FROM \(table) AS r
      WHERE \(figures.ofEdition) AND coalesce(\(place.of("r"))::text, '') = ANY (\(Parameter.places))
      """)
  }

  public var storeRegions: Statement {
    Statement(
      "store the districts' digests",
      """
      INSERT INTO rollup.edition_regions (period_type, period_start, edition, state, district, figures, digest)
      SELECT \(Parameter.periodType), \(Parameter.periodStart), \(Parameter.edition), d.state, d.district, d.figures, d.digest
      FROM (
        \(regions)
      ) AS d
      """)
  }

  /// The districts whose digest differs from what was stored: `state`, `district`.
  public var differingRegions: Statement {
    Statement(
      "compare the districts' digests",
      """
      SELECT coalesce(e.state, d.state) AS state, coalesce(e.district, d.district) AS district
      FROM (
        SELECT state, district, figures, digest
        FROM rollup.edition_regions
        WHERE period_type = \(Parameter.periodType) AND period_start = \(Parameter.periodStart)
          AND edition = \(Parameter.edition)
      ) AS e
      FULL JOIN (
        \(regions)
      ) AS d ON d.state = e.state AND d.district = e.district
      WHERE (d.figures, d.digest) IS DISTINCT FROM (e.figures, e.digest)
      ORDER BY 1, 2
      """)
  }
}

extension Editions {
  /// The digest of an edition, over what is said of it and its districts' digests; the one before it in the chain is
  /// part of what is said.
  static func digest(_ alias: Identifier) -> SQL {
    """
    sha256(convert_to(
      ROW(\(alias).sequence, \(alias).period_name, \(alias).edition, \(alias).time_zone, \(alias).definitions,
        (extract(epoch FROM \(alias).closed_at) * 1000000)::bigint, \(alias).closed_by, \(alias).reason,
        encode(\(alias).previous, 'hex'))::text || E'\\n' || coalesce((
        SELECT string_agg(ROW(g.state, g.district, encode(g.figures, 'hex'), encode(g.digest, 'hex'))::text || E'\\n', ''
          ORDER BY g.state COLLATE "C", g.district COLLATE "C")
        FROM rollup.edition_regions AS g
        WHERE g.period_type = \(alias).period_type AND g.period_start = \(alias).period_start
          AND g.edition = \(alias).edition
      ), ''), 'UTF8'))
    """
  }
}

extension Closing {
  /// Enters an edition: the last step, which makes it and all that belongs to it unchangeable.
  public static var enterEdition: Statement {
    Statement(
      "enter the edition",
      """
      INSERT INTO \(Editions.table) (sequence, period_type, period_start, edition, period_name, time_zone, definitions,
        closed_at, closed_by, reason, previous, digest)
      SELECT e.*, \(Editions.digest("e"))
      FROM (
        SELECT coalesce(last.sequence, 0) + 1 AS sequence, \(Parameter.periodType) AS period_type,
          \(Parameter.periodStart) AS period_start, \(Parameter.edition) AS edition,
          \(Parameter("period_name", .text)) AS period_name, \(Parameter.timeZone) AS time_zone,
          \(Parameter("definitions", .integer)) AS definitions,
          date_trunc('milliseconds', clock_timestamp()) AS closed_at, \(Parameter("closed_by", .text)) AS closed_by,
          \(Parameter("reason", .text)) AS reason, last.digest AS previous
        FROM (VALUES (true)) AS one
        LEFT JOIN (
          SELECT sequence, digest FROM \(Editions.table) ORDER BY sequence DESC LIMIT 1
        ) AS last ON true
      ) AS e
      RETURNING encode(digest, 'hex')
      """)
  }

  /// Whether an edition is whole: `follows` (its `previous` is the digest of the one before in the chain, and its number
  /// the next), `digest_holds`.
  public static var chain: Statement {
    Statement(
      "check an edition's place in the chain",
      """
      SELECT e.follows, e.digest = \(Editions.digest("e")) AS digest_holds
      FROM (
        SELECT *, previous IS NOT DISTINCT FROM lag(digest) OVER (ORDER BY sequence)
          AND sequence = row_number() OVER (ORDER BY sequence) AS follows
        FROM \(Editions.table)
      ) AS e
      WHERE e.period_type = \(Parameter.periodType) AND e.period_start = \(Parameter.periodStart)
        AND e.edition = \(Parameter.edition)
      """)
  }
}

extension Parameter {
  /// The oldest transaction that was running at a snapshot, as text.
  static let since = Parameter("since", .text)
}
