import Foundation
import Postgres
import TestSupport
import Testing

/// The server is killed under the commands, and the commands themselves are, at random moments. Whatever was killed, the
/// same command again completes, and everything is right.
@Suite(.serialized) struct FaultTests {
  @Test func theServerDiesUnderEveryCommand() async throws {
    let programme = try await Programme(patients: 1200)
    for command in [
      "rollup import csv --readings \(programme.readings.path)",
      "rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --chunk 25",
      "rollup close --through 2024Q3",
      "rollup restate --quarter 2023Q2 --with-months --reason 'a late phone'",
      "rollup verify --closed",
    ] {
      if command.hasPrefix("rollup-backfill") { try await programme.forgetRollups() }
      if command.contains("restate") { try await programme.comeLate() }
      let deaths = try await programme.dies(under: command)
      #expect(deaths > 0, "\(command) was never met")
    }
    try await programme.check()
  }

  /// `kill -9` of whoever closes, restates or imports what is late. Published reports stay as they were.
  @Test func commandsAreKilledAtAnyMoment() async throws {
    let programme = try await Programme(patients: 600)
    var random = Seeded(5)
    let first = try await programme.sh("rollup close --month 2023-01")
    #expect(first.status == 0, "\(first)")
    var published: [String: String] = [:]
    for round in 0..<12 {
      let command = [
        "rollup close --through 2024Q3 --workers 2 --despite-backfill",
        "rollup import csv --readings \(programme.readings.path)",
        "rollup restate --quarter 2023Q2 --with-months --reason x --despite-backfill",
        "rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12",
      ][round % 4]
      let delay = Double.random(in: 0.02..<0.8, using: &random)
      _ = try await programme.sh(
        "\(command) 2>/dev/null & pid=$!; sleep \(delay); kill -9 $pid; wait $pid")
      published = try await programme.compare(with: published, "round \(round): \(command)")
    }
    #expect(!published.isEmpty)
    let closing = try await programme.sh(
      "rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 && rollup close --through 2024Q3"
    )
    #expect(closing.status == 0, "\(closing)")
    try await programme.check()
    _ = try await programme.compare(with: published, "at the end")
  }

  /// Two backfills on one run, `kill -9` of either at any moment, the server crashed now and then, an import all the while:
  /// the run completes, every chunk once, and no closed period changes. `ROLLUP_KILLS=200` kills as often.
  @Test func backfillsAreKilledAtAnyMoment() async throws {
    let kills = ProcessInfo.processInfo.environment["ROLLUP_KILLS"].flatMap(Int.init) ?? 12
    let programme = try await Programme(patients: 600)
    var random = Seeded(11)
    let closed = try await programme.sh("rollup close --through 2023Q2")
    #expect(closed.status == 0, "\(closed)")
    let published = try await programme.compare(with: [:], "closed")
    let command =
      "rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12 --chunk 30 --load always --lease 1"
    let writer = Task {
      while !Task.isCancelled {
        // Killed with the server, or done: again, with other values.
        _ = try await programme.sh(
          "rollup import csv --readings \(programme.readings.path) 2>&1; sed -i 's/,8\\([0-8]\\),/,8\\1,/; s/,80,/,81,/' \(programme.readings.path)"
        )
      }
    }
    for kill in 0..<kills {
      if kill % 6 == 0 { try await programme.forgetOpenPeriods() }
      let delay = Double.random(in: 0.05..<1.2, using: &random)
      async let killed = programme.sh(
        """
        \(command) 2>/dev/null & a=$!; \(command) 2>/dev/null & b=$!
        sleep \(delay); kill -9 $a; sleep \(delay / 3); kill -9 $b; wait $a $b
        """)
      if kill % 5 == 4 {
        try await Task.sleep(for: .seconds(delay / 2))
        try await programme.crash()
      }
      _ = try await killed
    }
    writer.cancel()
    _ = await writer.result
    let last = try await programme.sh(command)
    #expect(last.status == 0, "\(last)")
    try await programme.check()
    _ = try await programme.compare(with: published, "at the end")
  }
}

/// A programme on a server of its own, which may be killed.
private struct Programme {
  /// New readings in 2023 and 2024 of patients that are stored, as CSV.
  let readings: URL
  private let server: TestServer
  private let pool: Pool
  private let count = 8000

  init(patients: Int) async throws {
    server = try await onItsOwnThread { try TestServer(losesCommits: false) }
    pool = Pool(ConnectionSettings(conninfo: server.address), size: 2)
    readings = URL(filePath: server.folder).appending(path: "late.csv")
    let made = try await sh(
      """
      rollup migrate --time-zone Asia/Kolkata --first-period 2023Q1 && rollup sample-data --patients \(patients) --seed 1 --from 2023-01 --to 2024-12 \
      && rollup-backfill --max-latency 0 --from 2023-01 --to 2024-12
      """)
    #expect(made.status == 0, "\(made.error)")
    let ids = try await pool.withConnection {
      try await $0.query("SELECT id FROM patients ORDER BY id").map { try $0.decode(UUID.self) }
    }
    var random = Seeded(9)
    var text = "id,patient_id,facility_id,systolic,diastolic,recorded_at\n"
    for number in 0..<count {
      let seconds = Int.random(in: 1_672_600_000..<1_735_600_000, using: &random)
      let time = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
      let id = "10000000-0000-4000-8000-\(String(format: "%012d", number))"
      text +=
        "\(id),\(ids.randomElement(using: &random)!),,\(Int.random(in: 100..<180, using: &random)),80,\(time)\n"
    }
    try Data(text.utf8).write(to: readings)
  }

