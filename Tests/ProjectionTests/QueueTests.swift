import Foundation
import Postgres
import RollupStore
import Synchronization
import TestSupport
import Testing

/// What a durable queue promises.
@Suite(.timeLimit(.minutes(30))) struct QueueTests {
  // MARK: Order and uniqueness

  @Test func smallerPriorityGoesFirstThenWhatWasAskedForFirst() async throws {
    try await withJobs { jobs in
      for (kind, priority) in [("a", 1), ("b", 0), ("c", 0), ("d", -1)] {
        var job = NewJob(kind)
        job.priority = priority
        try await jobs.enqueue(job)
      }
      let taken = try await jobs.take(
        3, of: ["default"], kinds: ["a", "b", "c", "d"], as: "worker 1")
      #expect(taken.map(\.kind) == ["d", "b", "c"])
    }
  }

  @Test func otherQueuesAndKindsAndLaterJobsAreLeft() async throws {
    try await withJobs { jobs in
      try await jobs.enqueue(NewJob("a", queue: "other"))
      try await jobs.enqueue(NewJob("b"))
      try await jobs.enqueue(NewJob("a", notBefore: Timestamp(Date() + 3600)))
      #expect(try await jobs.take(9, of: ["default"], kinds: ["a"], as: "worker 1").isEmpty)
    }
  }

  /// The planner expects no job of a kind that was not there when it last looked, and would read and sort all that wait.
  @Test func theNextJobsAreFoundWithoutReadingAllOfThem() async throws {
    try await TestDatabase.migrated(size: 2) { database, _ in
      try await database.pool.transaction { tx in
        try await Jobs(database.pool).enqueue((0..<2000).map { _ in NewJob("a") }, in: tx)
      }
      try await database.pool.withConnection { connection in
        try await connection.script(
          """
          UPDATE rollup.jobs SET state = 'done' WHERE id % 2 = 0;
          ALTER TABLE rollup.jobs SET (autovacuum_enabled = false);
          ANALYZE rollup.jobs;
          """)
      }
      try await database.pool.transaction { tx in
        try await Jobs(database.pool).enqueue(
          (0..<5000).map { _ in NewJob("b", queue: "new") }, in: tx)
      }
      await database.pool.close()
      // Rows of the table read one after the other, and entries of the index. Sessions tell when they end, at the latest.
      func read() async throws -> Int {
        let connection = try await database.connect()
        let read = try await connection.query(
          "SELECT pg_stat_get_tuples_returned('rollup.jobs'::regclass) + pg_stat_get_tuples_returned('rollup.jobs_waiting'::regclass)"
        ).only(Int.self)
        await connection.close()
        return read
      }
      let before = try await read()
      let pool = Pool(ConnectionSettings(conninfo: database.url), size: 1)
      for _ in 0..<10 {
        #expect(
          try await Jobs(pool).take(32, of: ["new"], kinds: ["b"], as: "worker 1").count == 32)
      }
      await pool.close()
      try await Task.sleep(for: .milliseconds(200))
      let after = try await read()
      // Entries of jobs that were just taken are passed over: at most 1440 in all, of 70,000 jobs to be read without the index. The
      // sessions before may tell of the 2,000 that they have updated only now.
      #expect(320...4000 ~= after - before, "\(after - before) to take 320")
    }
  }

  @Test func aUniqueJobIsThereOnceUntilItBegins() async throws {
    try await withJobs { jobs in
      let unique = NewJob("a", uniqueKey: "x")
      let ids = try await withThrowingTaskGroup(of: Int64.self) { group in
        for _ in 0..<20 { group.addTask { try await jobs.enqueue(unique) } }
        return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
      }
      #expect(ids.count == 1)
      _ = try await jobs.take(1, of: ["default"], kinds: ["a"], as: "worker 1")
      // It has begun, and may not see what is asked for now.
      #expect(try await jobs.enqueue(unique) != ids.first)
    }
  }

  @Test func aJobOfATransactionThatIsRolledBackNeverWas() async throws {
    try await withJobs { jobs async throws -> Void in
      struct Regret: Error {}
      try? await jobs.pool.transaction { tx in
        try await jobs.enqueue(NewJob("a"), in: tx)
        throw Regret()
      }
      #expect(try await jobs.last(9).isEmpty)
    }
  }

  // MARK: Doing

  @Test func everyJobIsDoneOnceByManyWorkers() async throws {
    try await withJobs { jobs in
      try await jobs.pool.transaction { tx in
        try await tx.execute("CREATE TABLE done (id bigint)")
        try await jobs.enqueue((0..<500).map { _ in NewJob("a") }, in: tx)
      }
      try await working(
        jobs, count: 4,
        [
          "a": { claim in
            try await jobs.pool.transaction { tx in
              try await tx.execute("INSERT INTO done VALUES (\(claim.job.id))")
              try await claim.complete(in: tx)
            }
          }
        ]
      ) {
        try await isTrue(jobs, "(SELECT count(*) FROM done) = 500")
      }
      #expect(
        try await isTrueNow(
          jobs, "(SELECT count(DISTINCT id) FROM done) = 500 AND (SELECT count(*) FROM done) = 500")
      )
      #expect(
        try await isTrueNow(
          jobs, "NOT EXISTS (SELECT FROM rollup.jobs WHERE state <> 'done' OR failures > 0)"))
    }
  }

  @Test func aJobIsDoneAfterThoseItNeeds() async throws {
    try await withJobs { jobs in
      let order = Mutex<[String]>([])
      try await jobs.pool.transaction { tx in
        let first = try await jobs.enqueue((0..<20).map { _ in NewJob("first") }, in: tx)
        let then = try await jobs.enqueue(NewJob("then", needs: first), in: tx)
        try await jobs.enqueue(NewJob("last", needs: [then, first[3]]), in: tx)
      }
      let note: Worker.Handler = { claim in order.withLock { $0.append(claim.job.kind) } }
      try await working(jobs, count: 2, ["first": note, "then": note, "last": note]) {
        try await isTrue(jobs, "(SELECT count(*) FROM rollup.jobs WHERE state = 'done') = 22")
      }
      #expect(order.withLock { $0 } == Array(repeating: "first", count: 20) + ["then", "last"])
    }
  }

  /// One that was set aside does not hold up the rest.
  @Test func aStepIsTakenWhenTheStepsBeforeAreOver() async throws {
    try await withJobs { jobs in
      let ids = try await jobs.pool.transaction { tx in
        try await jobs.enqueue([2, 1, 1, 3].map { NewJob("a", queue: "q", step: $0) }, in: tx)
      }
      func take() async throws -> [Job] {
        try await jobs.take(9, of: ["q"], kinds: ["a"], as: "worker 1")
      }
      let first = try await take()
      #expect(first.map(\.id) == [ids[1], ids[2]])
      #expect(try await take().isEmpty)
      try await jobs.pool.transaction { tx in
        try await jobs.complete(first[0], as: "worker 1", in: tx)
      }
      #expect(try await take().isEmpty)
      try await jobs.pool.withConnection {
        try await $0.script("UPDATE rollup.jobs SET state = 'aside' WHERE state = 'taken'")
      }
      #expect(try await take().map(\.id) == [ids[0]])
      #expect(try await take().isEmpty)
      // Tried again, it goes first.
      #expect(try await jobs.retry([ids[2]]) == 1)
      #expect(try await take().map(\.id) == [ids[2]])
    }
  }

  @Test func aWorkerMayLeaveWhenNothingOfItsQueuesIsLeft() async throws {
    try await withJobs(JobPolicy(lease: .milliseconds(400), backoff: .milliseconds(20))) { jobs in
      struct Broken: Error {}
      let bad = try await jobs.pool.transaction { tx in
        try await jobs.enqueue(NewJob("b"), in: tx)
        try await jobs.enqueue(
          (0..<20).map { NewJob("a", queue: "q", step: 1 + $0 % 3) }, in: tx)
        return try await jobs.enqueue(NewJob("a", queue: "q", maxFailures: 2, step: 2), in: tx)
      }
      // In the hands of a worker that is dead, which is waited for.
      _ = try await jobs.take(1, of: ["q"], kinds: ["a"], as: "worker dead")
      let states = Mutex<[Job.State]>([])
      try await Worker(
        jobs,
        settings: .init(
          queues: ["q"], size: 3, pollInterval: .milliseconds(20), leavesWhenOver: true),
        handlers: ["a": { if $0.job.id == bad { throw Broken() } }],
        failed: { _, _, state in states.withLock { $0.append(state) } }
      ).run()
      #expect(states.withLock { $0 } == [.waiting, .aside])
      #expect(
        try await isTrueNow(
          jobs,
          "(SELECT array_agg(DISTINCT state) FROM rollup.jobs WHERE queue = 'q' AND id <> \(bad)) = '{done}'"
        ))
    }
  }

  @Test func aJobThatFailsIsTriedAgainLaterAndThenSetAside() async throws {
    try await withJobs(JobPolicy(backoff: .milliseconds(20))) { jobs in
      struct Broken: Error {}
      let id = try await jobs.enqueue(NewJob("a", maxFailures: 3))
      let needing = try await jobs.enqueue(NewJob("b", needs: [id]))
      try await working(jobs, count: 1, ["a": { _ in throw Broken() }, "b": { _ in }]) {
        try await isTrue(jobs, "EXISTS (SELECT FROM rollup.jobs WHERE state = 'aside')")
      }
      let job = try #require(try await jobs.job(id))
      #expect(job.failures == 3 && job.attempts == 3 && job.error?.contains("Broken") == true)
      #expect(try await jobs.job(needing)?.state == .blocked)
      #expect(try await jobs.retry([id]) == 1)
      try await working(jobs, count: 1, ["a": { _ in }, "b": { _ in }]) {
        try await isTrue(jobs, "NOT EXISTS (SELECT FROM rollup.jobs WHERE state <> 'done')")
      }
    }
  }

  @Test func aJobThatTakesTooLongIsGivenUp() async throws {
    try await withJobs { jobs in
      try await jobs.enqueue(NewJob("a", maxFailures: 1, timeLimit: 1))
      try await working(
        jobs, count: 1,
        [
          "a": { _ in
            try await jobs.pool.withConnection { _ = try await $0.query("SELECT pg_sleep(60)") }
          }
        ]
      ) {
        try await isTrue(
          jobs,
          "EXISTS (SELECT FROM rollup.jobs WHERE state = 'aside' AND error LIKE 'not done within%')"
        )
      }
    }
  }

  @Test func aJobInHandIsStoppedWhenItIsCancelledAndThoseThatNeedItAreToo() async throws {
    try await withJobs(JobPolicy(lease: .milliseconds(400))) { jobs in
      let id = try await jobs.enqueue(NewJob("a"))
      let needing = try await jobs.enqueue(NewJob("a", needs: [id]))
      let stopped = Mutex(false)
      let work: Worker.Handler = { _ in
        do { try await Task.sleep(for: .seconds(6000)) } catch {
          stopped.withLock { $0 = true }
          throw error
        }
      }
      try await working(jobs, count: 1, ["a": work]) {
        try await isTrue(jobs, "EXISTS (SELECT FROM rollup.jobs WHERE state = 'taken')")
        #expect(try await jobs.cancel([id]) == 2)
        try await isTrue(jobs, "NOT EXISTS (SELECT FROM rollup.jobs WHERE state <> 'cancelled')")
      }
      #expect(stopped.withLock { $0 })
      #expect(try await jobs.job(needing)?.state == .cancelled)
    }
  }

  // MARK: Death and departure

  @Test func aDeadWorkersJobIsDoneByAnotherAndItsSessionsAreEnded() async throws {
    try await withJobs(JobPolicy(lease: .milliseconds(300))) { jobs in
      let id = try await jobs.enqueue(NewJob("a"))
      // A worker that takes the job, holds something, and is not heard of again.
      let address = try await jobs.pool.withConnection {
        try await $0.query(
          "SELECT current_setting('unix_socket_directories'), current_database()::text")
      }.only((String, String).self)
      let dead = try await Connection.connect(
        ConnectionSettings(
          conninfo: "postgresql:///\(address.1)?host=\(address.0)&port=5432&user=postgres"
        ).sessions(of: "worker dead"))
      let lost = try #require(
        try await jobs.take(1, of: ["default"], kinds: ["a"], as: "worker dead").first)
      try await dead.script("BEGIN; SELECT pg_advisory_xact_lock(7)")
      try await working(
        jobs, count: 1,
        [
          "a": { claim in
            try await jobs.pool.transaction { tx in
              _ = try await tx.query("SELECT pg_advisory_xact_lock(7)")
              try await claim.complete(in: tx)
            }
          }
        ]
      ) { try await isTrue(jobs, "EXISTS (SELECT FROM rollup.jobs WHERE state = 'done')") }
      let job = try #require(try await jobs.job(id))
      #expect(job.attempts >= 2 && job.failures == 0 && job.worker != "worker dead")
      // What it would have committed is refused.
      await #expect(throws: LostJob.self) {
        try await jobs.pool.transaction { tx in
          try await jobs.complete(lost, as: "worker dead", in: tx)
        }
      }
      await #expect(throws: PostgresError.self) { try await dead.query("SELECT 1") }
    }
  }

  @Test func aWorkerIsDeadByItsOwnLeaseOnly() async throws {
    try await withJobs(JobPolicy(lease: .seconds(600))) { jobs in
      let impatient = Jobs(jobs.pool, policy: JobPolicy(lease: .zero))
      let (mine, theirs) = (
        try await jobs.enqueue(NewJob("a")), try await jobs.enqueue(NewJob("b"))
      )
      _ = try #require(try await jobs.take(1, of: ["default"], kinds: ["a"], as: "patient").first)
      _ = try #require(
        try await impatient.take(1, of: ["default"], kinds: ["b"], as: "impatient").first)
      #expect(try await impatient.rescue() == 1)
      #expect(try await jobs.job(mine)?.state == .taken)
      #expect(try await jobs.job(theirs)?.state == .waiting)
    }
  }

  @Test func aWorkerThatIsToldToGoFinishesWhatItHasAndTakesNoMore() async throws {
    try await withJobs { jobs in
      try await jobs.pool.transaction { tx in
        try await jobs.enqueue((0..<10).map { _ in NewJob("a") }, in: tx)
      }
      let shift = Shift()
      let worker = Worker(
        jobs, settings: .init(size: 2),
        handlers: [
          "a": { _ in
            shift.end()
            try await Task.sleep(for: .milliseconds(200))
          }
        ])
      try await worker.run(shift)
      #expect(
        try await isTrueNow(jobs, "(SELECT count(*) FROM rollup.jobs WHERE state = 'done') = 2"))
      #expect(
        try await isTrueNow(jobs, "(SELECT count(*) FROM rollup.jobs WHERE state = 'waiting') = 8"))
    }
  }

  @Test func whatIsNotFinishedInTimeIsPutBackAsIfItHadNotBeenTaken() async throws {
    try await withJobs { jobs in
      let id = try await jobs.enqueue(NewJob("a"))
      let shift = Shift()
      let worker = Worker(
        jobs, settings: .init(size: 2, drainLimit: .milliseconds(50)),
        handlers: [
          "a": { _ in
            shift.end()
            try await Task.sleep(for: .seconds(60))
          }
        ])
      try await worker.run(shift)
      let job = try #require(try await jobs.job(id))
      #expect(job.state == .waiting && job.failures == 0)
    }
  }

  // MARK: The clock

  @Test func aScheduleMakesItsJobOnceWhoeverNotices() async throws {
    try await withJobs { jobs in
      let schedules = Schedules(jobs, timeZone: "Asia/Kolkata")
      let evening = ISO8601DateFormatter().date(from: "2024-06-30T20:00:00Z")!
      try await schedules.set("nightly", Cron("30 2 * * *"), NewJob("night"), now: evening)
      #expect(try await schedules.makeDue(now: evening) == 0)
      // Nobody looked for three days: it is made up for once.
      let later = evening + 3 * 86_400
      let made = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<8 { group.addTask { try await schedules.makeDue(now: later) } }
        return try await group.reduce(0, +)
      }
      #expect(made == 1)
      #expect(try await jobs.last(9).map(\.kind) == ["night"])
      let next = try #require(try await schedules.all().first?.nextAt)
      #expect(next.description == "2024-07-03T21:00:00.000000Z")
    }
  }

  @Test func oldJobsAreForgotten() async throws {
    try await withJobs { jobs in
      try await jobs.pool.transaction { tx in
        try await jobs.enqueue((0..<5).map { _ in NewJob("a") }, in: tx)
        try await tx.execute(
          "UPDATE rollup.jobs SET state = 'done', done_at = now() - id * interval '2 days'")
      }
      #expect(try await jobs.prune() == 2)
    }
  }

  // MARK: Parts

  private func withJobs(
    _ policy: JobPolicy = JobPolicy(), _ body: (Jobs) async throws -> Void
  ) async throws {
    try await TestDatabase.migrated(size: 12) { database, _ in
      try await body(Jobs(database.pool, policy: policy))
    }
  }

  /// Workers until `body` has returned.
  private func working(
    _ jobs: Jobs, count: Int, _ handlers: [String: Worker.Handler],
    until body: () async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<count {
        group.addTask {
          try await Worker(
            jobs, settings: .init(size: 4, pollInterval: .milliseconds(20)), handlers: handlers
          ).run()
        }
      }
      try await body()
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  private func isTrue(_ jobs: Jobs, _ condition: String) async throws {
    while try await !isTrueNow(jobs, condition) { try await Task.sleep(for: .milliseconds(20)) }
  }

  private func isTrueNow(_ jobs: Jobs, _ condition: String) async throws -> Bool {
    try await jobs.pool.withConnection {
      try await $0.query(Query(text: "SELECT \(condition)")).only(Bool.self)
    }
  }
}
