import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(30))) struct CopyTests {
  private let connect = TestDatabase.current.connect

  private struct Refusal: Error {}

  @Test func rowsStreamInAndOutUnchanged() async throws {
    let connection = try await connect()
    try await connection.script("CREATE TABLE notes (n int8, text text)")
    let awkward = ["", "\\N", "a\tb", "line\nbreak\r", "\\", "हिन्दी", "\\."]
    let count = try await connection.copyIn("COPY notes FROM STDIN") { copy in
      for n in 0..<50_000 {
        try await copy.write(row: [String(n), n % 10 == 0 ? nil : awkward[n % awkward.count]])
      }
    }
    #expect(count == 50_000)
    let rows = try await connection.query(
      "SELECT n, text FROM notes WHERE n < 100 OR n = 49999 ORDER BY n")
    for (n, text) in try rows.decode((Int, String?).self) {
      #expect(text == (n % 10 == 0 ? nil : awkward[n % awkward.count]))
    }
    // Out again, while it comes in again over another connection.
    let other = try await connect()
    try await other.script("CREATE TABLE copies (LIKE notes)")
    try await other.copyIn("COPY copies FROM STDIN") { copy in
      for try await chunk in connection.copyOut("COPY notes TO STDOUT") {
        try await copy.write(chunk)
      }
    }
    let difference: Query = "SELECT count(*) FROM (TABLE notes EXCEPT ALL TABLE copies) AS d"
    #expect(try await other.query(difference).only(Int.self) == 0)
    #expect(try await other.query("SELECT count(*) FROM copies").only(Int.self) == 50_000)
    await connection.close()
    await other.close()
  }

  @Test func aRefusedRowEndsTheCopyEarlyAndStoresNothing() async throws {
    let connection = try await connect()
    try await connection.script("CREATE TABLE readings (systolic int4)")
    var written = 0
    let error = await #expect(throws: PostgresError.self) {
      try await connection.copyIn("COPY readings (systolic) FROM STDIN") { copy in
        try await copy.write(row: ["120"])
        try await copy.write(row: ["secret"])
        for _ in 0..<5_000_000 {
          try await copy.write(row: ["121"])
          written += 1
        }
      }
    }
    #expect(error?.sqlState == .invalidTextRepresentation)
    #expect(error?.context == "COPY readings, line 2, column systolic")
    #expect(error?.description.contains("secret") == false)
    #expect(written < 5_000_000, "the source is not read to its end for nothing")
    #expect(try await connection.query("SELECT count(*) FROM readings").only(Int.self) == 0)
    await connection.close()
  }

  @Test func aBodyThatThrowsStoresNothingAndKeepsItsError() async throws {
    let connection = try await connect()
    try await connection.script("CREATE TABLE readings (systolic int4)")
    await #expect(throws: Refusal.self) {
      try await connection.copyIn("COPY readings FROM STDIN") { copy in
        for n in 0..<100_000 { try await copy.write(row: [String(n)]) }
        throw Refusal()
      }
    }
    #expect(try await connection.query("SELECT count(*) FROM readings").only(Int.self) == 0)
    let busy = await #expect(throws: PostgresError.self) {
      try await connection.copyIn("COPY readings FROM STDIN") { _ in
        try await connection.execute("SELECT 1")
      }
    }
    #expect(busy?.kind == .misuse)
    #expect(try await connection.query("SELECT 1").only(Int.self) == 1)
    await connection.close()
  }

  @Test func aLoopThatBreaksOffLeavesTheConnectionUsable() async throws {
    let connection = try await connect()
    let long = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000)) TO STDOUT"
    for try await _ in connection.copyOut(long) { break }
    #expect(try await connection.query("SELECT 1").only(Int.self) == 1)
    try await connection.transaction { transaction in
      try await transaction.execute("CREATE TABLE kept ()")
      for try await _ in transaction.copyOut("COPY (SELECT generate_series(1, 100000)) TO STDOUT") {
        break
      }
    }
    #expect(try await connection.query("SELECT count(*) FROM kept").only(Int.self) == 0)
    let error = await #expect(throws: PostgresError.self) {
      for try await _ in connection.copyOut(
        "COPY (SELECT 1 / (3 - n) FROM generate_series(1, 5) AS n) TO STDOUT")
      {}
    }
    #expect(error?.sqlState == SQLState(rawValue: "22012"))
    #expect(try await connection.query("SELECT 1").only(Int.self) == 1)
    await connection.close()
  }

  @Test func cancellingStopsACopyInEitherDirection() async throws {
    let connection = try await connect()
    try await connection.script("CREATE TABLE readings (n int8)")
    let into = Task {
      try await connection.copyIn("COPY readings FROM STDIN") { copy in
        while true { try await copy.write(row: ["1"]) }
      }
    }
    try await Task.sleep(for: .milliseconds(50))
    into.cancel()
    let stopped = await #expect(throws: PostgresError.self) { try await into.value }
    #expect(stopped?.kind == .cancelled)
    let outOf = Task {
      for try await _ in connection.copyOut(
        "COPY (SELECT pg_sleep(0.01) FROM generate_series(1, 10000)) TO STDOUT")
      {}
    }
    try await Task.sleep(for: .milliseconds(50))
    outOf.cancel()
    let ended = await #expect(throws: PostgresError.self) { try await outOf.value }
    #expect(ended?.kind == .cancelled)
    #expect(try await connection.query("SELECT count(*) FROM readings").only(Int.self) == 0)
    await connection.close()
  }
}
