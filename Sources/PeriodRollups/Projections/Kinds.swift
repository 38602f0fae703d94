/// The ways to declare a projection.
extension Projection {
  /// Rows that are nowhere but in their inputs: a source, filtered or renamed.
  /// - Parameter scopes: all columns unless it does more than choose rows.
  public static func virtual(
    _ name: String, columns: [Column], scopes: [Column]? = nil,
    _ derivation: @escaping @Sendable () -> Derivation
  ) -> Projection {
    Projection(
      name, table: nil, columns: columns, key: [], scopes: scopes ?? columns, unit: nil,
      options: Options(), kind: .virtual, derivations: { [derivation()] })
  }

  /// Rows that queries give, each over an input or several.
  /// - Parameters:
  ///   - unit: one of the key's columns.
  ///   - derivations: with several, ``Conflict/ifNewer(by:)`` says whose row stands.
  public static func derived(
    _ name: String, table: TableName, columns: [Column], key: [Column], scopes: [Column],
    unit: Column?, options: Options = Options(),
    _ derivations: @escaping @Sendable () -> [Derivation]
  ) -> Projection {
    Projection(
      name, table: table, columns: columns, key: key, scopes: scopes, unit: unit,
      options: options, kind: .derived, derivations: derivations)
  }

  /// Rows that Swift makes of the rows of a query, in batches; the program that runs the graph brings the function.
  public static func streamed(
    _ name: String, table: TableName, columns: [Column], key: [Column], scopes: [Column],
    unit: Column?, options: Options = Options(), _ derivation: @escaping @Sendable () -> Derivation
  ) -> Projection {
    Projection(
      name, table: table, columns: columns, key: key, scopes: scopes, unit: unit,
      options: options, kind: .streamed, derivations: { [derivation()] })
  }

  /// The most recent row of each group, of each group and period where periods are given.
  /// - Parameters:
  ///   - by: the greatest wins; the first is the time when there are periods. End with what is unique.
  ///   - scopes: the columns of `per` unless others are given.
  public static func mostRecent(
    _ name: String, table: TableName, of input: some Derivable, per group: [Column], by: [Column],
    keeping kept: [Column] = [], periods: [PeriodType] = [], scopes: [Column]? = nil,
    unit: Column?, options: Options = Options()
  ) -> Projection {
    let key = group + (periods.isEmpty ? [] : [MostRecent.periodType, MostRecent.periodStart])
    let columns = key + by + kept
    return Projection(
      name, table: table, columns: columns, key: key, scopes: scopes ?? group, unit: unit,
      options: options, kind: .derived
    ) {
      [
        """
        SELECT DISTINCT ON (\(names(key))) \(names(columns))
        FROM (
          \(grouped(input, periods, at: by[0]))
        ) AS c
        ORDER BY \(names(key)), \(.joined((by + kept).map { "\($0) DESC" }))
        """
      ]
    }
  }

  /// How many rows each group has, each group and period where periods are given.
  /// - Parameter time: what decides the period.
  public static func count(
    _ name: String, table: TableName, of input: some Derivable, per group: [Column],
    as count: Column, periods: [PeriodType] = [], at time: Column? = nil,
    scopes: [Column]? = nil, unit: Column?, options: Options = Options()
  ) -> Projection {
    let key = group + (periods.isEmpty ? [] : [MostRecent.periodType, MostRecent.periodStart])
    let time = time ?? group[0]
    return Projection(
      name, table: table, columns: key + [count], key: key, scopes: scopes ?? group, unit: unit,
      options: options, kind: .derived
    ) {
      [
        """
        SELECT \(names(key)), count(*) AS \(count)
        FROM (
          \(grouped(input, periods, at: time))
        ) AS c
        GROUP BY \(names(key))
        """
      ]
    }
  }

  /// The input's rows, once for each period they are in.
  private static func grouped(_ input: some Derivable, _ periods: [PeriodType], at time: Column)
    -> Derivation
  {
    guard !periods.isEmpty else { return "SELECT i.* FROM \(input) AS i" }
    return """
      SELECT i.*, p.period_type, p.period_start
      FROM \(input) AS i
      CROSS JOIN LATERAL \(MostRecent.periods(periods, at: time.instant(of: "i"))) AS p (period_type, period_start)
      WHERE \(time.hasPeriod(in: "i"))
      """
  }

  /// A rollup of the write path, as a projection that others can read and that can be derived anew and verified.
  public init(_ rollup: MostRecent) {
    self.init(
      rollup.name, table: rollup.table, columns: rollup.key + rollup.content, key: rollup.key,
      scopes: [rollup.subjectID], unit: rollup.subjectID, options: Options(),
      kind: .rollup(rollup),
      derivations: {
        [Self.reading([Table(rollup.subject)] + rollup.inputs.map { Table($0.source) })]
      })
  }

  /// A register of the write path.
  public init(_ register: Register) {
    self.init(
      register.name, table: register.table, columns: [register.subjectID] + register.content,
      key: [register.subjectID], scopes: [register.subjectID], unit: register.subjectID,
      options: Options(), kind: .register(register),
      derivations: { [Self.reading([Table(register.subject)])] })
  }

  /// A count of the write path. Its rows are changes, to be added up.
  public init(_ count: PeriodCount) {
    let key = [MostRecent.periodType, MostRecent.periodStart, count.group]
    self.init(
      count.name, table: count.table, columns: key + [PeriodCount.change], key: key, scopes: [],
      unit: nil, options: Options(isWhole: true), kind: .periodCount(count),
      derivations: { [Self.reading([Table(count.subject)])] })
  }

  /// Names inputs of what is derived by statements of its own.
  private static func reading(_ tables: [Table]) -> Derivation {
    tables.dropFirst().reduce("\(tables[0])") { "\($0), \($1)" }
  }
}

extension Table {
  /// A source of events, as a table that projections read.
  public init(_ source: Source) {
    self.init(source.name, table: source.table, columns: source.columns)
  }

  /// The subjects, as a table that projections read; the key goes by the name that it has in the rollups.
  public init(_ subject: Subject) {
    let key = Column(Identifier("\(subject.name)_id"), subject.id.type)
    self.init(
      subject.name, table: subject.table, columns: [key] + subject.values,
      stored: [key.name: subject.id.name])
  }
}
