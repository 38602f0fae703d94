import Foundation
import Postgres
import TestSupport
import Testing

/// Figures of a period whose backfill is not finished are not published, and a backfill that was given up is in nobody's way.
@Suite struct ClosingBesideBackfillTests {
  /// Sources of two years: 2023 is backfilled; the run that backfills 2024 is killed at its beginning.
  private func halfFilled(_ body: (_ url: String, _ pool: Pool) async throws -> Void) async throws {
    try await TestDatabase.migrated(size: 2) { database, _ in
      let killed = await sh(
        """
        rollup sample-data --patients 300 --seed 1 --from 2023-01 --to 2024-12 && rollup-backfill --max-latency 0 --from 2023-01 --to 2023-12 2>/dev/null || exit 1
        rollup-backfill --max-latency 0 --from 2024-01 --to 2024-12 --chunk 20 --load never --workers 1 --max-rate 40 2>begun & pid=$!
        until psql "$DATABASE_URL" -XAtc "SELECT 'begun' FROM rollup.blood_pressure_rollups WHERE period_start >= '2024-01-01' LIMIT 1" | grep -q .
        do sleep 0.05; done; kill -9 $pid; wait $pid; true
        """, database.url)
      #expect(killed.status == 0, "\(killed)")
      try await body(database.url, database.pool)
    }
  }

  @Test func whatIsHalfLoadedIsNotPublishedUntilTheBackfillIsFinished() async throws {
    try await halfFilled { url, pool in
      let half = try await pool.withConnection {
        try await $0.query(
          "SELECT count(*) FROM rollup.blood_pressure_rollups WHERE period_start >= '2024-01-01'"
        ).only(Int.self)
      }
      #expect(half > 0, "it has begun")
      let outcome = await sh(
        """
        rollup close --quarter 2024Q2; echo "one $?"
        rollup close --month 2023-12; echo "before it $?"
        rollup close --through 2024Q3; echo "all $?"
        rollup close --list | grep -c ,closed,
        rollup-backfill --max-latency 0 --resume 2>/dev/null; echo "resumed $?"
        rollup close --quarter 2024Q2; echo "then $?"
        rollup close --due; echo "due $?"; rollup verify --closed; echo "verified $?"
        rollup verify --known-now; echo "known now $?"
        """, url)
      let words = outcome.output.split(separator: "\n").filter { $0.contains(" ") }.map(String.init)
      #expect(
        words == [
          "one 77", "before it 0", "all 77", "resumed 0", "then 0", "due 0", "verified 0",
          "known now 0",
        ], "\(outcome)")
      // With the first month that is covered it stops: months and quarters of 2023 only.
      #expect(outcome.output.contains("all 77\n16\n"), "\(outcome)")
      for line in [
        "2024Q2 is being backfilled by run 2, begun", "'rollup-backfill --join 2'",
        "'rollup-backfill --resume'", "'--despite-backfill'",
      ] { #expect(outcome.error.contains(line), "\(outcome.error)") }
    }
  }

  @Test func aBackfillThatWasGivenUpOrOverriddenIsInNobodysWay() async throws {
    try await halfFilled { url, pool in
      let outcome = await sh(
        """
        rollup close --month 2024-03 --despite-backfill; echo "overridden $?"
        rollup restate --month 2024-03 --reason x; echo "restated $?"
        rollup restate --month 2024-03 --reason x --despite-backfill; echo "overridden $?"
        rollup-backfill --give-up 2; echo "given up $?"; rollup status | sed -n 2p | cut -d, -f1-3
        rollup close --month 2024-04; echo "closed $?"; rollup-backfill --give-up 2; echo "again $?"
        rollup-backfill --max-latency 0 --resume; echo "resumed $?"
        rollup-backfill --max-latency 0 --from 2024-01 --to 2024-12 --chunk 20 2>/dev/null; echo "another $?"
        rollup close --month 2024-04; echo "whole $?"
        """, url)
      #expect(
        outcome.output == """
          overridden 0
          restated 77
          overridden 0
          given up 0
          2,backfill,given up
          closed 77
          again 64
          resumed 64
          another 0
          whole 0

          """, "\(outcome)")
    }
  }
}
