/// What must hold of a row for it to count: the soft-delete convention of an application, and its like.
public indirect enum Condition: Hashable, Sendable {
  case always
  /// `deleted_at IS NULL`
  case isNull(Column)
  /// `hypertensive`
  case isTrue(Column)
  /// `NOT deleted`; NULL counts as false.
  case isNotTrue(Column)
  /// `status IS DISTINCT FROM 'entered-in-error'`
  case differs(Column, from: String)
  case all([Condition])

  /// The columns it looks at.
  public var columns: [Column] {
    switch self {
    case .always: []
    case .isNull(let column), .isTrue(let column), .isNotTrue(let column): [column]
    case .differs(let column, _): [column]
    case .all(let conditions): conditions.flatMap(\.columns)
    }
  }

  /// What makes a row stop to count (`deleted_at = now()`), as an assignment; nil where nothing can.
  var ending: SQL? {
    switch self {
    case .always, .isTrue: nil
    case .isNull(let column): "\(column) = now()"
    case .isNotTrue(let column): "\(column) = true"
    case .differs(let column, let value):
      "\(column) = \(Parameter("\(column.name.name)_is_not", column.type, constant: value))"
    case .all(let conditions): conditions.lazy.compactMap(\.ending).first
    }
  }

  /// What undoes ``ending``.
  var beginning: SQL? {
    switch self {
    case .always, .isTrue: nil
    case .isNull(let column): "\(column) = NULL"
    case .isNotTrue(let column): "\(column) = false"
    case .differs(let column, _): "\(column) = NULL"
    case .all(let conditions): conditions.lazy.compactMap(\.beginning).first
    }
  }

  func sql(of alias: Identifier) -> SQL {
    switch self {
    case .always: "true"
    case .isNull(let column): "\(column.of(alias)) IS NULL"
    case .isTrue(let column): "\(column.of(alias)) IS TRUE"
    case .isNotTrue(let column): "\(column.of(alias)) IS NOT TRUE"
    case .differs(let column, let value):
      "\(column.of(alias)) IS DISTINCT FROM \(Parameter("\(column.name.name)_is_not", column.type, constant: value))"
    case .all(let conditions): .joined(conditions.map { $0.sql(of: alias) }, " AND ")
    }
  }
}
