/// A table as the declarations want it: what `rollup migrate` makes, or brings an older one to.
public struct TableShape: Sendable {
  /// What making it is called: `make blood-pressure`.
  let purpose: String
  let table: TableName
  let columns: [ShapedColumn]
  let key: [Column]
  /// Such as `LIST (period_type)`; nil for a table that is not partitioned.
  let partitioning: SQL?
  let indexes: [IndexShape]

  init(
    _ purpose: String, _ table: TableName, columns: [ShapedColumn], key: [Column] = [],
    partitionedBy partitioning: SQL? = nil, indexes: [IndexShape] = []
  ) {
    self.purpose = purpose
    self.table = table
    self.columns = columns
    self.key = key
    self.partitioning = partitioning
    self.indexes = indexes
  }

  /// What makes the table and its indexes; harmless where they are.
  var create: [Statement] {
    let lines = columns.map(\.definition) + (key.isEmpty ? [] : ["PRIMARY KEY (\(names(key)))"])
    let partitioned: SQL = partitioning.map { " PARTITION BY \($0)" } ?? ""
    return [
      Statement(
        purpose,
        """
        CREATE TABLE IF NOT EXISTS \(table) (
          \(.joined(lines, ",\n"))
        )\(partitioned)
        """)
    ] + indexes.map { $0.create(on: "\(table)") }
  }
}

/// A column of a ``TableShape``.
struct ShapedColumn: Sendable {
  let column: Column
  /// A row must have it. Such a column cannot be added to a table that has rows.
  let isRequired: Bool
  /// What follows name, type and NOT NULL.
  let suffix: SQL

  init(_ column: Column, required isRequired: Bool = false, _ suffix: SQL = "") {
    self.column = column
    self.isRequired = isRequired
    self.suffix = suffix
  }

  var definition: SQL {
    let required: SQL = isRequired ? " NOT NULL" : ""
    return "\(column) \(column.type)\(required)\(suffix)"
  }
}

/// An index of a ``TableShape``.
struct IndexShape: Sendable {
  /// What it is for: `index it by assigned_facility_id, which reports select by`.
  let purpose: String
  let name: Identifier
  let isUnique: Bool
  let columns: [Column]
  let including: [Column]

  init(
    _ purpose: String, _ name: Identifier, on columns: [Column], including: [Column] = [],
    unique isUnique: Bool = false
  ) {
    self.purpose = purpose
    self.name = name
    self.isUnique = isUnique
    self.columns = columns
    self.including = including
  }

  /// The definition of it under a name: on a table, on the parent `ONLY`, on a partition.
  func definition(_ how: SQL, _ name: Identifier, on relation: SQL) -> SQL {
    let included: SQL = including.isEmpty ? "" : " INCLUDE (\(names(including)))"
    let kind: SQL = isUnique ? "UNIQUE INDEX" : "INDEX"
    return """
      CREATE \(kind) \(how)\(name) ON \(relation) (\(names(columns)))\(included)
      """
  }

  func create(on relation: SQL) -> Statement {
    Statement(purpose, definition("IF NOT EXISTS ", name, on: relation))
  }
}

extension Identifier {
  /// A name of at most 63 bytes, PostgreSQL's limit; one that is cut keeps a digest of the whole.
  static func short(_ name: String) -> Identifier {
    guard name.utf8.count > 63 else { return Identifier(name) }
    // FNV-1a, 32 bits.
    let digest = name.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    let hexadecimal = String(digest, radix: 16)
    return Identifier(
      String(decoding: name.utf8.prefix(54), as: UTF8.self) + "_"
        + String(repeating: "0", count: 8 - hexadecimal.count) + hexadecimal)
  }
}
