/// Events that the guards of closed periods have diverted in the transaction at hand, until it commits: then each that the
/// write path has not entered in the ledger itself is entered (P4: what a closed period could not take is in the ledger,
/// once).
///
/// Only guards write here, and nothing stays: rows go with the entry. So a writer cannot divert an event past the ledger,
/// whatever it sets `rollup.doing` to. That setting is a hint, and is checked: an event that is added only to lock its late
/// row is passed over where it stood in its source before the transaction (`was_there`).
public struct Diversions: Sendable {
  static let table: TableName = "rollup.diversions"
  static let function: TableName = "rollup.enter_diversion"
  let catalog: Catalog

  public init(_ catalog: Catalog) { self.catalog = catalog }

  /// The columns that say which event was diverted from which period.
  static let event = ["subject_id", "source", "row_id", "period_type", "period_start"].map {
    Column(Identifier($0), .text)
  }

  var shape: TableShape {
    func column(_ name: Identifier, _ type: ColumnType) -> ShapedColumn {
      ShapedColumn(Column(name, type), required: true)
    }
    return TableShape(
      "make the table of diverted events", Self.table,
      columns: [
        column("subject_id", catalog.subject.id.type), column("source", .char),
        column("row_id", .text), column("period_type", .char), column("period_start", .date),
        ShapedColumn(Column("occurred_at", .timestamptz)), column("content", .text),
        column("was_there", .boolean),
      ],
      indexes: [
        IndexShape(
          "find an event's", "diversions_of_event", on: Array(Self.event.prefix(3)))
      ])
  }

  /// What makes it all.
  var create: [Statement] { shape.create + makeEntering }

  /// Makes the function that enters them, and the trigger that calls it when the transaction commits.
  var makeEntering: [Statement] {
    [
      createFunction,
      Statement(
        "nobody calls it", "REVOKE EXECUTE ON FUNCTION \(Self.function)() FROM PUBLIC"),
      Statement("of before", "DROP TRIGGER IF EXISTS entered ON \(Self.table)"),
      Statement(
        "when the transaction commits",
        """
        CREATE CONSTRAINT TRIGGER entered AFTER INSERT ON \(Self.table)
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION \(Self.function)()
        """),
      Statement(
        "whatever the session's replication role",
        "ALTER TABLE \(Self.table) ENABLE ALWAYS TRIGGER entered"),
    ]
  }

  /// The name of a change is the session's to choose only where its login may act as the closer: a backfill.
  public var createFunction: Statement {
    Statement(
      "make what enters diverted events in the ledger",
      """
      CREATE OR REPLACE FUNCTION \(Self.function)() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
      SET search_path = pg_catalog, pg_temp AS $enter$
      BEGIN
        IF NOT new.was_there THEN
          INSERT INTO \(Ledger.table) (\(.joined(Ledger.said.map { "\($0)" })))
          SELECT CASE WHEN coalesce(current_setting('rollup.doing', true), '') = 'backfill' AND rollup.acts_as_closer()
              THEN 'backfill' ELSE 'insert' END,
            'in', new.source, new.subject_id, new.row_id, new.period_type, new.period_start, new.occurred_at
          WHERE NOT EXISTS (
            SELECT FROM \(Ledger.table) AS l
            WHERE (\(of("l", Self.event))) = (\(of("new", Self.event))) AND l.transaction = pg_current_xact_id()
              AND l.effect <> 'out'
          )
          ON CONFLICT (\(names(Ledger.once))) DO NOTHING;
        END IF;
        DELETE FROM \(Self.table) AS d
        WHERE (\(of("d", Self.event))) = (\(of("new", Self.event))) AND d.content = new.content
          AND d.was_there = new.was_there;
        RETURN NULL;
      END
      $enter$
      """)
  }
}
