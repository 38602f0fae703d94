import PeriodRollups
import Postgres

/// Subjects by key, the unit of backfill and verification: from one to another, or those that are named.
public struct Chunk<Key: PostgresKey>: Sendable {
  /// The first key; nil for "from the very first".
  public let first: Key?
  /// The key it ends before; nil for "to the very last".
  public let end: Key?
  /// These alone; nil for all within the bounds.
  public let keys: [Key]?

  public init(first: Key?, end: Key?) {
    self.first = first
    self.end = end
    keys = nil
  }

  public init(_ keys: [Key]) {
    first = nil
    end = nil
    self.keys = keys
  }

  var lens: Lens {
    if keys != nil { return .subjects }
    var bounds: Lens.Bounds = []
    if first != nil { bounds.insert(.below) }
    if end != nil { bounds.insert(.above) }
    return .chunk(bounded: bounds)
  }

  var values: Values {
    if let keys { return ["subject_ids": Bind(keys)] }
    var values: Values = [:]
    values["first_subject"] = first.map { Bind($0) }
    values["end_subject"] = end.map { Bind($0) }
    return values
  }
}

extension RollupStore {
  /// All subjects in chunks of about `size`. Rows of subjects that are not there are in some chunk too.
  public func chunks<Key: PostgresKey>(
    of size: Int, keyedBy: Key.Type = Key.self
  ) async throws -> [Chunk<Key>] {
    let statement = try query(
      SubjectWrites(catalog).chunkBounds, ["chunk_size": Bind(Int64(size))])
    let bounds = try await pool.withConnection { connection in
      try await connection.query(statement).map { try $0.decode(Key.self) }
    }
    return zip([nil] + bounds, bounds + [nil]).map { Chunk(first: $0, end: $1) }
  }

  /// How many subjects there are.
  public func subjectCount() async throws -> Int {
    let count = Query(text: "SELECT count(*) FROM \(catalog.subject.table)")
    return try await pool.withConnection { try await $0.query(count).only(Int.self) }
  }

  /// The values of a span, widened to the whole of all declared periods that have a day in it.
  func values(of span: PeriodSpan) -> Values {
    let bounds = span.bounds(of: Array(Set(catalog.periodTables.flatMap(\.periods))))
    return [
      Parameter.from.name: Bind(CalendarDay(bounds.from)),
      Parameter.to.name: Bind(CalendarDay(bounds.to)),
    ]
  }
}

extension CalendarDay {
  /// PostgreSQL counts days from 2000-01-01.
  public init(_ date: CalendarDate) { self.init(daysSince2000: Int32(date.daysSince1970 - 10_957)) }
}
