extension Projection {
  /// The scope of a materialisation: values of columns.
  ///
  /// It narrows every input that has the column, all the way down the graph, so the same declarations serve one patient
  /// and a whole organisation.
  ///
  /// ```swift
  /// .where(patientID, is: id)
  /// .where(organizationID, is: clinic).and(patientID, in: patients)
  /// .where(organizationID, within: 1..<5)
  /// .where(organizationID, is: clinic).and(patientID) { isInTrial($0) }
  /// .everything
  /// ```
  public struct Lens: Sendable {
    public private(set) var filters: [Filter] = []
    /// What SQL cannot say, of a projection's unit.
    public private(set) var predicates: [Predicate] = []

    private init() {}

    /// No limit at all. Asked for by name, because it reads everything.
    public static var everything: Lens { Lens() }

    public var isEverything: Bool { filters.isEmpty && predicates.isEmpty }

    public static func `where`<V>(_ field: Field<V>, is value: V) -> Lens {
      everything.and(field, is: value)
    }
    public static func `where`<V>(_ field: Field<V>, in values: some Sequence<V>) -> Lens {
      everything.and(field, in: values)
    }
    public static func `where`<V: Comparable>(_ field: Field<V>, within range: Range<V>) -> Lens {
      everything.and(field, within: range)
    }
    /// From a value on, itself included.
    public static func `where`<V: Comparable>(_ field: Field<V>, within range: PartialRangeFrom<V>)
      -> Lens
    {
      everything.and(field, within: range)
    }
    public static func `where`<V>(
      _ field: Field<V>, _ isIncluded: @escaping @Sendable (V) -> Bool
    ) -> Lens {
      everything.and(field, isIncluded)
    }

    public func and<V>(_ field: Field<V>, is value: V) -> Lens {
      and(Filter(field.column, .equals(value.fieldText)))
    }
    public func and<V>(_ field: Field<V>, in values: some Sequence<V>) -> Lens {
      and(Filter(field.column, .oneOf(values.map(\.fieldText))))
    }
    public func and<V: Comparable>(_ field: Field<V>, within range: Range<V>) -> Lens {
      and(Filter(field.column, .from(range.lowerBound.fieldText)))
        .and(Filter(field.column, .before(range.upperBound.fieldText)))
    }
    public func and<V: Comparable>(_ field: Field<V>, within range: PartialRangeFrom<V>) -> Lens {
      and(Filter(field.column, .from(range.lowerBound.fieldText)))
    }
    /// Only the units for which a function says so; it is asked once for each unit that the rest of the lens has.
    public func and<V>(_ field: Field<V>, _ isIncluded: @escaping @Sendable (V) -> Bool) -> Lens {
      var lens = self
      lens.predicates.append(
        Predicate(column: field.column) { V(fieldText: $0).map(isIncluded) ?? false })
      return lens
    }

    public func and(_ filter: Filter) -> Lens {
      var lens = self
      lens.filters.append(filter)
      return lens
    }

    /// What of it is said of columns.
    func restricted(to columns: [Column]) -> Lens {
      var lens = self
      lens.filters = filters.filter { columns.contains($0.column) }
      lens.predicates = predicates.filter { columns.contains($0.column) }
      return lens
    }

    /// The narrowest lens that both are within.
    func common(with other: Lens) -> Lens {
      var lens = self
      lens.filters = filters.filter(other.filters.contains)
      lens.predicates = predicates.filter { other.predicates.map(\.column).contains($0.column) }
      return lens
    }

    /// Whether two lenses that were restricted from one are the same.
    func isSame(as other: Lens) -> Bool {
      filters == other.filters && predicates.map(\.column) == other.predicates.map(\.column)
    }

    /// The columns it names.
    var columns: [Column] { filters.map(\.column) + predicates.map(\.column) }

    /// The only values that it leaves of a column; nil when there may be any.
    public func values(of column: Column) -> [String]? {
      let tests = filters.filter { $0.column == column }.map(\.test)
      for test in tests {
        if case .equals(let value) = test { return [value] }
      }
      for test in tests {
        if case .oneOf(let values) = test { return values }
      }
      return nil
    }
  }

