/// Rows that are derived from tables and other projections, and kept for others to read.
///
/// A declaration says what is read, what comes of it, and for which scopes that can be worked out apart from the rest:
///
/// ```swift
/// static let projection = Projection.mostRecent(
///   "most-recent-immunizations", table: "clinic.most_recent_immunizations", of: immunizations,
///   per: [patientID, productID], by: [givenOn, immunizationID], unit: patientID)
/// ```
///
/// ## Topics
/// - Kinds: ``virtual(_:columns:scopes:_:)``, ``mostRecent(_:table:of:per:by:keeping:periods:scopes:unit:options:)``,
///   ``count(_:table:of:per:as:periods:at:scopes:unit:options:)``, ``derived(_:table:columns:key:scopes:unit:options:_:)``,
///   ``streamed(_:table:columns:key:scopes:unit:options:_:)``, ``init(_:)-(MostRecent)``
/// - What may be asked of one: ``Options``
/// - The scope of a materialisation: ``Lens``
public struct Projection: Sendable {
  public let name: String
  public let columns: [Column]
  /// Where its rows are; nil for a virtual one, which has none of its own.
  public let table: TableName?
  /// What tells its rows apart.
  public let key: [Column]
  /// The columns by which its rows can be derived apart: a row with a value there comes of those rows alone that have the
  /// same value in the inputs that have the column.
  public let scopes: [Column]
  /// The scope whose values are worked on together and locked: the patient. Nil where it is derived whole.
  public let unit: Column?
  public let options: Options
  public let kind: Kind
  /// What its rows come of, one query for each input that is read on its own.
  let derivations: @Sendable () -> [Derivation]

  /// How its rows come to be.
  public enum Kind: Sendable {
    /// It has no table: whoever reads it reads its inputs.
    case virtual
    /// By SQL.
    case derived
    /// By Swift, over the rows of a query.
    case streamed
    /// By the write path at commit; derived anew only when it is asked for itself.
    case rollup(MostRecent)
    case register(Register)
    case periodCount(PeriodCount)
  }

  /// What may be asked of a projection besides its rows.
  public struct Options: Sendable {
    /// Columns without which a derived row is left out.
    public var required: [Column]
    public var onConflict: Conflict
    /// Where its inputs are read.
    public var reads: Reading
    /// Seconds after which deriving a scope of it is given up.
    public var timeLimit: Int?
    /// Whether rows are taken away when their inputs no longer give them. Without it the table only grows.
    public var dematerialises: Bool
    /// Whether it may be derived whole for the sake of a lens that has none of its scopes.
    public var isWhole: Bool
    public var emits: Action?

    public init(
      required: [Column] = [], onConflict: Conflict = .replaceAll, reads: Reading = .primary,
      timeLimit: Int? = nil, dematerialises: Bool = true, isWhole: Bool = false,
      emits: Action? = nil
    ) {
      self.required = required
      self.onConflict = onConflict
      self.reads = reads
      self.timeLimit = timeLimit
      self.dematerialises = dematerialises
      self.isWhole = isWhole
      self.emits = emits
    }
  }

  /// What becomes of a derived row when there is one with its key.
  public enum Conflict: Sendable {
    /// It takes the other's place.
    case replaceAll
    /// It gives the other these values; the rest stays as it first was.
    case replace([Column])
    /// Of the rows that the inputs give for a key the one that is greatest in these columns stands. (Among what the
    /// inputs give now: a row that only the past gave would never leave.)
    case ifNewer(by: [Column])
    /// The other stays as it is.
    case nothing
  }

  public enum Reading: Sendable {
    case primary
    /// From a replica, once it has caught up with the primary.
    case replica
  }

  init(
    _ name: String, table: TableName?, columns: [Column], key: [Column], scopes: [Column],
    unit: Column?, options: Options, kind: Kind,
    derivations: @escaping @Sendable () -> [Derivation]
  ) {
    self.name = name
    self.table = table
    self.columns = columns
    self.key = key
    self.scopes = scopes
    self.unit = unit
    self.options = options
    self.kind = kind
    self.derivations = derivations
  }

  /// Whether the write path keeps it, so that it need not be materialised to be read.
  public var isKeptAtCommit: Bool {
    switch kind {
    case .rollup, .register, .periodCount: true
    case .virtual, .derived, .streamed: false
    }
  }

  /// Whether rows of it belong to periods, which close.
  public var isPeriodic: Bool {
    columns.contains(MostRecent.periodType) && columns.contains(MostRecent.periodStart)
  }

  var inputs: [Input] { derivations().flatMap(\.inputs) }
}

/// What a row sets off, once: the transaction that writes the row notes it, and a worker's handler is called until it
/// succeeds. A row that is written again with the same key sets off nothing.
public struct Action: Sendable {
  public let name: String
  /// The columns whose values are the idempotency key.
  public let key: [Column]
  /// Which rows; nil for all. A condition on the row, called `w`.
  public let condition: SQL?

  public init(_ name: String, key: [Column], where condition: SQL? = nil) {
    self.name = name
    self.key = key
    self.condition = condition
  }
}
