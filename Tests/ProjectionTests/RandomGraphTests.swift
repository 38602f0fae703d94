import Foundation
import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// Random graphs, lenses and changes, both engines, workers killed.
@Suite(.timeLimit(.minutes(30))) struct RandomGraphTests {
  /// What was materialised is what Swift makes of the sources, nothing else has changed, and each action was noted once.
  @Test(arguments: seeds(12))
  func aMaterialisedScopeEqualsItsDerivationFromNothing(seed: UInt64) async throws {
    try await withGraph(seed) { pool, random, projector in
      var random = Seeded(seed &+ 7)
      let jobs = Jobs(pool)
      var noticed: Set<String> = []
      for step in 0..<15 {
        for _ in 0..<Int.random(in: 1...6, using: &random) {
          try await RandomGraph.change(pool, &random)
        }
        let (lens, isIn) = RandomGraph.lens(&random)
        let before = try await tables(random: graphOf(random: seed), pool)
        if Int.random(in: 0...2, using: &random) == 0 {
          try await byQueue(projector, jobs, graphOf(random: seed).target.projection, lens)
        } else {
          try await projector.begin(graphOf(random: seed).target.projection, lens: lens).wait()
        }
        try await check(
          graphOf(random: seed), pool, before, isIn, "seed \(seed), step \(step), \(lens)")
        let target = try await RandomGraph.lines(of: graphOf(random: seed).target, pool)
        noticed.formUnion(target.map { "[\($0.unit), \($0.grp), \($0.val)]" })
        let drift = try await projector.verify(graphOf(random: seed).target.projection, lens: lens)
        #expect(drift.isEmpty, "seed \(seed), step \(step), \(lens): \(drift.prefix(3))")
      }
      let keys = try await emitted(pool)
      #expect(keys.count == Set(keys).count, "seed \(seed)")
      let differing = noticed.symmetricDifference(keys)
      #expect(differing.isEmpty, "seed \(seed): \(differing.sorted())")
    }
  }

  /// Writers and materialisations of all kinds at once, workers dying all the while: at the end every scope that was asked
  /// for after its last change is right.
  @Test(arguments: seeds(6))
  func concurrentHistoriesEndExact(seed: UInt64) async throws {
    try await withGraph(seed, mayBeWide: false) { pool, _, projector in
      let graph = try RandomGraph(seed: seed, mayBeWide: false)
      let target = graph.target.projection
      let jobs = Jobs(
        pool, policy: JobPolicy(lease: .seconds(2), backoff: .milliseconds(20)))
      let queue = QueueEngine(jobs)
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<2 {
          group.addTask { try await mortalWorkers(projector, jobs, seed, number) }
        }
        try await withThrowingTaskGroup(of: Void.self) { writers in
          for writer in 0..<4 {
            writers.addTask {
              var random = Seeded(seed &* 100 &+ UInt64(writer))
              for _ in 0..<12 {
                let unit = try await RandomGraph.change(pool, &random, mayMove: false)
                let lens: Projection.Lens = .where(RandomGraph.unit, is: unit)
                if Bool.random(using: &random) {
                  try await projector.begin(target, lens: lens).wait()
                } else {
                  try await projector.begin(target, lens: lens, on: queue).wait()
                }
              }
            }
          }
          writers.addTask {
            for org in [1, 2, 3, 1, 2, 3] {
              try await projector.begin(
                target, lens: .where(RandomGraph.org, is: org), on: queue
              ).wait()
            }
          }
          try await writers.waitForAll()
        }
        group.cancelAll()
        while (try? await group.next()) != nil {}
      }
      let drift = try await projector.verify(graph.target.projection, lens: .everything)
      #expect(drift.isEmpty, "seed \(seed): \(drift.prefix(3))")
      let sources = try await RandomGraph.sources(pool)
      let lines = try await RandomGraph.lines(of: graph.target, pool)
      #expect(lines.sorted() == graph.target.oracle(sources).sorted(), "seed \(seed)")
      let keys = try await emitted(pool)
      #expect(Set(lines.map { "[\($0.unit), \($0.grp), \($0.val)]" }).isSubset(of: Set(keys)))
      #expect(Set(keys).count == keys.count)
      #expect(
        try await pool.withConnection {
          try await $0.query(
            "SELECT (SELECT count(*) FROM rollup.emitted) = (SELECT count(*) FROM rollup.jobs WHERE kind = 'action noticed')"
          ).only(Bool.self)
        })
    }
  }

  /// Removing the rows of a scope removes those and no others.
  @Test(arguments: seeds(4))
  func takingAwayIsOfTheLens(seed: UInt64) async throws {
    try await withGraph(seed) { pool, _, projector in
      var random = Seeded(seed)
      let graph = try RandomGraph(seed: seed)
      for _ in 0..<30 { try await RandomGraph.change(pool, &random) }
      try await projector.begin(graph.target.projection, lens: .everything).wait()
      let before = try await RandomGraph.lines(of: graph.target, pool)
      let (lens, isIn) = RandomGraph.lens(&random)
      let removed = try await projector.dematerialise(graph.target.projection, lens: lens)
      let after = try await RandomGraph.lines(of: graph.target, pool)
      #expect(after.sorted() == before.filter { !isIn($0) }.sorted(), "seed \(seed), \(lens)")
      #expect(removed == before.count - after.count)
    }
  }

  // MARK: Parts

  private func graphOf(random seed: UInt64) -> RandomGraph {
    guard let graph = try? RandomGraph(seed: seed) else { preconditionFailure("seed \(seed)") }
    return graph
  }

  private func withGraph(
    _ seed: UInt64, mayBeWide: Bool = true,
    _ body: (Pool, RandomGraph, Projector) async throws -> Void
  ) async throws {
    let graph = try RandomGraph(seed: seed, mayBeWide: mayBeWide)
    try await TestDatabase.migrated(size: 16) { database, _ in
      try await database.pool.withConnection { try await $0.script(RandomGraph.schema) }
      let projector = Projector(
        database.pool, graph.graph, timeZone: "Asia/Kolkata", streams: graph.streams, chunkSize: 2)
      try await projector.deploy()
      try await body(database.pool, graph, projector)
    }
  }

  private func tables(random graph: RandomGraph, _ pool: Pool) async throws -> [[RandomGraph.Line]]
  {
    var tables: [[RandomGraph.Line]] = []
    for node in graph.nodes { tables.append(try await RandomGraph.lines(of: node, pool)) }
    return tables
  }

  private func check(
    _ graph: RandomGraph, _ pool: Pool, _ before: [[RandomGraph.Line]],
    _ isIn: (RandomGraph.Line) -> Bool, _ what: String
  ) async throws {
    let sources = try await RandomGraph.sources(pool)
    let after = try await tables(random: graph, pool)
    let right = graph.target.oracle(sources).filter(isIn).sorted()
    #expect(after[after.count - 1].filter(isIn).sorted() == right, "\(what)")
    for (number, node) in graph.nodes.enumerated()
    where node.hasUnit && !graph.nodes.contains(where: \.isWide) {
      // A row that was outside is as it was, unless its key is in the lens now: its unit has moved.
      let moved = Set(after[number].filter(isIn).map { [$0.unit, $0.grp] })
      let was = Set(before[number]).filter { !isIn($0) }
      let stays = after[number].filter { !isIn($0) }
      let isMoved = was.subtracting(stays).allSatisfy { moved.contains([$0.unit, $0.grp]) }
      #expect(was.isSuperset(of: stays) && isMoved, "\(what), \(node.projection.name)")
    }
  }

  private func byQueue(
    _ projector: Projector, _ jobs: Jobs, _ target: Projection, _ lens: Projection.Lens
  ) async throws {
    let engine = QueueEngine(jobs)
    let undertaking = try await projector.begin(target, lens: lens, on: engine)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await Worker(
          jobs, settings: .init(queues: ["projections"], pollInterval: .milliseconds(5)),
          handlers: engine.handlers(for: projector)
        ).run()
      }
      try await undertaking.wait()
      group.cancelAll()
      try await group.waitForAll()
    }
    #expect(try await undertaking.progress().isOver)
  }

  /// Workers one after another, each of which loses all its sessions in the middle of its work and is not heard of again.
  private func mortalWorkers(_ projector: Projector, _ jobs: Jobs, _ seed: UInt64, _ number: Int)
    async throws -> Bool
  {
    var random = Seeded(seed &+ UInt64(number))
    let address = try await jobs.pool.withConnection {
      try await $0.query(
        "SELECT current_setting('unix_socket_directories'), current_database()::text")
    }.only((String, String).self)
    // On a starved machine a job may take longer than a worker lives: the last one stays.
    var lives = 12
    while !Task.isCancelled {
      lives -= 1
      let name = Worker.newName()
      let mine = Pool(
        ConnectionSettings(
          conninfo: "postgresql:///\(address.1)?host=\(address.0)&port=5432&user=postgres",
          applicationName: Jobs.sessionName(name)), size: 6)
      let myJobs = Jobs(mine, policy: jobs.policy)
      let work = Task {
        let engine = QueueEngine(myJobs)
        try await Worker(
          myJobs, name: name,
          settings: .init(
            queues: ["projections"], pollInterval: .milliseconds(5), drainLimit: .zero),
          handlers: engine.handlers(
            for: Projector(
              mine, projector.graph, timeZone: "Asia/Kolkata",
              streams: RandomGraph(seed: seed, mayBeWide: false).streams, chunkSize: 2))
        ).run()
      }
      let life = Int.random(in: 200...1200, using: &random)
      try? await Task.sleep(for: lives > 0 ? .milliseconds(life) : .seconds(3600))
      _ = try? await jobs.pool.withConnection {
        try await $0.query(
          "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = \(Jobs.sessionName(name))"
        )
      }
      work.cancel()
      _ = try? await work.value
      await mine.close()
    }
    return true
  }

  private func emitted(_ pool: Pool) async throws -> [String] {
    try await pool.withConnection {
      try await $0.query("SELECT arguments->>'key' FROM rollup.jobs WHERE kind = 'action noticed'")
        .map {
          try $0.decode(String.self)
        }
    }
  }
}
