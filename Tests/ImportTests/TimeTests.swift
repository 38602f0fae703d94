import Import
import TestSupport
import Testing

/// Times as files write them, and as they are stored: in UTC here, with `Asia/Kolkata` as the
/// reporting time zone.
@Suite struct TimeTests {
  private static let header = "id,patient_id,systolic,diastolic,recorded_at"

  private static let stored = [
    // Nothing is carried into July: PostgreSQL would round both.
    ("2024-06-30T23:59:59.9999999+05:30", "2024-06-30 18:29:59.999999"),
    ("2024-06-30T23:59:60+05:30", "2024-06-30 18:29:59.999999"),
    ("2024-06-30T23:59:60.7Z", "2024-06-30 23:59:59.999999"),
    ("2024-06-30T23:59:59.1234565Z", "2024-06-30 23:59:59.123456"),
    // A part that is left out is the earliest, in the reporting time zone.
    ("2024", "2023-12-31 18:30:00.000000"), ("2024-06", "2024-05-31 18:30:00.000000"),
    ("2024-06-05", "2024-06-04 18:30:00.000000"),
    ("2024-06-05T10:00:00", "2024-06-05 04:30:00.000000"),
    ("2024-06-05 10:00", "2024-06-05 04:30:00.000000"),
    ("2024-02-29T00:00:00-00:00", "2024-02-29 00:00:00.000000"),
    ("2024-06-05T10:00:00+14:00", "2024-06-04 20:00:00.000000"),
    ("2024-06-05T10:00:00-14:00", "2024-06-06 00:00:00.000000"),
    ("2024-06-05T10:00:00.5Z", "2024-06-05 10:00:00.500000"),
    // Wrong years are stored, also where an offset takes them beyond what can be written.
    ("0016-06-05T10:00:00Z", "0016-06-05 10:00:00.000000"),
    ("0016-01-01 00:00:00+05:53:28", "0015-12-31 18:06:32.000000"),
    ("9999-12-31T23:59:59Z", "9999-12-31 23:59:59.000000"),
    ("9999-12-31T23:59:59-14:00", "10000-01-01 13:59:59.000000"),
    ("0001-01-01T00:00:00+14:00", "0001-12-31 10:00:00.000000 BC"), ("", "never"),
  ]

  private static let impossible = [
    "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-06-31", "2024-06-00",
    "2024-06-05T24:00:00Z", "2024-06-05T25:00:00Z", "2024-06-05T10:60:00Z", "2024-06-05T10:00:61Z",
    "2024-06-05T10:00:00+14:01", "2024-06-05T10:00:00+15:00", "2024-06-05T10:00:00+05:60",
    "2024-06-05T", "2024-06-05T10", "2024-06-05T10:00:00.Z", "2024-06-05T10:00:00ZZ", "2024-6-5",
    "20240605", "05/06/2024", "0000-01-01", "10000-01-01", "yesterday", "now", "infinity", "-",
  ]

  @Test func timesAreStoredToTheMicrosecondAndNeverCarriedIntoTheNextPeriod() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        let rows = Self.stored.enumerated().map { "\($0 + 100),P,120,80,\($1.0)" }
        try folder.write("r.csv", Self.header, rows.joined(separator: "\n"))
        try folder.write("p.csv", "id", "P")
        #expect(
          try await folder.importCSV([.readings: "r.csv", .patients: "p.csv"], store).rejected == 0)
        for (index, (text, time)) in Self.stored.enumerated() {
          let found = try await database.pool.texts(
            """
            SELECT coalesce(
              to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
                || CASE WHEN recorded_at < '0001-01-01 00:00:00+00' THEN ' BC' ELSE '' END,
              'never')
            FROM blood_pressures WHERE id = md5('Reading/' || \(String(index + 100)))::uuid
            """)
          #expect(found == [time], "\(text)")
        }
        // Of all these only 23:59:60.7Z is in July, and at 05:29 there.
        #expect(
          try await database.pool.texts(
            """
            SELECT to_char(recorded_at AT TIME ZONE 'Asia/Kolkata', 'MM-DD HH24:MI')
            FROM rollup.blood_pressure_rollups
            WHERE period_type = 'M' AND period_start BETWEEN '2024-06-01' AND '2024-07-31'
            """) == ["06-30 23:59", "07-01 05:29"])
      }
    }
  }

  @Test func whatIsNoTimeIsRejected() async throws {
    try await TestDatabase.migrated(size: 2) { database, store in
      try await ImportFolder.with { folder in
        let rows = Self.impossible.enumerated().map { "\($0 + 100),P,120,80,\($1)" }
        try folder.write("r.csv", Self.header, rows.joined(separator: "\n"))
        _ = try await folder.importCSV([.readings: "r.csv"], store)
        #expect(
          folder.rejects
            == Self.impossible.indices.map {
              "r.csv,\($0 + 2),readings/\($0 + 100),"
                + "recorded_at: expected a date or a time such as 2024-06-30T09:15:00+05:30"
            })
        #expect(try await database.pool.texts("SELECT 'row' FROM blood_pressures").isEmpty)
      }
    }
  }
}
