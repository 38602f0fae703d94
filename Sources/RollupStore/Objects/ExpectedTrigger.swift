import PeriodRollups

/// A trigger that keeps what is closed, published or on record as it is.
struct ExpectedTrigger: Sendable, Hashable {
  let table: TableName
  let name: String
  /// `BEFORE INSERT OR UPDATE OR DELETE`.
  let events: String
  let isForEachRow: Bool
  /// With its schema.
  let function: String
  let isDeferred: Bool

  init(
    _ name: String, _ events: String, on table: TableName, forEachRow: Bool,
    _ function: String, deferred: Bool = false
  ) {
    self.table = table
    self.name = name
    self.events = events
    isForEachRow = forEachRow
    self.function = function
    isDeferred = deferred
  }

  /// What `pg_get_triggerdef` begins with is not compared, since versions print it otherwise; these facts are.
  var facts: TriggerFacts {
    // Bits of pg_trigger.tgtype.
    let bits = [
      ("BEFORE", 2), ("INSERT", 4), ("DELETE", 8), ("UPDATE", 16), ("TRUNCATE", 32),
    ]
    let type = bits.reduce(isForEachRow ? 1 : 0) { $0 + (events.contains($1.0) ? $1.1 : 0) }
    return TriggerFacts(
      table: table.qualified, name: name, type: type, function: function, isAlways: true,
      isNarrowed: false, isDeferred: isDeferred)
  }

  /// Makes it, whatever is there under its name.
  var making: [String] {
    [
      "DROP TRIGGER IF EXISTS \(name) ON \(table)",
      """
      CREATE \(isDeferred ? "CONSTRAINT " : "")TRIGGER \(name) \(events) ON \(table)\(isDeferred ? " DEFERRABLE INITIALLY DEFERRED" : "")
      FOR EACH \(isForEachRow ? "ROW" : "STATEMENT") EXECUTE FUNCTION \(function)()
      """,
      "ALTER TABLE \(table) ENABLE ALWAYS TRIGGER \(name)",
    ]
  }

  /// Those of the tables of published rows, the editions among them.
  static func published(_ tables: [TableName]) -> [ExpectedTrigger] {
    tables.flatMap { table in
      [
        ExpectedTrigger(
          "published", "BEFORE INSERT OR UPDATE OR DELETE", on: table, forEachRow: true,
          "rollup.guard_published"),
        ExpectedTrigger(
          "published_whole", "BEFORE TRUNCATE", on: table, forEachRow: false, "rollup.refuse"),
      ]
    }
  }

  /// Those that are there once a deployment.
  static let ofAll: [ExpectedTrigger] = [
    ExpectedTrigger(
      "recorded", "BEFORE INSERT", on: "rollup.editions", forEachRow: true,
      "rollup.refuse_unrecorded"),
    ExpectedTrigger(
      "on_record", "BEFORE UPDATE OR DELETE", on: "rollup.list_reads", forEachRow: true,
      "rollup.guard_list_reads"),
    ExpectedTrigger(
      "on_record_whole", "BEFORE TRUNCATE", on: "rollup.list_reads", forEachRow: false,
      "rollup.guard_list_reads"),
    ExpectedTrigger(
      "entered", "AFTER INSERT", on: "rollup.diversions", forEachRow: true,
      "rollup.enter_diversion", deferred: true),
  ]

  /// Those of a closed period's partition.
  static func closed(_ partition: TableName, guardedBy function: String) -> [ExpectedTrigger] {
    [
      ExpectedTrigger(
        "closed", "BEFORE INSERT OR UPDATE OR DELETE", on: partition, forEachRow: true, function),
      ExpectedTrigger(
        "closed_whole", "BEFORE TRUNCATE", on: partition, forEachRow: false, "rollup.refuse"),
    ]
  }

  /// That of the rows that are kept of a restated edition.
  static func kept(_ table: TableName) -> ExpectedTrigger {
    ExpectedTrigger(
      "kept", "BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE", on: table, forEachRow: false,
      "rollup.refuse")
  }
}

/// What is compared of a trigger.
struct TriggerFacts: Sendable, Hashable {
  let table: String
  let name: String
  let type: Int
  let function: String
  /// Whether it fires whatever the session's replication role.
  let isAlways: Bool
  /// Whether it fires for some columns or under a condition only.
  let isNarrowed: Bool
  let isDeferred: Bool
}
