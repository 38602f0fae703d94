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
    ] + policies.filter(\.isOfService).map { ("which rows of \($0.table) a token sees", made($0)) }

  /// What narrows what the service sees. Everybody else sees everything, as before there were policies.
  static let policies: [ExpectedPolicy] =
    ["rollup.deployment", "rollup.editions", "rollup.published_figures"].map {
      ExpectedPolicy(
        table: $0, name: "everybody", isOfService: false, condition: "true", printed: "true")
    }
    + ["rollup.deployment", "rollup.editions"].map {
      ExpectedPolicy(
        table: $0, name: "served", isOfService: true,
        condition: "(SELECT rollup.reach()) IS NOT NULL",
        printed: "(( SELECT rollup.reach() AS reach) IS NOT NULL)")
    } + [
      // Each subquery is computed once a statement, not once a row. What a row lacks is in no narrower region.
      ExpectedPolicy(
        table: "rollup.published_figures", name: "served", isOfService: true,
        condition: """
          (SELECT rollup.reach()) IS NOT NULL
            AND coalesce(state = (SELECT (rollup.reach())[1]), true)
            AND coalesce(district = (SELECT (rollup.reach())[2]), true)
            AND coalesce(coalesce(block, '') = (SELECT (rollup.reach())[3]), true)
            AND coalesce(coalesce(facility_id::text, '') = (SELECT (rollup.reach())[4]), true)
          """,
        printed:
          "((( SELECT rollup.reach() AS reach) IS NOT NULL) AND COALESCE((state = ( SELECT (rollup.reach())[1] AS reach)), true) "
          + "AND COALESCE((district = ( SELECT (rollup.reach())[2] AS reach)), true) "
          + "AND COALESCE((COALESCE(block, ''::text) = ( SELECT (rollup.reach())[3] AS reach)), true) "
          + "AND COALESCE((COALESCE((facility_id)::text, ''::text) = ( SELECT (rollup.reach())[4] AS reach)), true))"
      )
    ]

  /// The names of the functions that the service may call, without their schema.
  static let functions: Set<String> = [
    "in_force", "reach", "enter", "admit", "log_in", "log_out", "places_in_reach", "filed_figures",
    "announce_list", "read_list", "changes_since", "circumstances", "forget_changes",
  ]

  static let role = RollupRole.server.rawValue

  /// Makes a policy where it is not there. Made once, since making it keeps readers waiting; one that is there and differs
  /// is what `rollup migrate` mends (``DatabaseObjects``).
  private static func made(_ policy: ExpectedPolicy) -> String {
    """
    DO $policy$
    BEGIN
      IF NOT EXISTS (
        SELECT FROM pg_policy WHERE polrelid = '\(policy.table)'::regclass AND polname = '\(policy.name)'
      ) THEN
        \(policy.making[1].replacing("\n", with: "\n    "));
      END IF;
    END
    $policy$
    """
  }
}
