/// The tables of the rollups, derived from their declarations.
public protocol PeriodTable: Sendable {
  var name: String { get }
  var table: TableName { get }
  var periods: [PeriodType] { get }
  /// The parent table.
  var shape: TableShape { get }
  /// The table of what closed periods could not take.
  var lateShape: TableShape { get }
  /// What the digest of an edition is over: the columns of a line, in order.
  var lineColumns: [Column] { get }
  /// The column that says which place a line belongs to.
  var place: Column { get }
  /// The function that guards closed periods; ``makeGuard`` makes it.
  var createGuard: Statement { get }
  /// Makes the function that brings late rows to what the sources say; none where there is none.
  var createSettling: [Statement] { get }
  /// Brings a closed period to what is known now, for a restatement.
  func takeIn(_ period: Period) -> [Statement]
}

extension PeriodTable {
  /// What makes the parent table, its indexes, and what is between it and the partitions.
  public var create: [Statement] { shape.create + createTypes(with: Self.storage) }
  /// What makes the table of what closed periods could not take.
  public var createLate: [Statement] { lateShape.create }

  /// The table of one type's periods: between the parent and the partitions.
  func table(of type: PeriodType) -> TableName { table.ofPeriods(type) }

  /// The partition of one period: `…_months_2024_06`, `…_quarters_2024_q2`.
  public func partition(of period: Period) -> TableName { table.partition(of: period) }

  /// Where rows of periods without a partition are: dates of 1914 and 2062.
  public func remainder(of type: PeriodType) -> TableName { table(of: type).suffixed("_others") }

  /// The tables between the parent and the partitions, and the ones that take what has no partition.
  func createTypes(with storage: SQL) -> [Statement] {
    periods.map { type in
      Statement(
        "make the \(type.plural) of \(name)",
        """
        CREATE TABLE IF NOT EXISTS \(table(of: type)) PARTITION OF \(table)
        FOR VALUES IN (\(literal: .init(type))) PARTITION BY RANGE (period_start)
        """)
    } + periods.map { createRemainder(of: $0, with: storage) }
  }

  private func createRemainder(of type: PeriodType, with storage: SQL) -> Statement {
    Statement(
      "make the partition of \(name) for \(type.plural) out of range",
      """
      CREATE TABLE IF NOT EXISTS \(remainder(of: type)) PARTITION OF \(table(of: type)) DEFAULT
      \(storage)
      """)
  }

  /// Gives the rollup another type of periods: its tables are made beside the others and attached, which writers need
  /// not wait for.
  func add(_ type: PeriodType) -> [Statement] {
    [
      Statement(
        "make the \(type.plural) of \(name)",
        """
        CREATE TABLE \(table(of: type)) (LIKE \(table) INCLUDING ALL) PARTITION BY RANGE (period_start)
        """),
      createRemainder(of: type, with: Self.storage),
      Statement(
        "attach them",
        """
        ALTER TABLE \(table) ATTACH PARTITION \(table(of: type)) FOR VALUES IN (\(literal: .init(type)))
        """),
    ]
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

extension TableName {
  func ofPeriods(_ type: PeriodType) -> TableName { suffixed("_\(type.tableWord)") }

  /// The partition of a period, of a rollup's parent table.
  public func partition(of period: Period) -> TableName {
    let suffix = period.description.lowercased().map { character in
      switch character {
      case "-": "_"
      case "q", "h": "_\(character)"
      default: String(character)
      }
    }
    return ofPeriods(period.type).suffixed("_" + suffix.joined())
  }

  /// Where the rows of an edition are kept once it is restated.
  public func edition(_ edition: Int, of period: Period) -> TableName {
    partition(of: period).suffixed("_edition_\(edition)")
  }
}

extension MostRecent: PeriodTable {
  public var shape: TableShape {
    TableShape(
      "make \(name)", table,
      columns: keyColumns + content.map { ShapedColumn($0, required: ranking.contains($0)) }
        + Self.named.map { ShapedColumn($0, required: true) },
      key: key, partitionedBy: "LIST (period_type)", indexes: indexes)
  }

  var keyColumns: [ShapedColumn] {
    [Self.periodType, Self.periodStart, subjectID].map { ShapedColumn($0, required: true) }
  }

  public var lineColumns: [Column] { [subjectID] + content }
  public var place: Column { selectedBy ?? subjectID }

  /// The key is in the index, so that who has a row is known without the table; and no column of it is ever updated but by
  /// a transfer, so the most recent event is still replaced in place (HOT).
  private var indexes: [IndexShape] {
    guard let column = selectedBy else { return [] }
    return [
      IndexShape(
        "index it by \(column.name.name), which reports select by",
        Identifier(table.table.name + "_by_" + column.name.name), on: [column], including: key)
    ]
  }
}

extension PeriodCount {
  /// No programme has a thousand million subjects: a change beyond that is a mistake, whose sums nothing could hold.
  static var shapedChange: ShapedColumn {
    ShapedColumn(change, required: true, " CHECK (change BETWEEN -1000000000 AND 1000000000)")
  }
}

extension PeriodCount: PeriodTable {
  public var shape: TableShape {
    TableShape(
      "make \(name)", table,
      columns: [
        ShapedColumn(MostRecent.periodType, required: true),
        ShapedColumn(MostRecent.periodStart, required: true),
        ShapedColumn(group, required: true), Self.shapedChange,
      ],
      partitionedBy: "LIST (period_type)",
      indexes: [
        IndexShape(
          "index it by what it counts by", Identifier(table.table.name + "_by_group"),
          on: [group, MostRecent.periodStart], including: [Self.change])
      ])
  }

  public var lineColumns: [Column] { [group, Self.change] }
  public var place: Column { group }
}

extension Register {
  var shape: TableShape {
    TableShape(
      "make \(name)", table,
      columns: [ShapedColumn(subjectID, required: true)] + content.map { ShapedColumn($0) },
      key: [subjectID],
      indexes: selectedBy.map { column in
        IndexShape(
          "index it by \(column.name.name), which reports select by, with all they read",
          Identifier(table.table.name + "_by_" + column.name.name), on: [column],
          including: [subjectID] + content.filter { $0 != column })
      })
  }

  public var create: [Statement] { shape.create }
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
}
