/// The tables of the rollups, derived from their declarations.
public protocol PeriodTable {
  var name: String { get }
  var table: TableName { get }
  var periods: [PeriodType] { get }
  /// What makes the parent table and its indexes.
  var create: [Statement] { get }
  /// What makes the table of what closed periods could not take.
  var createLate: [Statement] { get }
  /// What makes the function that guards closed periods.
  var createGuard: Statement { get }
  /// Brings a closed period to what is known now, for a restatement.
  func takeIn(_ period: Period) -> [Statement]
}

extension PeriodTable {
  /// The table of one type's periods: between the parent and the partitions.
  func table(of type: PeriodType) -> TableName { table.suffixed("_\(type.rawValue)s") }

  /// The partition of one period: `…_months_2024_06`, `…_quarters_2024_q2`.
  public func partition(of period: Period) -> TableName {
    let suffix = period.description.lowercased().map { $0 == "-" ? "_" : String($0) }.joined()
    return table(of: period.type).suffixed("_" + suffix.replacing("q", with: "_q"))
  }

  /// Where rows of periods without a partition are: dates of 1914 and 2062.
  public func remainder(of type: PeriodType) -> TableName { table(of: type).suffixed("_others") }

  /// The tables between the parent and the partitions, and the ones that take what has no partition.
  func createTypes(with storage: SQL) -> [Statement] {
    periods.map { type in
      Statement(
        "make the \(type.rawValue)s of \(name)",
        """
        CREATE TABLE IF NOT EXISTS \(table(of: type)) PARTITION OF \(table)
        FOR VALUES IN (\(literal: .init(type))) PARTITION BY RANGE (period_start)
        """)
    }
      + periods.map { type in
        Statement(
          "make the partition of \(name) for \(type.rawValue)s out of range",
          """
          CREATE TABLE IF NOT EXISTS \(remainder(of: type)) PARTITION OF \(table(of: type)) DEFAULT
          \(storage)
          """)
      }
  }

  /// Makes the partition of a period beside the others, moves in what rows the remainder has of it, and attaches it.
  /// Attaching locks the remainder only, so writers of other periods go on.
  public func createPartition(of period: Period) -> [Statement] {
    let partition = partition(of: period)
    let bounds: SQL = """
      period_start >= \(literal: .init(period.start))::date AND period_start < \(literal: .init(period.end))::date
      """
    return [
      Statement(
        "make the table",
        """
        CREATE TABLE \(partition) (LIKE \(table(of: period.type)) INCLUDING ALL)
        \(Self.storage)
        """),
      Statement(
        "say what it holds, so that attaching need not look",
        """
        ALTER TABLE \(partition) ADD CONSTRAINT period
        CHECK (period_type = \(literal: .init(period.type)) AND \(bounds))
        """),
      Statement(
        "keep writers of dates out of range waiting",
        "LOCK TABLE \(remainder(of: period.type)) IN ACCESS EXCLUSIVE MODE"),
      Statement(
        "move in what came before it",
        """
        WITH moved AS (DELETE FROM \(remainder(of: period.type)) WHERE \(bounds) RETURNING \(copied))
        INSERT INTO \(partition) (\(copied)) SELECT \(copied) FROM moved
        """),
      Statement(
        "attach it",
        """
        ALTER TABLE \(table(of: period.type)) ATTACH PARTITION \(partition)
        FOR VALUES FROM (\(literal: .init(period.start))) TO (\(literal: .init(period.end)))
        """),
      // Every statement that writes to the partition would parse it again.
      Statement("it has been said", "ALTER TABLE \(partition) DROP CONSTRAINT period"),
    ]
  }

  /// A rollup row is updated in place (HOT) as long as its page has room, so pages are left a fifth empty.
  static var storage: SQL { "WITH (fillfactor = 80)" }

  private var copied: SQL { names(storedColumns) }
  fileprivate var storedColumns: [Column] {
    switch self {
    case let rollup as MostRecent: rollup.key + rollup.content + MostRecent.named
    case let count as PeriodCount:
      [MostRecent.periodType, MostRecent.periodStart, count.group, PeriodCount.change]
    default: []
    }
  }
}

