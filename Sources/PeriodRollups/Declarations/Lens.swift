/// The scope a statement works on, as a condition on the subject's key.
public enum Lens: Hashable, Sendable {
  /// Every subject. Asked for by name because it reads everything.
  case everything
  /// The subjects whose keys are given as an array.
  case subjects
  /// The subjects from a key (itself included) up to another (itself not); an end that is not bounded is open.
  case chunk(bounded: Bounds)
  /// The subjects whose keys are given as an array of texts.
  case named
  /// The subjects of source rows.
  case subjectsOf(RowSet, Source)
  /// The subjects of the rows in a staging table.
  case staged(TableName, Column)

  /// The ends of a chunk that are given.
  public struct Bounds: OptionSet, Hashable, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    public static let below = Bounds(rawValue: 1)
    public static let above = Bounds(rawValue: 2)
  }

  /// The keys of its subjects, as an array.
  func keys(of subject: Subject) -> SQL {
    switch self {
    case .subjects: "\(Parameter.subjects(subject.id.type))"
    case .subjectsOf(let rows, let source):
      "ARRAY(SELECT DISTINCT a.subject_id FROM \(rows.relation(of: source, as: "a")))"
    case .staged(let table, let column): "ARRAY(SELECT DISTINCT \(column) FROM \(table))"
    // Also of those who are not there.
    case .named: "(\(Parameter("keys", .array(.text))))::\(subject.id.type)[]"
    case .everything, .chunk:
      """
      ARRAY(
        SELECT \(subject.id.of("k")) FROM \(subject.table) AS k
        WHERE \(condition(on: subject.id.of("k"), subject.id.type))
      )
      """
    }
  }

  func condition(on key: SQL, _ type: ColumnType) -> SQL {
    switch self {
    case .everything: return "true"
    case .subjects: return "\(key) = ANY (\(Parameter.subjects(type)))"
    case .named:
      return "\(key) = ANY ((\(Parameter("keys", .array(.text))))::\(type)[])"
    case .subjectsOf(let rows, let source):
      return "\(key) IN (SELECT a.subject_id FROM \(rows.relation(of: source, as: "a")))"
    case .staged(let table, let column): return "\(key) IN (SELECT \(column) FROM \(table))"
    case .chunk(let bounds):
      var ends: [SQL] = []
      if bounds.contains(.below) { ends.append("\(key) >= \(Parameter.firstSubject(type))") }
      if bounds.contains(.above) { ends.append("\(key) < \(Parameter.endSubject(type))") }
      return ends.isEmpty ? "true" : .joined(ends, " AND ")
    }
  }
}

/// The source rows a statement works on.
public enum RowSet: Hashable, Sendable {
  /// Rows whose keys are given as two arrays, of subjects and of ids.
  case given
  /// The rows of a staging table that the source already has, in another form.
  case changed(TableName)

  /// The rows' keys, as a relation with the columns `subject_id` and `row_id`.
  func relation(of source: Source, as alias: Identifier) -> SQL {
    switch self {
    case .given:
      """
      unnest(\(Parameter.subjects(source.subject.type)), \(Parameter.rows(source.id.type))) \
      AS \(alias) (subject_id, row_id)
      """
    case .changed(let staging):
      """
      (SELECT \(source.subject), \(source.id) FROM \(staging) WHERE known) \
      AS \(alias) (subject_id, row_id)
      """
    }
  }
}
