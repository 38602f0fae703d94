/// Why a graph cannot be built, or a lens not be used on it.
public enum GraphError: Error, Hashable, Sendable {
  /// The projections that derive from each other, the first one again at the end.
  case cycle([String])
  case twoOfOneName(String)
  case unknownProjection(String, known: [String])
  /// A declaration names a column that is not there.
  case unknownColumn(String, in: String, known: [String])
  /// A lens names a column by which the projection cannot be derived apart.
  case noScope(String, of: String, scopes: [String])
  /// A projection on the way has none of the lens's columns, so all of it would have to be derived.
  case lensIsLost(String, at: String, on: String)
  /// The unit has to be one of the key's columns and of the scopes.
  case badUnit(String, of: String)
  /// A function in a lens can be asked of units only.
  case predicateOfNoUnit(String, of: String)
  /// The projection's table only grows, or has no table.
  case cannotDematerialise(String)
}

extension GraphError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .cycle(let path): "projections derive from each other: \(path.joined(separator: " <- "))"
    case .twoOfOneName(let name): "there are two projections called '\(name)'"
    case .unknownProjection(let name, let known):
      "there is no projection '\(name)'. There are \(known.joined(separator: ", "))."
    case .unknownColumn(let column, let projection, let known):
      "'\(projection)' has no column '\(column)'. It has \(known.joined(separator: ", "))."
    case .noScope(let column, let projection, let scopes):
      "'\(projection)' cannot be derived for some '\(column)' only; it can by "
        + (scopes.isEmpty ? "nothing: use 'everything'." : "\(scopes.joined(separator: ", ")).")
    case .lensIsLost(let lens, let projection, let target):
      "'\(target)' needs '\(projection)', which cannot be narrowed to \(lens): all of it would be derived. "
        + "If that is meant, declare it with 'isWhole', or skip the dependencies."
    case .badUnit(let column, let projection):
      "the unit '\(column)' of '\(projection)' has to be one of its key's columns and of its scopes"
    case .predicateOfNoUnit(let column, let projection):
      "a function can choose among units only, and '\(column)' is not the unit of '\(projection)'"
    case .cannotDematerialise(let name): "the rows of '\(name)' are never taken away"
    }
  }
}
