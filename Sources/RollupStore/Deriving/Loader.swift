import PeriodRollups
import Postgres

/// Fills empty periods of one rollup for a backfill: loads chunks into tables without indexes, indexes them, and puts them
/// in the places of the empty partitions (``Loading``).
public struct Loader: Sendable {
  let store: RollupStore
  let loading: Loading

  public init(_ rollup: MostRecent, run: Int64, in store: RollupStore) {
    self.store = store
    loading = Loading(rollup, run: run)
  }

  /// The open periods of a span, in the years that have data, whose partitions have no row or are still to be made; none
  /// where periods cannot be told by their bounds.
  public static func emptyPeriods(
    _ rollup: MostRecent, in span: PeriodSpan, of store: RollupStore
  ) async throws -> [Period] {
    try await store.pool.transaction(.readCommitted, retrying: .standard) { tx in
      let parts = try await SpanParts(span, of: store, in: tx)
      guard let periods = parts.buckets?.all(rollup.periods) else { return [] }
      let closed = parts.closed(for: rollup)
      let made = Set(
        try await tx.query("SELECT relname::text FROM pg_class WHERE relispartition").map {
          try $0.decode(String.self)
        })
      let loading = Loading(rollup, run: 0)
      var empty: [Period] = []
      for period in periods where !closed.contains(period) {
        if made.contains(rollup.partition(of: period).table.name) {
          let query = Query(text: loading.isEmpty(period).text)
          guard try await tx.query(query).only(Bool.self) else { continue }
        }
        empty.append(period)
      }
      return empty
    }
  }

  /// Makes the tables to load into.
  public func prepare(_ periods: [Period], in tx: borrowing Transaction) async throws {
    for (type, periods) in Dictionary(grouping: periods, by: \.type) {
      for statement in loading.create(type, periods) {
        try await tx.execute(Query(text: statement.text))
      }
      let parent = loading.composed(type) == nil ? [loading.table(of: type)] : []
      for table in parent + periods.map(loading.table(of:)) {
        try await tx.execute(Roles.own(table))
      }
    }
  }

  /// Whether a period waits for its months to be there.
  public func isComposed(_ period: Period) -> Bool { loading.composed(period.type) != nil }

  /// Loads a chunk's rows of those of the periods that are chosen from the sources.
  /// - Returns: how many.
  public func load<Key: PostgresKey>(
    _ chunk: Chunk<Key>, _ periods: Set<Period>, in span: PeriodSpan, _ tx: borrowing Transaction
  ) async throws -> Int {
    for setting in RollupStore.forAChunk { try await tx.execute(setting) }
    guard let buckets = try await SpanParts(span, of: store, in: tx).buckets else { return 0 }
    let values = chunk.values.merging(buckets.values(where: periods.contains)) { $1 }
    var loaded = 0
    for type in loading.rollup.periods where loading.composed(type) == nil {
      guard periods.contains(where: { $0.type == type }) else { continue }
      loaded += try await tx.execute(store.query(loading.load(chunk.lens, type), values))
    }
    return loaded
  }

  /// Puts a loaded period in its place, unless it has been closed meanwhile.
  /// - Returns: how many rows were written by this, besides those that were loaded.
  public func attach(_ period: Period, in tx: borrowing Transaction) async throws -> Int {
    for setting in RollupStore.forAChunk { try await tx.execute(setting) }
    var written = 0
    if let finer = loading.composed(period.type) {
      written = try await tx.execute(Query(text: loading.compose(period, from: finer).text))
    }
    try await tx.execute("SET LOCAL maintenance_work_mem = '64MB'")
    for statement in loading.index(period) { try await tx.execute(Query(text: statement.text)) }
    try await tx.lock([loading.lock(period)])
    let closed = try await RollupStore.closedPeriodsByRollup(in: tx)
    if closed[loading.rollup.name]?.contains(period) ?? false { return 0 }
    for statement in loading.attach(period) + [Changes.noteEverything] {
      try await tx.execute(Query(text: statement.text))
    }
    return written
  }

  /// Drops the tables of runs that are over or were given up. Where one is in use it stays for the next time.
  public static func tidy(_ store: RollupStore) async throws {
    let schemas = store.catalog.mostRecent.map { $0.table.schema?.name ?? "public" }
    let names = store.catalog.mostRecent.map(\.table.table.name)
    try await store.pool.withConnection { connection in
      let tables = try await connection.query(
        """
        SELECT n.nspname::text, c.relname::text
        FROM unnest(\(schemas), \(names)) AS r (schema, name)
        JOIN pg_namespace AS n ON n.nspname = r.schema
        JOIN pg_class AS c ON c.relnamespace = n.oid AND starts_with(c.relname::text, r.name || '_')
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname ~ \(Loading.mark + "[0-9]+$")
          AND NOT EXISTS (
            SELECT FROM rollup.runs AS r
            WHERE r.number = substring(c.relname FROM '[0-9]+$')::bigint AND r.finished_at IS NULL
          )
        """
      ).map { row in
        let (schema, name) = try row.decode((String, String).self)
        return TableName(schema: Identifier(schema), Identifier(name))
      }
      for table in tables {
        do {
          try await connection.transaction(.readCommitted, retrying: .lockTimeout) { tx in
            try await tx.execute("SET LOCAL lock_timeout = '200ms'")
            try await tx.execute(Query(text: "DROP TABLE IF EXISTS \(table)"))
          }
        } catch let error as PostgresError where error.sqlState == .lockNotAvailable {}
      }
    }
  }
}
