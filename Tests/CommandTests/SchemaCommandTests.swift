import Foundation
import Postgres
import TestSupport
import Testing

/// Changing declarations by the commands: the plan, filling a column, and what may be read.
@Suite struct SchemaCommandTests {
  /// As `rollup migrate` leaves an older database: the column is there, empty, and not to be read.
  private static let declared = """
    UPDATE rollup.blood_pressure_rollups SET heart_rate = NULL;
    INSERT INTO rollup.readiness (rollup, kind, name, relation)
    VALUES ('blood-pressure', 'column', 'heart_rate', 'rollup.blood_pressure_rollups');
    """

  @Test func aColumnIsFilledAndMayThenBeRead() async throws {
    try await TestDatabase.migrated(size: 2) { database, _ in
      let made = await sh(
        """
        rollup sample-data --patients 400 --seed 1 --from 2023-01 --to 2024-12 && rollup-backfill --from 2023-01 --to 2024-12
        """, database.url)
      #expect(made.status == 0, "\(made)")
      try await database.pool.withConnection { try await $0.script(Self.declared) }
      let before = await sh(
        "rollup status; rollup verify >/dev/null; echo verified $?", database.url)
      #expect(
        before.error.contains(
          "rollup-backfill --from 2018-01 --only blood-pressure --columns heart_rate"), "\(before)")
      #expect(before.output.contains("verified 1"))
      let filled = await sh(
        """
        rollup-backfill --from 2023-03 --district Nowhere --only blood-pressure --columns heart_rate; echo "unknown $?"
        rollup-backfill --from 2023-01 --to 2024-12 --only blood-pressure --columns heart_rate --chunk 50; echo "filled $?"
        rollup status --readiness | grep heart_rate
        rollup-backfill --from 0001-01 --to 9999-12 --only blood-pressure --columns heart_rate; echo "filled $?"
        rollup status --readiness | grep heart_rate
        rollup verify --from 2023-01 --to 2024-12; echo "verified $?"
        """, database.url)
      #expect(
        filled.output.contains("unknown 64\nfilled 0\nblood-pressure,column,heart_rate,"),
        "\(filled)")
      #expect(filled.output.contains("yes,2023-01-01,2025-01-01"), "\(filled)")
      #expect(filled.output.contains("filled 0\nblood-pressure,column,heart_rate,"), "\(filled)")
      #expect(filled.output.contains("verified 0"), "\(filled)")
      let after = await sh("rollup status", database.url)
      #expect(!after.error.contains("may not be read"), "\(after)")
    }
  }

  @Test(arguments: [
    ("rollup-backfill --from 2024-01 --only blood-pressure --columns hart_rate", "heart_rate"),
    ("rollup-backfill --from 2024-01 --columns heart_rate", "--only blood-pressure"),
    (
      "rollup-backfill --from 2024-01 --only blood-pressure,visits --columns heart_rate",
      "one rollup"
    ),
    ("rollup-backfill --from 2024-01 --only registrations --columns change", "leave --columns out"),
    ("rollup-backfill --from 2024-01 --only blood-suger", "blood-sugar"),
    ("rollup-backfill --resume --only blood-pressure --columns heart_rate", "as it was begun"),
    ("rollup migrate --plan --grace 3", "--plan changes nothing"),
    ("rollup close --month 2024-W23", "is a week, not a month"),
    ("report district-bp --quarter FY2024Q1", "is a financial quarter, not a quarter"),
  ])
  func wrongUsageIsRefused(command: String, words: String) async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(command, database.url)
      #expect(outcome.status == 64 && outcome.error.contains(words), "\(outcome)")
    }
  }

  /// Periods of the types that the rollups in question are declared for; the register of patients has none.
  @Test func aDryRunCountsPeriodsOfTheDeclaredTypes() async throws {
    try await TestDatabase.migrated(size: 1) { database, _ in
      let outcome = await sh(
        """
        for only in blood-pressure,visits registrations patients; do
          rollup-backfill --from 2024-01 --to 2024-12 --only $only --dry-run | grep closed || echo none
        done
        rollup close --first-period 2023-12 --month 2024-02 --yes 2>/dev/null; rollup close --month 2023-12 --yes 2>/dev/null
        rollup-backfill --from 2024-02 --to 2024-02 --dry-run | sed -n 2p
        """, database.url)
      #expect(
        outcome.output == """
          12 months, 4 quarters; 0 of them closed
          12 months, 4 quarters; 0 of them closed
          none
          1 month, 1 quarter; 1 of them closed

          """, "\(outcome)")
    }
  }

  @Test func aPlanIsSQLAndNothingElseIsOnStandardOutput() async throws {
    try await withDatabase { url in
      let outcome = await sh(
        """
        rollup migrate --plan --time-zone Asia/Kolkata > plan.sql; echo "planned $?"
        psql "$DATABASE_URL" -XAtc "SELECT count(*) FROM pg_namespace WHERE nspname = 'rollup'"
        grep -c 'CREATE TABLE rollup.blood_sugar_rollups_weeks' plan.sql
        grep '^.. == set the reporting' plan.sql
        rollup migrate --time-zone Asia/Kolkata 2>steps; echo "migrated $?"
        rollup migrate --plan | grep '^-- =='
        """, url)
      #expect(
        outcome.output == """
          planned 0
          0
          0
          -- == set the reporting time zone ==
          migrated 0
          -- == give the roles their rights, as every time ==

          """, "\(outcome)")
    }
  }
}
