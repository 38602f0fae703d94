import Foundation
import Postgres
import RollupStore
import TestSupport
import Testing
import WeightExample

/// The example of docs/own-rollup.md, compiled and run as it stands there.
@Suite struct WeightExampleTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.folder.appending(path: "../../docs/\(path)"), encoding: .utf8)
  }

  @Test func theDocumentShowsTheExampleWhichIsShort() throws {
    let example = try text("examples/weight/MostRecentWeight.swift")
    #expect(example.split(separator: "\n", omittingEmptySubsequences: false).dropLast().count < 30)
    #expect(try text("own-rollup.md").contains("```swift\n\(example)```"))
  }

  @Test func theMostRecentWeightOfEachPatientInEachMonth() async throws {
    try await withDatabase { url in
      let pool = Pool(ConnectionSettings(conninfo: url), size: 2)
      let (one, two) = (UUID(), UUID())
      try await pool.withConnection { connection in
        try await connection.script(
          """
          CREATE TABLE patients (id uuid PRIMARY KEY);
          CREATE TABLE weights (patient_id uuid, id uuid, weighed_at timestamptz, kg numeric, PRIMARY KEY (patient_id, id));
          """)
        for patient in [one, two] {
          try await connection.execute("INSERT INTO patients VALUES (\(patient))")
        }
        // In Kolkata the last hours of May in UTC are in June.
        for (at, kg) in [
          ("2024-05-03 10:00Z", 70), ("2024-05-31 18:29Z", 71), ("2024-05-31 20:00Z", 72),
        ] {
          try await connection.execute(
            "INSERT INTO weights VALUES (\(one), \(UUID()), \(at)::text::timestamptz, \(kg)::integer)"
          )
        }
      }
      let path = try await prepare(pool)
      let id = UUID()
      _ = try await path.insert(
        id, of: two,
        [
          "id": Bind(id), "patient_id": Bind(two), "kg": Bind(55.5),
          "weighed_at": Bind(Date(timeIntervalSince1970: 1_717_200_000)),
        ])
      let rows = try await pool.withConnection { connection in
        try await connection.query(
          "SELECT period_name, kg::text FROM rollup.weight_rollups ORDER BY 1, 2"
        ).map { try $0.decode((String, String).self) }.map { "\($0.0) \($0.1)" }
      }
      #expect(rows == ["2024-05 71", "2024-06 55.5", "2024-06 72"])
      let store = try await RollupStore(pool, catalog)
      #expect(try await store.readiness().allSatisfy(\.isFilled))
      for chunk in try await store.chunks(of: 10, keyedBy: UUID.self) {
        #expect(try await store.verify(chunk, in: .all) == [])
      }
      await pool.close()
    }
  }
}