  func sh(_ script: String) async throws -> (status: Int32, output: String, error: String) {
    await TestSupport.sh(script, server.address)
  }

  func forgetRollups() async throws {
    try await pool.withConnection {
      try await $0.script("TRUNCATE rollup.blood_pressure_rollups, rollup.visit_rollups")
    }
  }

  /// As if the rollups of what is open had never been made. Who takes rows away that a backfill has looked at already gives
  /// that backfill up: it does not look again.
  func forgetOpenPeriods() async throws {
    let runs = try await pool.withConnection {
      try await $0.query("SELECT number FROM rollup.runs WHERE finished_at IS NULL").map {
        try $0.decode(Int.self)
      }
    }
    for run in runs {
      let outcome = try await sh("rollup-backfill --give-up \(run)")
      #expect(outcome.status == 0, "\(outcome)")
    }
    try await pool.withConnection {
      try await $0.script(
        """
        DELETE FROM rollup.blood_pressure_rollups WHERE period_start >= '2023-07-01';
        DELETE FROM rollup.visit_rollups WHERE period_start >= '2023-07-01';
        """)
    }
  }

  /// Waits until somebody else is at the server, or long enough.
  private func isAtWork() async throws {
    for _ in 0..<200 {
      let others = try? await pool.withConnection {
        try await $0.query(
          """
          SELECT count(*) FROM pg_stat_activity
          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state = 'active'
          """
        ).only(Int.self)
      }
      if let others, others > 0 { return }
      try await Task.sleep(for: .milliseconds(25))
    }
  }

  func crash() async throws { try await onItsOwnThread { [server] in try server.crash() } }

  /// Readings of closed periods are removed and others entered.
  func comeLate() async throws {
    let outcome = try await sh(
      "sed 's/^10000000/20000000/; s/,80,/,70,/' \(readings.path) | sed -n '1p;100,400p' > \(readings.path).late && rollup import csv --readings \(readings.path).late"
    )
    #expect(outcome.status == 0, "\(outcome.error)")
  }

  /// Runs a command until it is done, and kills the server under it three times if it lasts so long.
  /// - Returns: how often the command met it.
  func dies(under command: String) async throws -> Int {
    var deaths = 0
    for delay in [100, 250, 600] {
      async let outcome = sh(command)
      try await isAtWork()
      try await Task.sleep(for: .milliseconds(delay))
      try await crash()
      let (status, _, error) = try await outcome
      #expect([0, 69].contains(status), "\(command): \(status) \(error)")
      if status == 69 {
        deaths += 1
        #expect(error.contains("server") || error.contains("connection"), "\(error)")
      }
    }
    let last = try await sh(command)
    #expect(last.status == 0, "\(command): \(last.error)")
    return deaths
  }

  /// The reports of what is closed; those that were there before must be the same.
  func compare(with before: [String: String], _ when: String) async throws -> [String: String] {
    let outcome = try await sh(
      """
      rollup close --list | awk -F, '$2 == "closed" { print $1 }' | while read -r p; do
        case $p in *Q*) unit=quarter ;; *) unit=month ;; esac
        echo "$p $(report district-bp --$unit $p --edition 1 --raw --format csv | md5sum)"
      done
      """)
    #expect(outcome.status == 0, "\(when): \(outcome.error)")
    var now: [String: String] = [:]
    for line in outcome.output.split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
      now[parts[0]] = parts[1]
    }
    for (period, digest) in before { #expect(now[period] == digest, "\(when): \(period)") }
    return now
  }

  /// Every reading of the file is stored, once in the ledger for each closed period that could not take it, and everything
  /// verifies.
  func check() async throws {
    let imported = try await sh("rollup import csv --readings \(readings.path)")
    #expect(imported.status == 0, "\(imported.error)")
    let (stored, entries, distinct) = try await pool.withConnection {
      try await $0.query(
        """
        SELECT (SELECT count(*) FROM blood_pressures WHERE id::text LIKE '10000000-0000-4000-8000-%'),
          count(*), count(DISTINCT (row_id, period_type, period_start, effect))
        FROM rollup.late_arrivals
        WHERE change = 'insert'
        """
      ).only((Int, Int, Int).self)
    }
    #expect(stored == count && entries > 0 && entries == distinct)
    let verified = try await sh(
      "rollup verify --from 2023-01 --to 2024-12 && rollup verify --known-now && rollup verify --closed"
    )
    #expect(verified.status == 0, "\(verified)")
    await pool.close()
  }
}
