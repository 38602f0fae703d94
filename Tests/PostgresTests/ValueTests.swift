import Foundation
import Postgres
import TestSupport
import Testing

/// What goes to the server comes back the same, and the server understands by it what we do.
@Suite(.database) struct ValueTests {
  /// Sends each value alone, all as an array, and all with NULLs between them.
  private func roundTrip<Value>(_ values: [Value]) async throws
  where Value: Equatable & PostgresEncodable & PostgresDecodable & PostgresArrayElement {
    let mixed: [Value?] = values.flatMap { [$0, nil] }
    try await TestDatabase.current.pool.withConnection { connection in
      for value in values {
        let back = try await connection.query("SELECT \(value)").only(Value.self)
        #expect(back == value)
      }
      let row = try await connection.query(
        "SELECT \(values), \(mixed), \(nil as Value?), \([] as [Value])")[0]
      #expect(try row.decode(0, as: [Value].self) == values)
      #expect(try row.decode(1, as: [Value?].self) == mixed)
      #expect(try row.decode(2, as: Value?.self) == nil)
      #expect(try row.decode(3, as: [Value].self) == [])
    }
  }

  private func random<Number: FixedWidthInteger>(_: Number.Type) -> [Number] {
    [.min, .max, 0, 1] + (0..<20).map { _ in Number.random(in: .min ... .max) }
  }

  @Test func everyTypeRoundTripsToItsExtremes() async throws {
    try await roundTrip([true, false])
    try await roundTrip(random(Int16.self))
    try await roundTrip(random(Int32.self))
    try await roundTrip(random(Int64.self))
    try await roundTrip(random(Int.self))
    try await roundTrip([
      0, -0.0, 1 / 3, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .infinity, -.infinity,
    ])
    try await roundTrip(["", "'\"\\", "{a,NULL,\"b\"}", "हिन्दी 🩺", "\n\t\r", "null"])
    try await roundTrip((0..<20).map { _ in UUID() })
    try await roundTrip([[], [0], Array(0...255)] as [[UInt8]])
    try await roundTrip(
      [Timestamp.infinity, .negativeInfinity, .now]
        + [-211_813_488_000_000_000, 9_223_371_331_199_999_999, 0, -1].map(
          Timestamp.init(microseconds:)))
    try await roundTrip(
      [CalendarDay.infinity, .negativeInfinity]
        + [-2_451_545, 2_145_031_948, 0, -1].map(CalendarDay.init(daysSince2000:)))
  }

