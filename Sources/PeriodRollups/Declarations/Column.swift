/// A column of a source table or a rollup, by the name and type the database knows.
public struct Column: Sendable {
  public let name: Identifier
  public let type: ColumnType
  /// What a rollup's column was called: `rollup migrate` renames it.
  public let formerly: Identifier?

  public init(_ name: Identifier, _ type: ColumnType, formerly: Identifier? = nil) {
    self.name = name
    self.type = type
    self.formerly = formerly
  }
}

extension Column: Hashable {
  /// What it was called makes no difference to what it is.
  public static func == (a: Self, b: Self) -> Bool { (a.name, a.type) == (b.name, b.type) }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(name)
    hasher.combine(type)
  }
}

/// The types that sources and rollups may have.
public indirect enum ColumnType: Hashable, Sendable {
  case uuid, text, boolean, smallint, integer, bigint, numeric, date
  /// An instant.
  case timestamptz
  /// `timestamp without time zone` that an application writes in UTC, as Rails does.
  case timestampUTC
  /// PostgreSQL's one-byte `"char"`.
  case char
  /// PostgreSQL's number of a transaction.
  case xid8
  case array(ColumnType)

  /// The type as SQL text.
  public var sql: String {
    switch self {
    case .uuid: "uuid"
    case .text: "text"
    case .boolean: "boolean"
    case .smallint: "smallint"
    case .integer: "integer"
    case .bigint: "bigint"
    case .numeric: "numeric"
    case .date: "date"
    case .timestamptz: "timestamptz"
    case .timestampUTC: "timestamp"
    case .char: "\"char\""
    case .xid8: "xid8"
    case .array(let element): element.sql + "[]"
    }
  }
}

extension Column {
  /// The column of a relation called `alias`.
  func of(_ alias: Identifier) -> SQL { "\(alias).\(name)" }

  /// The instant that a time column of the relation holds, as `timestamptz`.
  func instant(of alias: Identifier) -> SQL {
    switch type {
    case .timestampUTC: "(\(of(alias)) AT TIME ZONE 'UTC')"
    case .date: "(\(of(alias))::timestamp AT TIME ZONE \(Parameter.timeZone))"
    default: of(alias)
    }
  }

  /// The time of the relation's time column on the reporting time zone's clock, as `timestamp`.
  func localTime(of alias: Identifier) -> SQL {
    type == .date
      ? "\(of(alias))::timestamp" : "(\(instant(of: alias)) AT TIME ZONE \(Parameter.timeZone))"
  }

  /// True for times that have a period: from 0001-01-02 to 9999-12-30 in UTC, so that the local date is in the
  /// years 1 to 9999 on any clock. Missing and infinite times have none; such rows are stored, and reported by
  /// data quality, but counted nowhere. (Compared as they are stored: a conversion per row would cost seconds in
  /// a backfill.)
  func hasPeriod(in alias: Identifier) -> SQL {
    switch type {
    case .timestamptz:
      "\(of(alias)) >= '0001-01-02 00:00Z' AND \(of(alias)) < '9999-12-31 00:00Z'"
    default: "\(of(alias)) >= '0001-01-02' AND \(of(alias)) < '9999-12-31'"
    }
  }

  /// True of the times of periods that begin in a span whose ends are bound, and of some around it: whatever the clock, they
  /// are within two days, and the last may begin on the span's last day. (As they are stored, again: where the span is short
  /// most events are passed over so.)
  func isNearSpan(in alias: Identifier, lasting days: Int) -> SQL {
    func instant(_ end: SQL) -> SQL {
      type == .timestamptz ? "(\(end)) AT TIME ZONE 'UTC'" : "\(end)"
    }
    return """
      \(of(alias)) >= \(instant("\(Parameter.from) - interval '2 days'"))
        AND \(of(alias)) < \(instant("\(Parameter.to) + \(days) + interval '2 days'"))
      """
  }
}
