/// What keeps a closed period's rows as they are, in the database itself: triggers on its partitions. Open partitions
/// have none, so that they pay nothing.
///
/// An insert, also the insert of an upsert, is diverted: the row that the period would have now goes to ``PeriodTable/late``,
/// and the event to the ledger (``Diversions``). An update, a delete, a TRUNCATE is refused, whoever asks: the write path's
/// own statements pass closed periods over.
extension MostRecent {
  /// Makes the function that the partitions' triggers call.
  ///
  /// It makes and locks the late row for every event, also for one that loses: a removal of another event of the
  /// same subject waits for it, and its later statement sees it (docs/closing-protocol.md).
  public var createGuard: Statement {
    func isKey(_ alias: Identifier) -> SQL { "(\(of(alias, key))) = (\(of("new", key)))" }
    let origin: SQL =
      self.origin.map { "new.\($0)" } ?? "\(literal: .init(codeOf: inputs[0].source))"
    let event: SQL = """
      new.\(subjectID), \(origin), new.\(id)::text, new.period_type, new.period_start
      """
    return Statement(
      "make the guard of \(name)",
      """
      CREATE OR REPLACE FUNCTION \(guardFunction)() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
      SET search_path FROM CURRENT AS $guard$
      -- Called by whoever writes, run as the owner: pg_temp is the last that its search path names.
      DECLARE
        has text[];
        is_known boolean;
        is_newer boolean;
      BEGIN
        IF TG_OP <> 'INSERT' THEN
          \(Self.refusal)
        END IF;
        -- What the edition does not have is no difference from it.
        SELECT p.columns INTO has
        FROM \(Editions.parts) AS p
        WHERE p.part = \(literal: .init(nameOf: self)) AND p.period_type = new.period_type
          AND p.period_start = new.period_start
        ORDER BY p.edition DESC
        LIMIT 1;
        \(.joined(unranked.map(Self.leaveOut), "\n"))

        LOOP
          INSERT INTO \(late) (\(names(key + content)))
          SELECT \(of("new", key)), \(of("r", content))
          FROM (VALUES (true)) AS one
          LEFT JOIN \(table) AS r ON \(isKey("r"))
          ON CONFLICT (\(names(key))) DO NOTHING;

          SELECT (\(of("l", ranking + kept))) IS NOT DISTINCT FROM (\(of("new", ranking + kept))),
            \(time.of("l")) IS NULL OR (\(of("new", ranking))) > (\(of("l", ranking)))
          INTO is_known, is_newer
          FROM \(late) AS l
          WHERE \(isKey("l"))
          FOR UPDATE;
          -- Whoever had it may have removed it, because it said what the closed row says.
          EXIT WHEN FOUND;
        END LOOP;

        UPDATE \(late) AS l
        SET (\(names(content))) = ROW (\(of("new", content)))
        WHERE \(isKey("l")) AND (
          is_newer
          OR ((\(of("new", ranking))) = (\(of("l", ranking)))
            AND (\(of("new", unranked))) IS DISTINCT FROM (\(of("l", unranked))))
        );

        -- An event that the late row says already, as after a transfer, is nothing that the period could not take.
        IF NOT is_known THEN
          INSERT INTO \(Diversions.table) (\(names(Diversions.event)), occurred_at, content, was_there)
          SELECT \(event), new.\(time), d.content, d.was_there
          FROM (
            SELECT ROW (\(of("new", kept)))::text AS content,
              NOT is_newer AND coalesce(current_setting('rollup.doing', true), '') = 'change'
                AND \(table.wasThereFunction)(new.\(subjectID), new.\(id), \(origin)) AS was_there
          ) AS d
          WHERE NOT EXISTS (
            SELECT FROM \(Diversions.table) AS w
            WHERE w.was_there AND (\(of("w", Diversions.event))) = (\(event)) AND w.content = d.content
          );
        END IF;
        RETURN NULL;
      END
      $guard$
      """)
  }

  /// Makes the function that says whether an event stood in its source before this transaction: what the write path adds to
  /// lock a late row by is no late arrival.
  ///
  /// Like ``createSettling`` it reads the sources, so it runs by the rights of a role that has no others worth having:
  /// whoever owns the sources decides what runs when they are read.
  var createWasThere: [Statement] {
    let cases = inputs.map { input -> SQL in
      let source = input.source
      return """
        WHEN \(literal: .init(codeOf: source)) THEN EXISTS (
          SELECT 1 FROM \(source.table) AS s
          WHERE (\(of("s", source.key))) = (given_subject, given_id) AND rollup.is_committed(s.xmin)
        )
        """
    }
    let (key, row) = (subject.id.type, id.type)
    return [
      Statement(
        "make what says whether an event of \(name) was there before",
        """
        CREATE OR REPLACE FUNCTION \(table.wasThereFunction)(given_subject \(key), given_id \(row), given_source "char")
        RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $was_there$
        BEGIN
          RETURN CASE given_source::text
            \(.joined(cases, "\n"))
            ELSE false
          END;
        END
        $was_there$
        """),
      Statement(
        "guards call it",
        "REVOKE EXECUTE ON FUNCTION \(table.wasThereFunction)(\(key), \(row), \"char\") FROM PUBLIC"
      ),
    ]
  }
}

extension MostRecent {
  private static func leaveOut(_ column: Column) -> SQL {
    "IF NOT \(literal: .init(nameOf: column)) = ANY (has) THEN new.\(column) := NULL; END IF;"
  }
}