  /// A clinic's clock is stored to the microsecond, and a `Date` must not lose or gain one.
  @Test func datesRoundToTheMicrosecondAndDoNotDrift() async throws {
    let dates = (0..<200).map { _ in
      Timestamp(microseconds: .random(in: -3_000_000_000_000_000...3_000_000_000_000_000)).date
    }
    let back = try await TestDatabase.current.pool.withConnection {
      try await $0.query("SELECT \(dates)").only([Date].self)
    }
    for (sent, received) in zip(dates, back) {
      #expect(Timestamp(sent) == Timestamp(received))
    }
    #expect(Timestamp(Date(timeIntervalSinceReferenceDate: .infinity)) == .infinity)
    await #expect(throws: PostgresError.self, "a date beyond PostgreSQL's is refused") {
      try await TestDatabase.current.pool.withConnection {
        try await $0.query("SELECT \(Date(timeIntervalSinceReferenceDate: 1e300))")
      }
    }
  }

  @Test func timesAndDaysPrintAsTheServerPrintsThem() async throws {
    let times = (0..<100).map { _ in
      Timestamp(microseconds: .random(in: -60_000_000_000_000_000...200_000_000_000_000_000))
    }
    let days = (0..<100).map { _ in
      CalendarDay(daysSince2000: .random(in: -730_000...2_900_000))
    }
    let rows = try await TestDatabase.current.pool.withConnection {
      try await $0.query(
        """
        SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), d::text
        FROM unnest(\(times)::timestamptz[], \(days)::date[]) AS u (t, d)
        """)
    }
    for (index, (time, day)) in try rows.decode((String, String).self).enumerated() {
      #expect(times[index].description == time)
      #expect(days[index].description == day)
    }
    #expect(CalendarDay(year: 2024, month: 2, day: 29).description == "2024-02-29")
    #expect(CalendarDay(daysSince1970: 0).description == "1970-01-01")
  }

  /// `sum()` of a bigint is a numeric.
  @Test func numericsReadAsTheServerPrintsThem() async throws {
    let texts =
      ["0", "-0.0001", "1e20", "9223372036854775807", "-9223372036854775808", "1000000", "10000"]
      + ["NaN", "0.00001234", "123456789.987654321"]
      + (0..<100).map { _ in
        "\(Int.random(in: -1_000_000_000...1_000_000_000))e\(Int.random(in: -12...8))"
      }
    let rows = try await TestDatabase.current.pool.withConnection {
      try await $0.query(
        "SELECT t::numeric, t::numeric::text FROM unnest(\(texts)::text[]) AS u (t)")
    }
    for row in rows {
      let text = try row.decode(1, as: String.self)
      #expect(try row.decode(0, as: String.self) == text)
      if let integer = Int(text) { #expect(try row.decode(0, as: Int.self) == integer) }
      let double = try row.decode(0, as: Double.self)
      #expect(double == Double(text) || double.isNaN && text == "NaN")
    }
    let sum = try await TestDatabase.current.pool.withConnection {
      try await $0.query("SELECT sum(n) FROM generate_series(1, 10::bigint) AS n")
    }
    #expect(try sum.only(Int.self) == 55)
  }

  @Test func valuesThatDoNotFitAreRefusedAndNotTruncated() async throws {
    let row = try await TestDatabase.current.pool.withConnection {
      try await $0.query(
        """
        SELECT 70000 AS wide, 1.5::numeric AS fraction, NULL::int AS nothing, 1e30::numeric AS huge,
               'x' AS word, 9007199254740993 AS precise
        """)[0]
    }
    #expect(throws: PostgresError.self) { try row.decode("wide", as: Int16.self) }
    #expect(throws: PostgresError.self) { try row.decode("fraction", as: Int.self) }
    #expect(throws: PostgresError.self) { try row.decode("nothing", as: Int.self) }
    #expect(throws: PostgresError.self) { try row.decode("huge", as: Int.self) }
    #expect(throws: PostgresError.self) { try row.decode("word", as: Int.self) }
    #expect(throws: PostgresError.self) { try row.decode("precise", as: Double.self) }
    #expect(throws: PostgresError.self) { try row.decode("absent", as: Int.self) }
    #expect(throws: PostgresError.self) { try row.decode((Int, Int).self) }
  }

  @Test func textComesFromEveryTextTypeAndFromEnums() async throws {
    let texts = try await TestDatabase.current.pool.withConnection {
      try await $0.script("CREATE TYPE sex AS ENUM ('female', 'male')")
      return try await $0.query(
        """
        SELECT 'a'::varchar, 'b'::bpchar, 'c'::name, 'd'::"char", '{"e":1}'::json, '{"f":1}'::jsonb,
               'male'::sex
        """)[0]
    }
    let read = try (0..<7).map { try texts.decode($0, as: String.self) }
    #expect(read == ["a", "b", "c", "d", #"{"e":1}"#, #"{"f": 1}"#, "male"])
  }

  @Test func aTimestampColumnWithoutZoneIsUTCWhateverTheServerThinks() async throws {
    try await TestDatabase.current.pool.withConnection { connection in
      try await connection.script(
        """
        ALTER DATABASE \(try await connection.query("SELECT current_database()").only(String.self))
        SET timezone = 'Asia/Kolkata'
        """)
    }
    let connection = try await TestDatabase.current.connect()
    try await connection.script("CREATE TABLE t (at timestamp)")
    let instant = Timestamp(microseconds: 123_456_789)
    try await connection.execute("INSERT INTO t VALUES (\(instant))")
    let rows = try await connection.query("SELECT at, at::text FROM t")
    let (back, text) = try rows.only((Timestamp, String).self)
    #expect(back == instant)
    #expect(text == "2000-01-01 00:02:03.456789")
    await connection.close()
  }
}
