/// How rows are derived: a query whose inputs are interpolated.
///
/// To interpolate a table or a projection is to declare it an input, so the graph cannot disagree with the text. In the
/// statement an input becomes the relation of its rows *within the lens*; give it an alias:
///
/// ```swift
/// """
/// SELECT i.patient_id, i.product_id, i.given_on
/// FROM \(immunizations) AS i
/// JOIN \(whole: products) AS p ON p.product_id = i.product_id
/// """
/// ```
public struct Derivation: Sendable, ExpressibleByStringInterpolation {
  private let pieces: [Piece]

  indirect enum Piece: Sendable {
    case literal(String)
    case fragment(SQL)
    case input(Input)
    case derivation(Derivation)
  }

  public init(stringLiteral text: String) { pieces = [.literal(text)] }
  public init(stringInterpolation: StringInterpolation) { pieces = stringInterpolation.pieces }

  public struct StringInterpolation: StringInterpolationProtocol {
    var pieces: [Piece] = []

    public init(literalCapacity: Int, interpolationCount: Int) {}

    public mutating func appendLiteral(_ literal: String) { pieces.append(.literal(literal)) }
    public mutating func appendInterpolation(_ fragment: SQL) { pieces.append(.fragment(fragment)) }
    public mutating func appendInterpolation(_ column: Column) {
      pieces.append(.fragment("\(column)"))
    }
    public mutating func appendInterpolation<Value>(_ field: Field<Value>) {
      pieces.append(.fragment("\(field.column)"))
    }
    public mutating func appendInterpolation(_ parameter: Parameter) {
      pieces.append(.fragment("\(parameter)"))
    }
    public mutating func appendInterpolation(_ number: Int) {
      pieces.append(.fragment("\(number)"))
    }

    /// A part of the query, with its own inputs.
    public mutating func appendInterpolation(_ derivation: Derivation) {
      pieces.append(.derivation(derivation))
    }
    public mutating func appendInterpolation(_ input: some Derivable) {
      pieces.append(.input(Input(input.relation, isWhole: false)))
    }
    /// All rows of the input, whatever the lens: for tables whose columns only share a name with others.
    public mutating func appendInterpolation(whole input: some Derivable) {
      pieces.append(.input(Input(input.relation, isWhole: true)))
    }
    public mutating func appendInterpolation<P: Projected>(_: P.Type) {
      pieces.append(.input(Input(.projection { P.projection }, isWhole: false)))
    }
    public mutating func appendInterpolation<P: Projected>(whole _: P.Type) {
      pieces.append(.input(Input(.projection { P.projection }, isWhole: true)))
    }
  }

  /// In the order of the text.
  var inputs: [Input] {
    pieces.flatMap { piece -> [Input] in
      switch piece {
      case .input(let input): [input]
      case .derivation(let derivation): derivation.inputs
      case .literal, .fragment: []
      }
    }
  }

  /// The query, with the relations that stand for its inputs.
  func sql(_ relation: (Input) -> SQL) -> SQL {
    var text = SQL.StringInterpolation(literalCapacity: 0, interpolationCount: pieces.count)
    for piece in pieces {
      switch piece {
      case .literal(let literal): text.appendLiteral(literal)
      case .fragment(let fragment): text.appendInterpolation(fragment)
      case .input(let input): text.appendInterpolation(relation(input))
      case .derivation(let part): text.appendInterpolation(part.sql(relation))
      }
    }
    return SQL(stringInterpolation: text)
  }
}

/// What a derivation reads.
struct Input: Sendable {
  let relation: Relation
  /// Whether the lens leaves it alone.
  let isWhole: Bool

  init(_ relation: Relation, isWhole: Bool) {
    self.relation = relation
    self.isWhole = isWhole
  }
}

/// A table or a projection, as an input.
public enum Relation: Sendable {
  case table(Table)
  /// Looked up when the graph is built, so that even a cycle can be declared, and reported.
  case projection(@Sendable () -> Projection)
}

/// What can be interpolated into a ``Derivation`` as an input.
public protocol Derivable: Sendable {
  var relation: Relation { get }
}

extension Table: Derivable {
  public var relation: Relation { .table(self) }
}

extension Projection: Derivable {
  public var relation: Relation { .projection { self } }
}

/// A type of rows that a projection gives; a type is how other projections name it.
public protocol Projected: Sendable {
  static var projection: Projection { get }
}

extension Parameter {
  /// The day of the derivation, by the deployment's reporting time zone. A derivation asks the clock no other way, so
  /// that it can be repeated.
  public static let today = Parameter("today", .date)
}
