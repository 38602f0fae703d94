import PeriodRollups

/// What a service that shows reports may do: read three tables through policies, and call functions that ask for the token
/// themselves (`Migrations/0010_tokens.sql`, docs/access.md). Of patients it may read nothing.
enum ServiceRights {
  /// Statements that can be run again; they need the role.
  static let statements: [(name: String, text: String)] =
    [
      ("who may see the schema", "GRANT USAGE ON SCHEMA rollup TO \(role)"),
      (
        "what the token in force may see",
        "GRANT SELECT ON rollup.deployment, rollup.editions, rollup.published_figures TO \(role)"
      ),
      (
        "how a token is put in force, how one logs in, and what is asked with it",
        """
        GRANT EXECUTE ON FUNCTION rollup.in_force(), rollup.reach(), rollup.enter(text), rollup.admit(text),
          rollup.log_in(text, bytea), rollup.log_out(text), rollup.places_in_reach(), rollup.filed_figures(text, "char", date, date, uuid[], integer, integer),
          rollup.announce_list(text, "char", date, date, integer, text[]),
          rollup.read_list(bigint, uuid[], integer, integer)
        TO \(role)
        """
      ),
      (
        "what may have changed since it was counted",
        "GRANT EXECUTE ON FUNCTION rollup.changes_since(pg_snapshot), rollup.circumstances(), rollup.forget_changes() TO \(role)"
      ),
      policy(on: "rollup.deployment", "(SELECT rollup.reach()) IS NOT NULL"),
      policy(on: "rollup.editions", "(SELECT rollup.reach()) IS NOT NULL"),
      // Each subquery is computed once a statement, not once a row. What a row lacks is in no narrower region.
      policy(
        on: "rollup.published_figures",
        """
        (SELECT rollup.reach()) IS NOT NULL
          AND coalesce(state = (SELECT (rollup.reach())[1]), true)
          AND coalesce(district = (SELECT (rollup.reach())[2]), true)
          AND coalesce(coalesce(block, '') = (SELECT (rollup.reach())[3]), true)
          AND coalesce(coalesce(facility_id::text, '') = (SELECT (rollup.reach())[4]), true)
        """),
    ]

  private static let role = RollupRole.server.rawValue

  /// Narrows what the service sees of a table. Made once, since making it keeps readers waiting: a change of one takes a
  /// migration that drops it.
  private static func policy(on table: StaticString, _ condition: String) -> (
    name: String, text: String
  ) {
    (
      "which rows of \(table) a token sees",
      """
      DO $policy$
      BEGIN
        IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = '\(table)'::regclass AND polname = 'served') THEN
          CREATE POLICY served ON \(table) AS RESTRICTIVE TO \(role) USING (
            \(condition.replacing("\n", with: "\n      "))
          );
        END IF;
      END
      $policy$
      """
    )
  }
}
