/// What a database has, as far as ``SchemaPlan`` asks: read from its catalogue by the store.
public struct FoundSchema: Sendable {
  /// By schema and name without quotes: `rollup.blood_pressure_rollups`.
  public var tables: [String: Table] = [:]
  /// The bodies of functions, by schema and name.
  public var functions: [String: String] = [:]
  /// What the digests of editions are over, by table; nil where a database older than that record has editions: then
  /// every column is.
  public var columnsOfEditions: [String: Set<String>]? = [:]
  /// The period types that editions have, by table.
  public var typesOfEditions: [String: Set<String>] = [:]
  /// What has an entry in `rollup.readiness`.
  public var readiness: Set<ReadinessItem> = []

  public init() {}

  public struct Table: Sendable {
    public var columns: [FoundColumn] = []
    public var indexes: [FoundIndex] = []
    /// Of a partition.
    public var parent: String?
    public var isPartitioned = false

    public init() {}

    func column(_ name: Identifier) -> FoundColumn? { columns.first { $0.name == name.name } }
    func index(_ name: Identifier) -> FoundIndex? { indexes.first { $0.name == name.name } }
  }

  public struct FoundColumn: Sendable, Hashable {
    public let name: String
    /// As ``ColumnType/sql`` has it.
    public let type: String
    public let isRequired: Bool

    public init(name: String, type: String, isRequired: Bool) {
      self.name = name
      self.type = type
      self.isRequired = isRequired
    }
  }

  public struct FoundIndex: Sendable, Hashable {
    public let name: String
    /// False for one that CREATE INDEX CONCURRENTLY has left behind, and for a parent's that lacks a partition.
    public let isValid: Bool
    /// The parent's index that it is attached to.
    public let parent: String?
    /// Of key columns and included ones, in order.
    public let columns: [String]

    public init(name: String, isValid: Bool, parent: String?, columns: [String]) {
      self.name = name
      self.isValid = isValid
      self.parent = parent
      self.columns = columns
    }
  }

  func table(_ name: TableName) -> Table? { tables[name.qualified] }

  /// The partitions of a table, by name.
  func partitions(of name: String) -> [(name: String, table: Table)] {
    tables.filter { $0.value.parent == name }.map { (name: $0.key, table: $0.value) }
      .sorted { $0.name < $1.name }
  }

  /// The tables in which rows of restated editions are kept: `…_edition_1`.
  func keptEditions(of name: TableName) -> [TableName] {
    let prefix = name.qualified + "_"
    return tables.keys.filter { key in
      guard key.hasPrefix(prefix), let edition = key.range(of: "_edition_", options: .backwards)
      else { return false }
      return !key[edition.upperBound...].isEmpty
        && key[edition.upperBound...].allSatisfy(\.isNumber)
    }.sorted().map(TableName.init(qualified:))
  }
}

/// Something that is readable or not: the rows of a period type, or a column, of a rollup.
public struct ReadinessItem: Hashable, Sendable {
  /// The rollup's name.
  public let rollup: String
  public let kind: Kind
  /// The code of the period type, or the column's name.
  public let name: String

  public enum Kind: String, Sendable { case periods, column }

  public init(_ rollup: String, _ kind: Kind, _ name: String) {
    self.rollup = rollup
    self.kind = kind
    self.name = name
  }
}

extension TableName {
  /// As the database's catalogue has it, without quotes.
  public var qualified: String { "\(schema?.name ?? "public").\(table.name)" }

  /// From ``qualified``.
  public init(qualified name: String) {
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    self.init(
      schema: parts.count == 2 && parts[0] != "public" ? Identifier(parts[0]) : nil,
      Identifier(parts.last ?? name))
  }
}