extension PeriodTable {
  fileprivate static var refusal: SQL {
    """
    RAISE EXCEPTION '% of a closed period is refused: %', TG_OP, TG_TABLE_NAME
      USING ERRCODE = 'RC077', HINT = '''rollup restate'' makes a new edition.';
    """
  }
}

extension PeriodCount {
  /// Makes the function that the partitions' triggers call: changes go to the late table.
  public var createGuard: Statement {
    Statement(
      "make the guard of \(name)",
      """
      CREATE OR REPLACE FUNCTION \(guardFunction)() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
      SET search_path FROM CURRENT AS $guard$
      -- Called by whoever writes, run as the owner: pg_temp is the last that its search path names.
      BEGIN
        IF TG_OP <> 'INSERT' THEN
          \(Self.refusal)
        END IF;
        INSERT INTO \(late) (period_type, period_start, \(group), \(Self.change))
        VALUES (new.period_type, new.period_start, new.\(group), new.\(Self.change));
        RETURN NULL;
      END
      $guard$
      """)
  }
}

extension PeriodTable {
  /// What makes the guard, in one transaction.
  ///
  /// The function runs as its owner, with the search path that its maker had, and a type is looked up in `pg_temp`
  /// before all others where the path does not name it: a caller could make a domain called `text`, whose check would run
  /// as the owner. So the path names it, as the last (PostgreSQL, "Writing SECURITY DEFINER Functions Safely"); and it names
  /// schemas that are there, not "$user", which would be whoever the function runs as.
  public var makeGuard: [Statement] {
    [
      Statement(
        "look in pg_temp last",
        """
        SELECT set_config('search_path', concat_ws(', ', (
          SELECT string_agg(quote_ident(s), ', ') FROM unnest(current_schemas(false)) AS s WHERE s !~ '^pg_'
        ), 'pg_temp'), true)
        """),
      createGuard,
    ] + createSettling
  }

  /// What makes the other functions that closed periods need.
  public var createSettling: [Statement] { [] }

  /// Keeps writers of one period out until the transaction ends: waits for those who have written to it, and for no
  /// others.
  public func lock(_ period: Period) -> Statement {
    Statement(
      "keep writers of \(period) waiting",
      "LOCK TABLE \(partition(of: period)) IN SHARE ROW EXCLUSIVE MODE")
  }

  /// Puts the guard on a period's partition. A writer that waited for the partition's lock meets it.
  public func seal(_ period: Period) -> [Statement] {
    let partition = partition(of: period)
    return [
      Statement(
        "guard its rows",
        """
        CREATE TRIGGER closed BEFORE INSERT OR UPDATE OR DELETE ON \(partition)
        FOR EACH ROW EXECUTE FUNCTION \(guardFunction)()
        """),
      Statement(
        "guard it whole",
        """
        CREATE TRIGGER closed_whole BEFORE TRUNCATE ON \(partition)
        FOR EACH STATEMENT EXECUTE FUNCTION rollup.refuse()
        """),
      Statement(
        "whatever the session's replication role",
        """
        ALTER TABLE \(partition) ENABLE ALWAYS TRIGGER closed, ENABLE ALWAYS TRIGGER closed_whole
        """),
    ]
  }

  /// Takes the guard's effect away for a restatement, and gives it back.
  public func unseal(_ period: Period) -> Statement {
    Statement(
      "let the restatement write",
      "ALTER TABLE \(partition(of: period)) DISABLE TRIGGER closed")
  }

  public func reseal(_ period: Period) -> Statement {
    Statement(
      "guard its rows again",
      "ALTER TABLE \(partition(of: period)) ENABLE ALWAYS TRIGGER closed")
  }
}

/// What has to be in the catalogue of the database for a closed period to be guarded.
public struct GuardCheck: Hashable, Sendable {
  /// `table trigger events function` of a trigger that always fires (events as `pg_trigger.tgtype` has them), or
  /// `partition in parent`.
  public let expected: String
  /// What it means that it is not there.
  public let complaint: String
}

extension GuardCheck {
  // Bits of tgtype: row 1, before 2, insert 4, delete 8, update 16, truncate 32.
  fileprivate static let forEachChange = 1 + 2 + 4 + 8 + 16
  fileprivate static let forTruncate = 2 + 32
  fileprivate static let forAnything = 2 + 4 + 8 + 16 + 32
}

extension RecordedPart {
  /// The checks of a closed period's partition.
  public func guards(of period: Period) -> [GuardCheck] {
    let name = table.partition(of: period).qualified
    let function = table.guardFunction.table.name
    return [
      GuardCheck(
        expected: "\(name) in \(table.ofPeriods(period.type).table.name)",
        complaint: "\(name) is not attached"),
      GuardCheck(
        expected: "\(name) closed \(GuardCheck.forEachChange) \(function)",
        complaint: "the guard of \(name) is missing or switched off"),
      GuardCheck(
        expected: "\(name) closed_whole \(GuardCheck.forTruncate) refuse",
        complaint: "the guard of \(name) against TRUNCATE is missing or switched off"),
    ]
  }

  /// The check of the rows that were kept of a restated edition.
  public func guardOfKept(_ edition: Int, of period: Period) -> GuardCheck {
    let name = table.edition(edition, of: period).qualified
    return GuardCheck(
      expected: "\(name) kept \(GuardCheck.forAnything) refuse",
      complaint: "the guard of \(name) is missing or switched off")
  }
}
