/// A piece of a migration that is done whole or not at all.
public struct SchemaStep: Sendable, Hashable {
  /// What it does: `add heart_rate to blood-pressure`.
  public let name: String
  public let statements: [Statement]
  public let manner: Manner

  public enum Manner: Sendable, Hashable {
    /// In one short transaction that gives up waiting for a lock soon and is tried again, so that writers never queue
    /// behind one that itself waits.
    case transaction
    /// By itself, outside of a transaction, as CREATE INDEX CONCURRENTLY asks; nobody waits for it.
    case alone
  }

  public init(_ name: String, _ statements: [Statement], in manner: Manner = .transaction) {
    self.name = name
    self.manner = manner
    self.statements = statements
  }

  /// What is said before a transaction's statements: how long it waits for a lock before it gives up and tries again.
  public static let opening = Statement("give up soon", "SET LOCAL lock_timeout = '300ms'")
}

extension SchemaStep: CustomStringConvertible {
  /// As psql would run it.
  public var description: String {
    let body = statements.map(\.description)
    let lines =
      manner == .alone
      ? body : ["BEGIN;\n\(Self.opening)"] + body + ["COMMIT;"]
    return "-- == \(name) ==\n" + lines.joined(separator: "\n") + "\n"
  }
}