  /// One limit of a lens.
  public struct Filter: Hashable, Sendable {
    public let column: Column
    public let test: Test

    /// Values are as PostgreSQL reads constants of the column's type.
    public enum Test: Hashable, Sendable, Codable {
      case equals(String)
      case oneOf([String])
      /// Itself included.
      case from(String)
      /// Itself not.
      case before(String)
    }

    public init(_ column: Column, _ test: Test) {
      self.column = column
      self.test = test
    }

    /// The condition on the column, with the value as a parameter.
    func condition(on column: SQL, _ parameter: String) -> SQL {
      let type = self.column.type
      switch test {
      case .equals: return "\(column) = \(Parameter(parameter, type))"
      case .oneOf: return "\(column) = ANY (\(Parameter(parameter, .array(type))))"
      case .from: return "\(column) >= \(Parameter(parameter, type))"
      case .before: return "\(column) < \(Parameter(parameter, type))"
      }
    }
  }

  /// A limit that is a function of a unit.
  public struct Predicate: Sendable {
    public let column: Column
    /// Of the value as PostgreSQL prints it.
    public let isIncluded: @Sendable (String) -> Bool
  }
}

extension Projection.Lens: CustomStringConvertible {
  /// `organization_id = 5, patient_id in 3 values`; of values that many only how many.
  public var description: String {
    guard !isEverything else { return "everything" }
    let limits = filters.map { filter in
      let name = filter.column.name.name
      switch filter.test {
      case .equals(let value): return "\(name) = \(value)"
      case .oneOf(let values):
        return values.count == 1 ? "\(name) = \(values[0])" : "\(name) in \(values.count) values"
      case .from(let value): return "\(name) >= \(value)"
      case .before(let value): return "\(name) < \(value)"
      }
    }
    return (limits + predicates.map { "\($0.column.name.name) by a function" })
      .joined(separator: ", ")
  }
}

/// What of a lens the text of a statement depends on: lenses of one form share statements.
public struct LensForm: Hashable, Sendable {
  /// The filters without their values, which are bound.
  let filters: [Projection.Filter]
  /// Whether a list of units narrows it further.
  let isChunk: Bool

  public init(_ lens: Projection.Lens, isChunk: Bool) {
    filters = lens.filters.map { filter in
      switch filter.test {
      case .equals: .init(filter.column, .equals(""))
      case .oneOf: .init(filter.column, .oneOf([]))
      case .from: .init(filter.column, .from(""))
      case .before: .init(filter.column, .before(""))
      }
    }
    self.isChunk = isChunk
  }

  /// The conditions on those columns of the relation that it has.
  /// - Parameters:
  ///   - columns: what the filters may be about.
  ///   - unit: what a chunk's units are values of.
  ///   - repeated: columns of which the same is said of what the relation is made of. Then it is said so that it is not looked up
  ///     by: of a list that is said twice of a table PostgreSQL expects a look-up for each pair of its members, and reads the
  ///     table whole (selfuncs.c, `btcostestimate`).
  ///   - expression: the column's value in the relation.
  func conditions(
    on columns: [Column], unit: Column?, repeated: [Column] = [], _ expression: (Column) -> SQL
  ) -> [SQL] {
    var conditions: [SQL] = []
    for (number, filter) in filters.enumerated() where columns.contains(filter.column) {
      let condition = filter.condition(on: expression(filter.column), "lens_\(number + 1)")
      let isList = if case .oneOf = filter.test { true } else { false }
      conditions.append(
        isList && repeated.contains(filter.column) ? "(\(condition)) IS TRUE" : condition)
    }
    if isChunk, let unit, columns.contains(unit) {
      let isOne: SQL = "\(expression(unit)) = ANY (\(Parameter.units(unit)))"
      conditions.append(repeated.contains(unit) ? "(\(isOne)) IS TRUE" : isOne)
    }
    return conditions
  }
}

extension Parameter {
  /// The units of a chunk.
  static func units(_ unit: Column) -> Parameter { Parameter("units", .array(unit.type)) }
}
