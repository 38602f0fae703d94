import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct DatabaseAddressTests {
  @Test func theUsersWordGoesBeforeTheEnvironmentAndThatBeforeThePrivateServer() throws {
    let all = ["DATABASE_URL": "postgres://a/b", "PGHOST": "h"]
    #expect(
      try DatabaseAddress.resolve(url: "host=x dbname=y", environment: all)
        == .conninfo("host=x dbname=y"))
    #expect(try DatabaseAddress.resolve(url: nil, environment: all) == .conninfo("postgres://a/b"))
    #expect(
      try DatabaseAddress.resolve(url: nil, environment: ["DATABASE_URL": ""]) == .privateServer)
    for name in ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"] {
      #expect(
        try DatabaseAddress.resolve(url: nil, environment: [name: "1"]) == .libpqEnvironment)
    }
    #expect(try DatabaseAddress.resolve(url: nil, environment: [:]) == .privateServer)
  }

  @Test func anAddressThatCannotBeReadIsExplainedWithoutBeingRepeated() {
    for text in ["", "  ", "mysql://u:hunter2@h/d", "hunter2", "host=h pasword=hunter2"] {
      let error = #expect(throws: PostgresError.self) {
        try DatabaseAddress.resolve(url: text, environment: [:])
      }
      #expect(error?.kind == .invalidAddress)
      #expect(error?.description.contains("postgresql://") == true)
      #expect(error?.description.contains("hunter2") == false)
    }
  }

  @Test func passwordsAreNotShown() throws {
    for text in [
      "postgresql://clerk:hunter2@db.example:5433/clinic?sslpassword=hunter2",
      "host=db.example port=5433 user=clerk password=hunter2 dbname=clinic",
    ] {
      let shown = try DatabaseAddress.resolve(url: text, environment: [:]).description
      #expect(shown == "host=db.example port=5433 dbname=clinic user=clerk")
    }
  }

  @Test(.database) func aServiceFileIsReadByLibpq() async throws {
    let url = TestDatabase.current.url
    let query = url.split(separator: "?")[1].split(separator: "&").joined(separator: "\n")
    let database = url.split(separator: "/")[1].split(separator: "?")[0]
    let file = FileManager.default.temporaryDirectory.appending(path: "service-\(UUID())")
    try "[clinic]\n\(query)\ndbname=\(database)\n".write(
      to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    // Read by libpq only where an address names a service; no other test does.
    setenv("PGSERVICEFILE", file.path, 1)
    let connection = try await Connection.connect(ConnectionSettings(conninfo: "service=clinic"))
    let found = try await connection.query("SELECT current_database()").only(String.self)
    #expect(found == database)
    await connection.close()
  }
}
