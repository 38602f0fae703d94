/// A name of the database: of a table, a column, an index.
public struct Identifier: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  public let name: String

  public init(_ name: String) { self.name = name }
  public init(stringLiteral name: String) { self.name = name }

  /// The name as SQL text: the only place in the project that quotes an identifier.
  ///
  /// Plain lower-case names stay bare so that printed statements read as one would write them; everything else,
  /// and every word PostgreSQL reserves, is put in double quotes (PostgreSQL manual, 4.1.1).
  public var quoted: String {
    let plain = name.utf8.enumerated().allSatisfy { index, byte in
      (0x61...0x7A).contains(byte) || byte == 0x5F || (index > 0 && (0x30...0x39).contains(byte))
    }
    if plain, !name.isEmpty, !Self.reserved.contains(name) { return name }
    return "\"" + name.replacing("\"", with: "\"\"") + "\""
  }

  public var description: String { quoted }

  /// Reserved in some position by PostgreSQL 15 (its manual, appendix C, columns "PostgreSQL": reserved).
  private static let reserved: Set<String> = [
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization",
    "between", "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character",
    "check", "coalesce", "collate", "collation", "column", "concurrently", "constraint", "create",
    "cross", "current_catalog", "current_date", "current_role", "current_schema", "current_time",
    "current_timestamp", "current_user", "dec", "decimal", "default", "deferrable", "desc",
    "distinct", "do", "else", "end", "except", "exists", "extract", "false", "fetch", "float",
    "for", "foreign", "freeze", "from", "full", "grant", "greatest", "group", "grouping", "having",
    "ilike", "in", "initially", "inner", "inout", "int", "integer", "intersect", "interval", "into",
    "is", "isnull", "join", "lateral", "leading", "least", "left", "like", "limit", "localtime",
    "localtimestamp", "national", "natural", "nchar", "none", "normalize", "not", "notnull", "null",
    "nullif", "numeric", "offset", "on", "only", "or", "order", "out", "outer", "overlaps",
    "overlay", "placing", "position", "precision", "primary", "real", "references", "returning",
    "right", "row", "select", "session_user", "setof", "similar", "smallint", "some", "substring",
    "symmetric", "table", "tablesample", "then", "time", "timestamp", "to", "trailing", "treat",
    "trim", "true", "union", "unique", "user", "using", "values", "varchar", "variadic", "verbose",
    "when", "where", "window", "with", "xmlattributes", "xmlconcat", "xmlelement", "xmlexists",
    "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable",
  ]
}

/// A table, with its schema where it is not left to the search path.
public struct TableName: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  public let schema: Identifier?
  public let table: Identifier

  public init(schema: Identifier? = nil, _ table: Identifier) {
    self.schema = schema
    self.table = table
  }

  /// `"patients"` or `"rollup.periods"`.
  public init(stringLiteral name: String) {
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    self.schema = parts.count == 2 ? Identifier(parts[0]) : nil
    self.table = Identifier(parts.last ?? name)
  }

  /// A table beside this one whose name is this one's and a suffix: a partition.
  public func suffixed(_ suffix: String) -> TableName {
    TableName(schema: schema, Identifier(table.name + suffix))
  }

  public var description: String {
    schema.map { "\($0.quoted).\(table.quoted)" } ?? table.quoted
  }
}
