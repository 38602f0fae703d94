import Foundation
import Logging
import Postgres
import Synchronization
import TestSupport
import Testing

/// A patient's data must not reach a log or a terminal by way of an error.
@Suite(.database) struct RedactionTests {
  private static let secret = "Sita-Devi-7788"

  private static let schema = """
    CREATE TABLE facilities (id text PRIMARY KEY);
    CREATE TABLE patients (
      id text PRIMARY KEY, name text NOT NULL CHECK (length(name) < 30),
      facility_id text REFERENCES facilities, short varchar(3), number int2);
    CREATE TABLE readings (id text, at date) PARTITION BY LIST (id);
    CREATE TYPE sex AS ENUM ('female', 'male');
    CREATE FUNCTION shout() RETURNS void LANGUAGE plpgsql
      AS $$ BEGIN RAISE NOTICE 'patient \(secret)'; END $$;
    INSERT INTO patients VALUES ('\(secret)', 'x');
    """

  /// What each refused statement is to say, without the secret.
  private static let refused: [(Query, SQLState, String)] = [
    (
      "INSERT INTO patients VALUES (\(secret), 'x')", .uniqueViolation,
      "Key (id)=(…) already exists."
    ),
    ("INSERT INTO patients (id) VALUES (\(secret + "2"))", .notNullViolation, "\"name\""),
    (
      "INSERT INTO patients VALUES (\(secret + "2"), repeat(\(secret), 9))", .checkViolation,
      "patients_name_check"
    ),
    (
      "INSERT INTO patients VALUES ('p', 'x', \(secret))", .foreignKeyViolation,
      "Key (facility_id)=(…) is not present in table \"facilities\"."
    ),
    ("INSERT INTO readings VALUES (\(secret))", .checkViolation, "\"readings\""),
    ("SELECT \(secret)::int", .invalidTextRepresentation, "integer: \"…\""),
    ("SELECT \(secret)::uuid", .invalidTextRepresentation, "uuid: \"…\""),
    ("SELECT \(secret)::sex", .invalidTextRepresentation, "\"…\""),
    ("SELECT \(secret + "\" x \"")::int", .invalidTextRepresentation, "integer: \"…\""),
    ("SELECT \("{\"a\": " + secret + "}")::json", .invalidTextRepresentation, "json"),
    ("SELECT \("yesterday " + secret)::date", .invalidParameterValue, "time zone \"…\""),
    ("SELECT \("2024 " + secret + "x")::date", SQLState(rawValue: "22007"), "date: \"…\""),
    ("SELECT \("2024-13-45")::date", .datetimeFieldOverflow, "out of range: \"…\""),
    ("UPDATE patients SET short = \(secret)", .stringDataRightTruncation, "varying(3)"),
    (
      "SELECT convert_from(\(Array(secret.utf8) + [0xFF]), 'UTF8')", SQLState(rawValue: "22021"),
      "…"
    ),
  ]

  @Test func refusedValuesAreNotRepeatedButNamesAre() async throws {
    try await TestDatabase.current.pool.withConnection { connection in
      try await connection.script(Self.schema)
      for (query, state, expected) in Self.refused {
        let error = await #expect(throws: PostgresError.self) { try await connection.query(query) }
        #expect(error?.sqlState == state)
        let shown = error.map { "\($0) \(String(reflecting: $0))" } ?? ""
        #expect(shown.contains(expected), "\(shown)")
        #expect(!shown.contains("Sita") && !shown.contains("2024-13") && !shown.contains("0xff"))
      }
    }
  }

  @Test func anErrorSaysWhereItHappened() async throws {
    let error = try await TestDatabase.current.pool.withConnection { connection in
      try await connection.script(Self.schema)
      return await #expect(throws: PostgresError.self) {
        try await connection.query("INSERT INTO patients VALUES (\(Self.secret), 'x')")
      }
    }
    #expect(error?.schema == "public")
    #expect(error?.table == "patients")
    #expect(error?.constraint == "patients_pkey")
  }

  @Test func noticesGoToTheLogWithoutWhatAFunctionSaid() async throws {
    let log = Log()
    var logger = Logger(label: "test") { _ in log }
    logger.logLevel = .debug
    let connection = try await Connection.connect(
      ConnectionSettings(conninfo: TestDatabase.current.url), logger: logger)
    try await connection.script(Self.schema)
    try await connection.script("SELECT shout(); DROP TABLE IF EXISTS nothing")
    await connection.close()
    let lines = log.lines.withLock { $0 }
    #expect(lines.contains { $0.contains("withheld") })
    #expect(lines.contains { $0.contains("table \"nothing\" does not exist, skipping") })
    #expect(!lines.contains { $0.contains("Sita") })
  }

  private final class Log: LogHandler, Sendable {
    let lines = Mutex<[String]>([])
    var metadata: Logger.Metadata {
      get { [:] }
      set {}
    }
    var logLevel: Logger.Level {
      get { .debug }
      set {}
    }
    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
      get { nil }
      set {}
    }

    func log(event: LogEvent) { lines.withLock { $0.append(event.message.description) } }
  }
}
