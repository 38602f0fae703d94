import Hypertension
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// Whose jobs, workers and runs are whose: what each role can say of them, and what nobody can forge (docs/queue.md).
@Suite(.timeLimit(.minutes(10))) struct JobRightsTests {
  // MARK: Applications and readers

  /// What says something of jobs that is not for an application to say. Jobs 1 and 2 are chunks of the backfill 1, job 3 is the
  /// application's that another login has asked for.
  static let forgeries = [
    "UPDATE rollup.jobs SET state = 'done'", "UPDATE rollup.jobs SET worker = 'somebody'",
    "UPDATE rollup.jobs SET alive_at = 'epoch'", "UPDATE rollup.jobs SET queue = 'mine'",
    "DELETE FROM rollup.jobs", "TRUNCATE rollup.jobs CASCADE",
    "INSERT INTO rollup.jobs (id, kind) OVERRIDING SYSTEM VALUE VALUES (1000000, 'a')",
    "INSERT INTO rollup.jobs (kind, state, worker, alive_at, lease) VALUES ('a', 'taken', 'victim', 'epoch', '1 s')",
    "INSERT INTO rollup.jobs (kind, state) VALUES ('a', 'done')",
    "INSERT INTO rollup.jobs (kind, attempts) VALUES ('a', 100)",
    "INSERT INTO rollup.jobs (kind, created_by) VALUES ('a', 'postgres')",
    "INSERT INTO rollup.jobs (kind, created_at) VALUES ('a', 'epoch')",
    "INSERT INTO rollup.jobs (kind, needs) VALUES ('a', 1)",
    "INSERT INTO rollup.jobs (kind, run) VALUES ('backfill', 1)",
    "INSERT INTO rollup.jobs (queue, kind, step) VALUES ('run 1', 'backfill', 1)",
    "INSERT INTO rollup.jobs (queue, kind) VALUES ('run 1', 'backfill')",
    "INSERT INTO rollup.jobs (kind) VALUES ('project level')",
    "INSERT INTO rollup.jobs (kind, unique_key) VALUES ('a', 'k')",
    "INSERT INTO rollup.job_needs SELECT 3, id FROM rollup.jobs WHERE id < 3",
    "DELETE FROM rollup.job_needs",
    "INSERT INTO rollup.emitted (action, key, emitted_at) VALUES ('a', 'k', 'epoch')",
    "UPDATE rollup.emitted SET key = 'x'", "DELETE FROM rollup.emitted",
    "INSERT INTO rollup.runs (kind, task) VALUES ('backfill', '{}')",
    "UPDATE rollup.runs SET finished_at = now()", "DELETE FROM rollup.runs",
    "INSERT INTO rollup.schedules (name, cron, kind, next_at) VALUES ('s', '* * * * *', 'a', now())",
    "UPDATE rollup.schedules SET next_at = 'epoch'", "DELETE FROM rollup.schedules",
    "INSERT INTO rollup.workers (name, login) VALUES ('victim', 'postgres')",
    "INSERT INTO rollup.worker_sessions SELECT 'victim', pid, backend_start, '' FROM pg_stat_activity",
    "UPDATE rollup.worker_sessions SET pid = 1", "DELETE FROM rollup.workers",
    "UPDATE rollup.readiness SET filled = NULL", "UPDATE rollup.deployment SET time_zone = 'UTC'",
    "SELECT rollup.register_session('victim', now())",
    "SELECT rollup.take_jobs(9, '{run 1,default}', '{backfill,a}', 'me', '1 s')",
    "SELECT rollup.complete_jobs('{1}', '{1}', 'victim', 0, 0, 0, 0, NULL)",
    "SELECT rollup.fail_job(1, 1, 'victim', '', 1)",
    "SELECT rollup.put_back_job(1, 1, 'victim', '0')", "SELECT rollup.keep_jobs('victim')",
    "SELECT rollup.rescue_jobs('me')", "SELECT rollup.retire_worker('victim')",
    "SELECT rollup.sessions_of('{victim}')", "SELECT rollup.prune_jobs('0', 1000)",
    "SELECT rollup.caller_is_owner()",
    "SELECT rollup.enqueue_job('q', 'backfill', '{}', 0::smallint, 1, 0, NULL, NULL, '{}', 5, NULL, 0::smallint)",
    "SELECT rollup.enqueue_job('run 1', 'backfill', '{}', 0::smallint, NULL, 0, NULL, NULL, '{}', 5, NULL, 1::smallint)",
    "SELECT rollup.enqueue_job('run 1', 'backfill', '{}', 0::smallint, NULL, 0, NULL, NULL, '{}', 5, NULL, 0::smallint)",
    "SELECT rollup.enqueue_job('q', 'a', '{}', 0::smallint, NULL, 0, NULL, NULL, '{1}', 5, NULL, 0::smallint)",
    "SELECT rollup.enqueue_job('q', 'project chunk', '{}', 0::smallint, NULL, 0, NULL, 'k', '{}', 5, NULL, 0::smallint)",
    "SELECT rollup.enqueue_job('q', 'a', '{}', 0::smallint, NULL, 0, NULL, 'schedule nightly', '{}', 5, NULL, 0::smallint)",
    "SELECT rollup.enqueue_jobs('{q}', '{a}', '{\"{}\"}', '{0}', '{1}', '{0}', '{5}', '{NULL}', '{NULL}', '{0}')",
    "SELECT rollup.enqueue_jobs('{run 1}', '{a}', '{\"{}\"}', '{0}', '{NULL}', '{0}', '{5}', '{NULL}', '{NULL}', '{1}')",
  ]

  /// By a login that is a member of the role, and by a session of a login with all rights that has set the role.
  @Test(
    arguments: [RollupRole.writer, .reporter, .server], [true, false])
  func noRoleForgesWhatBecameOfJobs(_ role: RollupRole, byLogin: Bool) async throws {
    try await TestDatabase.migrated(size: 4) { database, store in
      let run = try await Self.backfill(database)
      func record() async throws -> String {
        try await database.pool.withConnection {
          try await $0.query(
            """
            SELECT concat((SELECT jsonb_agg(j ORDER BY j.id) FROM rollup.jobs AS j), (SELECT jsonb_agg(r) FROM rollup.runs AS r),
              (SELECT jsonb_agg(n) FROM rollup.job_needs AS n), (SELECT jsonb_agg(w) FROM rollup.workers AS w),
              (SELECT jsonb_agg(s) FROM rollup.worker_sessions AS s), (SELECT jsonb_agg(e) FROM rollup.emitted AS e),
              (SELECT jsonb_agg(s) FROM rollup.schedules AS s), (SELECT jsonb_agg(d) FROM rollup.deployment AS d))
            """
          ).only(String.self)
        }
      }
      let before = try await record()
      func attempt(_ url: String, _ options: [String: String]) async throws {
        let connection = try await Connection.connect(
          ConnectionSettings(conninfo: url, options: options))
        for forgery in Self.forgeries {
          let refusal = await #expect(throws: PostgresError.self, "\(forgery)") {
            try await connection.script(forgery)
          }
          // A queue of a run is refused to whoever may not name the run.
          #expect(
            refusal?.sqlState == .insufficientPrivilege || refusal?.sqlState == .checkViolation,
            "\(forgery): \(refusal as Any)")
        }
        // Another's work is not taken back either, nor a chunk.
        let canCancel = role == .writer
        if canCancel {
          let cancelled = try await connection.query(
            "SELECT rollup.cancel_jobs('{1,2}') + rollup.retry_jobs('{1,2}')"
          ).only(Int.self)
          #expect(cancelled == 0)
        }
        await connection.close()
      }
      if byLogin {
        try await database.withLogin("app", in: [role.rawValue]) { try await attempt($0, [:]) }
      } else {
        try await attempt(database.url, ["role": role.rawValue])
      }
      let after = try await record()
      #expect(after == before)
      // So a period of the backfill is not closed.
      let closer = Closer(store.rollups, publishing: CarePublication(), author: "a test")
      #expect(try await Runs(database.pool).finish(run.number) == false)
      await #expect(throws: Closing.Refusal.self) {
        try await closer.close(Period(parsing: "2024-05"))
      }
    }
  }

  @Test func anApplicationAsksForWorkAndTakesItsOwnBack() async throws {
    try await TestDatabase.migrated(size: 4) { database, _ in
      _ = try await Self.backfill(database)
      try await database.withLogin("app", in: [RollupRole.writer.rawValue]) { url in
        let pool = Pool(ConnectionSettings(conninfo: url), size: 2)
        let jobs = Jobs(pool)
        let (first, second) = try await pool.transaction { tx in
          let many = try await jobs.enqueue([NewJob("a"), NewJob("b")], in: tx)
          var unique = NewJob("c", uniqueKey: "k", needs: many)
          unique.priority = 3
          let needing = try await jobs.enqueue(unique, in: tx)
          let again = try await jobs.enqueue(unique, in: tx)
          #expect(needing == again)
          try await tx.execute(
            "INSERT INTO rollup.jobs (queue, kind, arguments, max_failures) VALUES ('actions', 'send', '{}', 20)"
          )
          try await tx.execute(
            "INSERT INTO rollup.emitted (action, key) VALUES ('send', 'k') ON CONFLICT (action, key) DO NOTHING"
          )
          return (many[0], needing)
        }
        #expect(try await jobs.job(second)?.state == .blocked)
        // Job 3 is another login's.
        #expect(try await jobs.cancel([first, 3]) == 2)
        #expect(try await jobs.job(3)?.state == .waiting)
        #expect(try await jobs.retry([first, second, 3]) == 2)
        #expect(try await jobs.job(first)?.state == .waiting)
        await pool.close()
      }
    }
  }

  // MARK: Workers

  private static let workerFunctions = """
    rollup.register_session, rollup.sessions_of, rollup.retire_worker, rollup.take_jobs, rollup.keep_jobs, rollup.rescue_jobs,
    rollup.complete_jobs, rollup.fail_job, rollup.put_back_job, rollup.prune_jobs
    """

  /// A worker of an application that closes nothing: it may take the application's jobs, not the chunks of runs.
  @Test func aWorkerWithoutTheOwnersRightsDoesJobsButNoChunks() async throws {
    try await TestDatabase.migrated(size: 4) { database, _ in
      _ = try await Self.backfill(database)
      try await database.withLogin("mailer", in: [RollupRole.writer.rawValue]) { url in
        let login = try #require(url.split(separator: "user=").last.map(String.init))
        try await database.pool.withConnection {
          try await $0.script("GRANT EXECUTE ON FUNCTION \(Self.workerFunctions) TO \(login)")
        }
        let name = Worker.newName()
        let pool = Pool(ConnectionSettings(conninfo: url).sessions(of: name), size: 4)
        let jobs = Jobs(pool)
        try await jobs.enqueue(NewJob("a"))
        try await Worker(
          jobs, name: name,
          settings: .init(
            queues: ["default"], pollInterval: .milliseconds(20), leavesWhenOver: true),
          handlers: ["a": { _ in }]
        ).run()
        #expect(try await jobs.last(9, states: [.done]).map(\.kind) == ["a", "a"])
        let chunks = try await jobs.take(9, of: ["run 1"], kinds: ["backfill"], as: "mine")
        #expect(chunks.isEmpty)
        #expect(try await jobs.cancel([1, 2]) == 0)
        // Nor does it take jobs under the name of the worker that has a chunk, or complete that.
        await #expect(throws: PostgresError.self) {
          try await jobs.take(9, of: ["default"], kinds: ["a"], as: "victim")
        }
        let chunk = try #require(try await jobs.job(1))
        await #expect(throws: LostJob.self) {
          try await pool.transaction { tx in try await jobs.complete(chunk, as: "victim", in: tx) }
        }
        #expect(try await jobs.job(1)?.state == .taken)
        await pool.close()
      }
    }
  }

  /// The dead worker's, recorded by themselves and of the login of whoever takes over: not those that merely go by its name.
  @Test func onlyADeadWorkersOwnSessionsAreEnded() async throws {
    try await TestDatabase.migrated(size: 4) { database, _ in
      let jobs = Jobs(database.pool, policy: JobPolicy(lease: .zero))
      let settings = ConnectionSettings(conninfo: database.url)
      let dead = try await Connection.connect(settings.sessions(of: "worker dead"))
      var named = settings
      named.applicationName = "worker dead"
      let bystander = try await Connection.connect(named)
      try await database.withLogin("mailer", in: [RollupRole.closer.rawValue]) { url in
        // Another login says that it is the same worker, and that one of its own is.
        let other = ConnectionSettings(conninfo: url)
        let pretender = try await Connection.connect(other.sessions(of: "worker dead"))
        let foreign = try await Connection.connect(other.sessions(of: "worker of another"))
        try await jobs.enqueue(NewJob("a"))
        _ = try await jobs.take(1, of: ["default"], kinds: ["a"], as: "worker dead")
        let theirs = Jobs(Pool(other, size: 1), policy: JobPolicy(lease: .zero))
        try await jobs.enqueue(NewJob("b"))
        _ = try await theirs.take(1, of: ["default"], kinds: ["b"], as: "worker of another")
        #expect(try await jobs.rescue(by: "me") == 2)
        await #expect(throws: PostgresError.self) { try await dead.query("SELECT 1") }
        for connection in [bystander, pretender, foreign] {
          _ = try await connection.query("SELECT 1")
          await connection.close()
        }
        await theirs.pool.close()
      }
    }
  }

  /// Of old sessions nothing is left but their numbers, which the next ones have.
  @Test func workersThatAreGoneAreForgotten() async throws {
    try await TestDatabase.migrated(size: 4) { database, _ in
      let jobs = Jobs(database.pool)
      let settings = ConnectionSettings(conninfo: database.url)
      let left = try await Connection.connect(settings.sessions(of: "worker that left"))
      let busy = try await Connection.connect(settings.sessions(of: "worker at work"))
      try await jobs.enqueue(NewJob("a"))
      _ = try await jobs.take(1, of: ["default"], kinds: ["a"], as: "worker at work")
      await left.close()
      try await database.pool.withConnection {
        try await $0.script("UPDATE rollup.workers SET alive_at = 'epoch'")
      }
      try await busy.untilGone("worker that left")
      try await jobs.prune()
      let known = try await busy.query(
        "SELECT name, (SELECT count(*) FROM rollup.worker_sessions) FROM rollup.workers"
      ).only((String, Int).self)
      #expect(known == ("worker at work", 1))
      await busy.close()
    }
  }

  // MARK: Parts

  /// A backfill of May 2024 that another program has begun: a chunk in its hands, one that waits; and a job of somebody's.
  private static func backfill(_ database: TestDatabase) async throws -> Run {
    let runs = Runs(database.pool)
    let (run, _) = try await runs.begin(
      "backfill", task: #"{"from":"2024-05","to":"2024-05"}"#, resuming: false,
      chunks: {
        (1...2).map {
          RunChunk(
            number: $0, step: $0, what: "mend", scope: .subjects(["\($0)"]), subjects: 1)
        }
      })
    let taken = try await runs.jobs.take(1, of: ["run 1"], kinds: ["backfill"], as: "victim")
    try #require(taken.map(\.id) == [1])
    try await runs.jobs.enqueue(NewJob("a"))
    return run
  }
}

extension Connection {
  fileprivate func untilGone(_ name: String) async throws {
    while try await query(
      "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = \(name))"
    ).only(Bool.self) { try await Task.sleep(for: .milliseconds(5)) }
  }
}
