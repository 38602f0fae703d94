import Foundation
import Postgres
import RollupStore
import TestSupport
import Testing
import VeterinaryReminders

/// The programs: workers that are killed in the middle of a night, and one that is told to stop.
@Suite(.timeLimit(.minutes(30)), .serialized) struct WorkerProcessTests {
  @Test func theNightIsDoneWhoeverIsKilled() async throws {
    try await TestDatabase.migrated(size: 4) { database, _ in
      let outcome = await sh(
        """
        reminders create --patients 600 || exit 1
        count() { psql "$DATABASE_URL" -XAtc "SELECT count(*) FROM rollup.jobs WHERE $1"; }
        # Each lives a little longer than the one before, so that on a slow machine too some come as far as a job.
        go() { n=$1; while [ ! -e stop ]; do reminders worker --lease 1 --chunk 20 --size 2 & w=$!; sleep $(( n / 10 )).$(( n % 10 )); kill -9 $w; wait $w 2>/dev/null; n=$(( n + 1 )); done; }
        go 4 & one=$!; go 7 & two=$!
        reminders night --organization 1; reminders night --organization 2
        sleep 6
        for i in $(seq 120); do [ "$(count 'attempts > 1')" -gt 0 ] && break; [ "$(count "state IN ('blocked', 'waiting', 'taken')")" = 0 ] && break; sleep 0.5; done
        touch stop; wait $one $two
        reminders worker --lease 1 & w=$!
        for i in $(seq 300); do
          [ "$(count "state IN ('blocked', 'waiting', 'taken')")" = 0 ] && break; sleep 0.2
        done
        kill -9 $w; wait $w 2>/dev/null; echo over
        """, database.url)
      #expect(outcome.output == "over\n", "\(outcome)")
      let day = CalendarDay(year: 2024, month: 6, day: 15)
      let (expected, emitted, sent, others, aside) = try await database.pool.withConnection {
        try await $0.query(
          Query(
            text: """
              SELECT count(*), (SELECT count(*) FROM rollup.emitted), (SELECT count(DISTINCT key) FROM clinic.sent),
                count(*) FILTER (WHERE h.key NOT IN (SELECT key FROM clinic.sent)),
                (SELECT count(*) FROM rollup.jobs WHERE state NOT IN ('done'))
              FROM (\(Practice.remindersByHand)) AS h (key)
              """, binds: [Bind(day)])
        ).only((Int, Int, Int, Int, Int).self)
      }
      #expect(expected > 30)
      #expect(emitted == expected)
      #expect(sent == expected)
      #expect(others == 0 && aside == 0)
      let rescued = try await database.pool.withConnection {
        try await $0.query("SELECT count(*) FROM rollup.jobs WHERE attempts > 1").only(Int.self)
      }
      #expect(rescued > 0, "nobody was killed in the middle of a job")
    }
  }

  @Test func aWorkerThatIsToldToStopGoesHome() async throws {
    try await TestDatabase.migrated(size: 2) { database, _ in
      let outcome = await sh(
        """
        rollup worker --verbose 2>log & w=$!
        until grep -q 'takes from' log; do sleep 0.05; done
        # At a load of 14 it once died of a signal that came in its first moments.
        sleep 1
        kill -TERM $w; wait $w; echo "exit $?"; grep -c 'has gone home' log
        rollup jobs --counts; rollup jobs --state wating; echo "exit $?"; rollup jobs retry 7; echo "exit $?"
        rollup graph | head -1
        """, database.url)
      #expect(
        outcome.output
          == "exit 0\n1\nqueue,state,jobs\nexit 64\nexit 1\nblood-pressure (kept at commit)\n",
        "\(outcome)")
      #expect(outcome.error.contains("did you mean waiting?"))
    }
  }
}
