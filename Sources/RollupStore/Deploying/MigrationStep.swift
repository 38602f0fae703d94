import PeriodRollups
import Postgres

/// A piece of a migration: what is executed together, and printed by `rollup migrate --plan` as it will be.
public struct MigrationStep: Sendable, CustomStringConvertible {
  /// What it does, for a line of progress.
  public let name: String
  let pieces: [Piece]
  let manner: SchemaStep.Manner
  /// What it makes may be there by then: somebody else made it meanwhile.
  let isDoneWhenThere: Bool

  struct Piece: Sendable {
    let name: String
    let query: Query
    /// What `$1`, `$2`, … stand for, as one would write it.
    let values: [String]

    init(_ name: String, _ query: Query, _ values: [String] = []) {
      self.name = name
      self.query = query
      self.values = values
    }

    init(_ statement: Statement) {
      self.init(statement.name, Query(text: statement.text))
    }
  }

  init(
    _ name: String, _ pieces: [Piece], in manner: SchemaStep.Manner = .transaction,
    isDoneWhenThere: Bool = false
  ) {
    self.name = name
    self.pieces = pieces
    self.manner = manner
    self.isDoneWhenThere = isDoneWhenThere
  }

  init(_ step: SchemaStep) {
    let makes = step.statements.contains { $0.text.hasPrefix("CREATE TABLE") }
    let owning = makes ? [Piece("it is the owner's", Roles.ownMade)] : []
    self.init(step.name, step.statements.map(Piece.init) + owning, in: step.manner)
  }

  /// As one would run it in psql.
  public var description: String {
    let body = pieces.map(\.description)
    let lines =
      manner == .alone
      ? body : ["BEGIN;", Piece(SchemaStep.opening).description] + body + ["COMMIT;\n"]
    return "-- == \(name) ==\n\n" + lines.joined(separator: "\n")
  }

  /// Does it.
  ///
  /// A transaction that does not have its locks soon is rolled back and tried again after a pause, so that writers wait for
  /// a moment at most, however long the one that is in the way takes.
  /// - Throws: ``DeploymentError/busy(_:)`` when it never had them.
  func run(on connection: Connection) async throws {
    do {
      guard manner == .transaction else {
        for piece in pieces { try await connection.script(piece.query.text) }
        return
      }
      try await connection.transaction(.readCommitted, retrying: .schemaChange) { tx in
        try await tx.script(SchemaStep.opening.text)
        for piece in pieces {
          if piece.query.binds.isEmpty {
            try await tx.script(piece.query.text)
          } else {
            try await tx.execute(piece.query)
          }
        }
      }
    } catch let error as PostgresError
      where isDoneWhenThere
      && (error.saysThatItIsThere || manner == .alone && error.isClashOfNames)
    {
      return
    } catch let error as PostgresError
      where error.sqlState == .lockNotAvailable || error.isTimeoutOfStatement
    {
      throw DeploymentError.busy(name)
    }
  }
}

extension MigrationStep.Piece: CustomStringConvertible {
  var description: String {
    let legend = values.enumerated().map { "$\($0 + 1) = \($1)" }.joined(separator: ", ")
    let text = query.text.hasSuffix("\n") ? String(query.text.dropLast()) : query.text
    return
      "-- \(name)\(legend.isEmpty ? "" : ": \(legend)")\n\(text)\(text.hasSuffix(";") ? "" : ";")\n"
  }
}

extension PostgresError {
  /// A statement took longer than it was given.
  fileprivate var isTimeoutOfStatement: Bool { sqlState == .queryCanceled }

  /// What was to be made has been made by somebody else.
  var saysThatItIsThere: Bool { sqlState == .duplicateTable || sqlState == .duplicateObject }
}

extension RetryPolicy {
  /// Some minutes in all. Two migrations in one cluster also meet in its catalogue: "tuple concurrently updated" (XX000).
  static let schemaChange = RetryPolicy(
    attempts: 200,
    sqlStates: [
      .lockNotAvailable, .queryCanceled, .deadlockDetected, .serializationFailure,
      SQLState(rawValue: "XX000"),
    ], baseDelay: .milliseconds(100), maximumDelay: .seconds(3))
}
