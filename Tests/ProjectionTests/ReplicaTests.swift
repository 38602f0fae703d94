import PeriodRollups
import Postgres
import RollupStore
import TestSupport
import Testing

/// A projection that reads a replica and writes to the primary, on two servers.
@Suite struct ReplicaTests {
  private static let id = Field<Int>("thing_id")
  private static let note = Column("note", .text)
  private static let things = Table("things", table: "things", columns: [id.column, note])
  private static let kept = Projection.derived(
    "kept", table: "kept", columns: [id.column, note], key: [id.column], scopes: [id.column],
    unit: id.column, options: .init(reads: .replica)
  ) { ["SELECT t.thing_id, t.note FROM \(things) AS t"] }

  /// What is committed before a scope is materialised is in its rows, however far behind the replica is.
  @Test func whatIsCommittedIsReadHoweverFarTheReplicaIsBehind() async throws {
    let (primary, replica) = try await onItsOwnThread {
      let primary = try TestServer()
      return (primary, try primary.replica())
    }
    let writing = Pool(ConnectionSettings(conninfo: primary.address), size: 6)
    let reading = Pool(ConnectionSettings(conninfo: replica.address), size: 3)
    try await run("CREATE TABLE things (thing_id bigint PRIMARY KEY, note text)", writing)
    #expect(
      try await reading.withConnection {
        try await $0.query("SELECT pg_is_in_recovery()").only(Bool.self)
      })
    let projector = Projector(
      writing, try Graph([Self.kept]), timeZone: "Asia/Kolkata", replica: reading)
    try await projector.deploy()
    for number in 1...30 {
      try await run(
        "INSERT INTO things VALUES (\(number % 3), '\(number)') ON CONFLICT (thing_id) DO UPDATE SET note = excluded.note",
        writing)
      try await projector.begin(Self.kept, lens: .where(Self.id, is: number % 3)).wait()
      #expect(try await notes(writing)[number % 3] == "\(number)")
    }

    try await run("SELECT pg_wal_replay_pause()", reading)
    try await run("UPDATE things SET note = 'late'", writing)
    async let materialised: Void = projector.begin(Self.kept, lens: .everything).wait()
    // It waits in the transaction that has asked for the position.
    let waits: Query =
      "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_current_wal_insert_lsn%' AND state <> 'active'"
    while try await writing.withConnection({ try await $0.query(waits).only(Int.self) }) == 0 {
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(try await !notes(writing).values.contains("late"))
    try await run("SELECT pg_wal_replay_resume()", reading)
    try await materialised
    #expect(try await notes(writing) == [0: "late", 1: "late", 2: "late"])
    #expect(try await projector.verify(Self.kept, lens: .everything).isEmpty)
    await writing.close()
    await reading.close()
  }

  private func run(_ sql: String, _ pool: Pool) async throws {
    try await pool.withConnection { _ = try await $0.query(Query(text: sql)) }
  }

  private func notes(_ pool: Pool) async throws -> [Int: String] {
    try await pool.withConnection {
      Dictionary(
        uniqueKeysWithValues: try await $0.query("SELECT thing_id, note FROM kept").map {
          try $0.decode((Int, String).self)
        })
    }
  }
}