/// `year` and `period_name` follow from the period, so PostgreSQL computes them and they cannot disagree with it.
///
/// Not so in ``MostRecent``, where ``MostRecent/upsert(_:_:)`` computes them: PostgreSQL parses the expression of a generated
/// column in every statement anew, for every partition it writes, which was a fifth of what a reading cost the server.
private let derivedColumns: SQL = """
  year integer NOT NULL GENERATED ALWAYS AS (extract(year FROM period_start)::integer) STORED,
  period_name text NOT NULL GENERATED ALWAYS AS (
    lpad(extract(year FROM period_start)::text, 4, '0') || CASE period_type
      WHEN 'M' THEN '-' || lpad(extract(month FROM period_start)::text, 2, '0')
      WHEN 'Q' THEN 'Q' || extract(quarter FROM period_start)::text
    END) STORED
  """

extension MostRecent: PeriodTable {
  public var create: [Statement] {
    let contentColumns = content.map { column -> SQL in
      ranking.contains(column) ? "\(column) \(column.type) NOT NULL" : "\(column) \(column.type)"
    }
    return [
      Statement(
        "make \(name)",
        """
        CREATE TABLE IF NOT EXISTS \(table) (
          period_type "char" NOT NULL,
          period_start date NOT NULL,
          \(subjectID) \(subjectID.type) NOT NULL,
          \(.joined(contentColumns, ",\n")),
          \(.joined(Self.named.map { "\($0) \($0.type) NOT NULL" }, ",\n")),
          PRIMARY KEY (\(names(key)))
        ) PARTITION BY LIST (period_type)
        """)
    ] + indexes + createTypes(with: Self.storage)
  }

  /// The key is in the index, so that who has a row is known without the table; and no column of it is ever updated but by
  /// a transfer, so the most recent event is still replaced in place (HOT).
  private var indexes: [Statement] {
    guard let column = selectedBy else { return [] }
    return [
      Statement(
        "index it by \(column.name.name), which reports select by",
        """
        CREATE INDEX IF NOT EXISTS \(Identifier(table.table.name + "_by_" + column.name.name)) ON \(table) (\(column))
        INCLUDE (\(names(key)))
        """)
    ]
  }
}

extension PeriodCount: PeriodTable {
  public var create: [Statement] {
    [
      Statement(
        "make \(name)",
        """
        CREATE TABLE IF NOT EXISTS \(table) (
          period_type "char" NOT NULL,
          period_start date NOT NULL,
          \(group) \(group.type) NOT NULL,
          \(Self.change) \(Self.change.type) NOT NULL,
          \(derivedColumns)
        ) PARTITION BY LIST (period_type)
        """),
      Statement(
        "index it by what it counts by",
        """
        CREATE INDEX IF NOT EXISTS \(Identifier(table.table.name + "_by_group")) ON \(table) (\(group), period_start)
        INCLUDE (\(Self.change))
        """),
    ] + createTypes(with: Self.storage)
  }
}

extension Register {
  public var create: [Statement] {
    [
      Statement(
        "make \(name)",
        """
        CREATE TABLE IF NOT EXISTS \(table) (
          \(subjectID) \(subjectID.type) PRIMARY KEY,
          \(.joined(content.map { "\($0) \($0.type)" }, ",\n"))
        )
        """)
    ]
      + selectedBy.map { column in
        Statement(
          "index it by \(column.name.name), which reports select by, with all they read",
          """
          CREATE INDEX IF NOT EXISTS \(Identifier(table.table.name + "_by_" + column.name.name))
          ON \(table) (\(column))
          INCLUDE (\(names([subjectID] + content.filter { $0 != column })))
          """)
      }
  }
}

extension Catalog {
  /// The rollups that are partitioned by period.
  public var periodTables: [any PeriodTable] { mostRecent + counts }

  /// The rollups that have a period, in the order in which every writer locks their partitions: counts first.
  public func closingOrder(of period: Period) -> [any PeriodTable] {
    (counts + mostRecent as [any PeriodTable]).filter { $0.periods.contains(period.type) }
  }

  /// The "most recent" rollups that have a period.
  public func mostRecent(of period: Period) -> [MostRecent] {
    mostRecent.filter { $0.periods.contains(period.type) }
  }

  /// What makes all tables, in order; harmless where they are.
  public var create: [Statement] {
    periodTables.flatMap(\.create) + registers.flatMap(\.create) + Ledger(self).create
      + periodTables.flatMap { $0.createLate + [$0.createGuard] }
  }
}
