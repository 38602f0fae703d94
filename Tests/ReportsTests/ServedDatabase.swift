import Foundation
import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore
import TestSupport

/// A database as a service meets it: a login of its own that is a member of `rollup_server` and of nothing else.
struct ServedDatabase: Sendable {
  static let login = "test_service"

  let owner: TestDatabase
  /// The service's connections.
  let pool: Pool
  /// What the service has read.
  var memory = ReadingMemory()

  static func with<T: Sendable>(
    _ database: TestDatabase, _ body: (ServedDatabase) async throws -> T
  ) async throws -> T {
    // Roles belong to the whole server, and other tests make this one too.
    try await database.pool.withConnection { connection in
      try await connection.script(
        """
        DO $login$
        BEGIN
          CREATE ROLE \(login) LOGIN IN ROLE rollup_server;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END
        $login$
        """)
    }
    let settings = ConnectionSettings(
      conninfo: address(of: database), options: ["search_path": "rollup_reach, pg_temp"])
    let pool = Pool(settings, size: 2, acquireTimeout: .seconds(60))
    let value = try await body(ServedDatabase(owner: database, pool: pool))
    await pool.close()
    return value
  }

  static func address(of database: TestDatabase) -> String {
    database.url.replacing("user=postgres", with: "user=\(login)")
  }

  /// Makes a token; its secret.
  func token(_ scope: AccessToken.Scope, lists: Bool = true) async throws -> String {
    try await tokenAndID(scope, lists: lists).secret
  }

  func tokenAndID(_ scope: AccessToken.Scope, lists: Bool = true) async throws -> (
    secret: String, id: String
  ) {
    let secret = AccessTokens.Secret()
    let digest = try await owner.pool.withConnection {
      try await $0.query("SELECT sha256(convert_to(\(secret.text), 'UTF8'))").only([UInt8].self)
    }
    let token = try await AccessTokens(owner.pool).create(
      secret, digest: digest, name: "a test", scope: scope, readsLists: lists, days: 1)
    return (secret.text, token.id)
  }

  /// Makes a report as a service does.
  func make(
    _ report: Report, _ question: ReportQuestion, _ secret: String, list: Int64? = nil
  ) async throws -> ReportTable {
    try await pool.transaction(.repeatableRead, readOnly: list == nil) { tx in
      let (scope, moment) = try await ServedReading.enter(secret, tx)
      let reading =
        list.map { ServedReading(list: $0) } ?? ServedReading(memory, of: scope, at: moment)
      return try await ServedReading.$current.withValue(reading) {
        try await report.make(question, in: tx)
      }
    }
  }

  /// Announces a list, commits, and reads it.
  func list(_ report: Report, _ question: ReportQuestion, _ secret: String) async throws
    -> ReportTable
  {
    let number = try await announce(report, question, secret)
    return try await make(report, question, secret, list: number)
  }

  func announce(_ report: Report, _ question: ReportQuestion, _ secret: String) async throws
    -> Int64
  {
    try await pool.transaction { tx in
      try await Self.enter(secret, tx)
      let recalls = report.name == RecallReport.report.name
      return try await question.announcement(recalls: recalls, in: tx).make(tx)
    }
  }

  static func enter(_ secret: String, _ tx: borrowing Transaction) async throws {
    _ = try await tx.query("SELECT FROM rollup.enter(\(secret))")
  }
}
