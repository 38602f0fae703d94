import Foundation
import Postgres

/// A PostgreSQL server for this test process: started when it is first needed, gone when the
/// process is, even after a `kill -9`.
///
/// It does not wait for the disk, so a test that kills it would find its data damaged; such tests
/// start a server of their own.
public actor TestCluster {
  public static let shared = TestCluster()

  private var server: Task<TestServer, any Error>?
  private var administration: Pool?
  private var templates: [String: Task<Void, any Error>] = [:]
  private var lastDatabase = 0

  private init() {}

  /// The address of a database of the cluster.
  public func url(of database: String) async throws -> String {
    try await running().address.replacing("/postgres?", with: "/\(database)?")
  }

  /// Prepares a database once in this process, for others to be copied from by its name.
  ///
  /// - Parameters:
  ///   - name: of the template, which is also its database's name
  ///   - prepare: given the new database's address; it must close its connections
  public func template(
    named name: String, prepare: @escaping @Sendable (_ url: String) async throws -> Void
  ) async throws {
    let task =
      templates[name]
      ?? Task {
        try await create(name, from: "template0")
        try await prepare(try await url(of: name))
        try await awaitDeparture(from: name)
      }
    templates[name] = task
    try await task.value
  }

  /// Makes a database under a name nobody else has.
  func makeDatabase(template: String) async throws -> String {
    lastDatabase += 1
    let name = "test_\(lastDatabase)"
    try await create(name, from: template)
    return name
  }

  func drop(_ database: String) async throws {
    try await administer("DROP DATABASE \(identifier: database) WITH (FORCE)")
  }

  private func create(_ name: String, from template: String) async throws {
    try await administer(
      "CREATE DATABASE \(identifier: name) TEMPLATE \(identifier: template)")
  }

  /// A closed connection's session lasts a moment longer, and a database in use cannot be copied.
  private func awaitDeparture(from database: String) async throws {
    let sessions: Query = "SELECT count(*) FROM pg_stat_activity WHERE datname = \(database)"
    for _ in 0..<200 {
      let count = try await pool().withConnection { try await $0.query(sessions) }
      if try count.only(Int.self) == 0 { return }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  private func administer(_ query: Query) async throws {
    _ = try await pool().withConnection { try await $0.execute(query) }
  }

  private func running() async throws -> TestServer {
    let task = server ?? Task { try await onItsOwnThread { try TestServer() } }
    server = task
    return try await task.value
  }

  private func pool() async throws -> Pool {
    let settings = ConnectionSettings(conninfo: try await running().address)
    if let administration { return administration }
    let pool = Pool(settings, size: 4, acquireTimeout: .seconds(900))
    administration = pool
    return pool
  }
}
