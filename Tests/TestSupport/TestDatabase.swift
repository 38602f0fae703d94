import Foundation
import Postgres
import Testing

/// A database for one test.
public struct TestDatabase: Sendable {
  /// What to give libpq.
  public let url: String
  /// Eight connections to it, closed after the test.
  public let pool: Pool

  /// Of the test that is running; tests with the trait `.database` have one.
  public static var current: TestDatabase {
    guard let assigned else { preconditionFailure("the test lacks the trait .database") }
    return assigned
  }

  public init(url: String, pool: Pool) {
    self.url = url
    self.pool = pool
  }

  @TaskLocal static var assigned: TestDatabase?

  /// A connection besides those of the pool; to be closed by whoever asked for it.
  public func connect() async throws -> Connection {
    try await Connection.connect(ConnectionSettings(conninfo: url))
  }
}

/// Makes a database, hands its address to `body`, and drops it.
/// - Parameter template: a database to copy; `template0` is empty
public func withDatabase<Value: Sendable>(
  template: String = "template0", _ body: (_ url: String) async throws -> Value
) async throws -> Value {
  let cluster = TestCluster.shared
  let name = try await cluster.makeDatabase(template: template)
  do {
    let value = try await body(try await cluster.url(of: name))
    try await cluster.drop(name)
    return value
  } catch {
    try? await cluster.drop(name)
    throw error
  }
}

/// Gives each test a database of its own as ``TestDatabase/current``.
public struct DatabaseTrait: SuiteTrait, TestTrait, TestScoping {
  let template: @Sendable () async throws -> String

  /// On a suite the trait holds for each of its tests, not for the suite as a whole.
  public var isRecursive: Bool { true }

  public func scopeProvider(for test: Test, testCase: Test.Case?) -> DatabaseTrait? {
    testCase == nil ? nil : self
  }

  public func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    try await withDatabase(template: try await template()) { url in
      let pool = Pool(ConnectionSettings(conninfo: url), acquireTimeout: .seconds(60))
      try await TestDatabase.$assigned.withValue(TestDatabase(url: url, pool: pool)) {
        try await function()
      }
      await pool.close()
    }
  }
}

extension Trait where Self == DatabaseTrait {
  /// An empty database.
  public static var database: DatabaseTrait { DatabaseTrait { "template0" } }

  /// A copy of a template that is prepared when it is first needed.
  public static func database(
    template name: String, prepare: @escaping @Sendable (_ url: String) async throws -> Void
  ) -> DatabaseTrait {
    DatabaseTrait {
      try await TestCluster.shared.template(named: name, prepare: prepare)
      return name
    }
  }
}
