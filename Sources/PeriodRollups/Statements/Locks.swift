/// The locks of the write path. Their order is the same everywhere: arrivals, subjects by key, then rollup rows by
/// period, months before quarters, and subject.
public struct Locks: Sendable {
  let subject: Subject

  public init(_ subject: Subject) { self.subject = subject }

  /// The first key of the advisory locks; spells "roll".
  static let advisoryClass = 0x726F_6C6C
  /// How many locks the subjects share, so that a batch of any size needs few.
  static let advisorySlots = 1024

  /// Locks subjects in the order of their keys.
  public func subjects(_ lens: Lens, for strength: Strength) -> Statement {
    Statement(
      "lock the \(subject.name) rows",
      """
      SELECT \(subject.id.of("k"))
      FROM \(subject.table) AS k
      WHERE \(lens.condition(on: subject.id.of("k"), subject.id.type))
      ORDER BY \(subject.id.of("k"))
      \(strength.sql)
      """)
  }

  /// How much a lock on a subject keeps out.
  public enum Strength: Sendable {
    /// For an insert: keeps out a transfer only.
    case keyShare
    /// For a backfill: keeps out removals and transfers, lets inserts pass.
    case share
    /// For a removal: keeps out other removals and the backfill, lets inserts pass.
    case noKeyUpdate
    /// For a change of the subject itself: keeps out everything, inserts too.
    case update

    var sql: SQL {
      switch self {
      case .keyShare: "FOR KEY SHARE"
      case .share: "FOR SHARE"
      case .noKeyUpdate: "FOR NO KEY UPDATE"
      case .update: "FOR UPDATE"
      }
    }
  }

  /// A row of a subject that has not arrived has no subject row to lock. Its writer holds this lock shared, the
  /// arrival holds it exclusively (``arrival``): whichever comes second sees what the first did.
  public var absence: Statement {
    Statement("keep out the arrival of the \(subject.name)", advisory(givenSlots, shared: true))
  }

  /// ``absence`` for the rows in a staging table whose subject is not there.
  public func absence(in staging: TableName, _ column: Column) -> Statement {
    let keys: SQL = """
      SELECT DISTINCT \(slot("t.\(column)")) AS slot
      FROM \(staging) AS t
      WHERE NOT EXISTS (SELECT FROM \(subject.table) AS k WHERE \(subject.id.of("k")) = t.\(column))
      """
    return Statement("keep out the arrival of a \(subject.name)", advisory(keys, shared: true))
  }

  /// Taken before a subject is inserted: waits for the writers of its rows that came ahead of it.
  public var arrival: Statement {
    Statement("wait for rows ahead of their \(subject.name)", advisory(givenSlots, shared: false))
  }

  private var givenSlots: SQL {
    """
    SELECT DISTINCT \(slot("t.id")) AS slot
    FROM unnest(\(Parameter.subjects(subject.id.type))) AS t (id)
    """
  }

  /// ``arrival`` for the subjects in a staging table.
  public func arrival(in staging: TableName) -> Statement {
    let keys: SQL = """
      SELECT DISTINCT \(slot("t.\(subject.id)")) AS slot
      FROM \(staging) AS t
      WHERE NOT EXISTS (SELECT FROM \(subject.table) AS k WHERE \(subject.id.of("k")) = \(subject.id.of("t")))
      """
    return Statement("wait for rows ahead of their \(subject.name)", advisory(keys, shared: false))
  }

  private func advisory(_ keys: SQL, shared: Bool) -> SQL {
    let lock: Identifier = shared ? "pg_advisory_xact_lock_shared" : "pg_advisory_xact_lock"
    return """
      SELECT \(lock)(\(Self.advisoryClass), s.slot)
      FROM (
        \(keys)
        ORDER BY slot
      ) AS s
      """
  }

  private func slot(_ key: SQL) -> SQL {
    "(hashtextextended((\(key))::text, 0) & \(Self.advisorySlots - 1))::integer"
  }
}
