import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore

/// Reads for whoever holds a token: the database is shown the token in each transaction, and decides.
struct Reader: Sendable {
  let pool: Pool
  let history: ChangeHistory
  private let memory = ReadingMemory()

  init(pool: Pool) {
    self.pool = pool
    history = ChangeHistory(pool)
  }

  /// Executes `body` in one snapshot with the token in force. A connection that turns out to be lost is replaced once.
  /// - Throws: ``PostgresError`` with SQLSTATE 28000 for a token that does not hold.
  func read<Value>(
    _ secret: String, _ body: (borrowing Transaction) async throws -> Value
  ) async throws -> Value {
    try await counted(secret, body).value
  }

  /// As ``read(_:_:)``, with the facilities whose patients were counted.
  func counted<Value>(
    _ secret: String, _ body: (borrowing Transaction) async throws -> Value
  ) async throws -> (facilities: AffectedFacilities, value: Value) {
    do {
      return try await transaction(secret, body)
    } catch let error as PostgresError where error.kind == .connectionLost {
      // The server was restarted underneath, and this connection is the first to learn of it.
      return try await transaction(secret, body)
    }
  }

  private func transaction<Value>(
    _ secret: String, _ body: (borrowing Transaction) async throws -> Value
  ) async throws -> (facilities: AffectedFacilities, value: Value) {
    try await pool.transaction(.repeatableRead, readOnly: true) { tx in
      let (scope, moment) = try await ServedReading.enter(secret, tx)
      let reading = ServedReading(memory, of: scope, at: moment)
      return try await ServedReading.$current.withValue(reading) {
        let value = try await body(tx)
        return (reading.counted, value)
      }
    }
  }

  /// A list of patients: put on record, and when that is committed, read.
  func list(_ report: Report, _ question: ReportQuestion, _ secret: String) async throws
    -> ReportTable
  {
    let announcement = try await read(secret) { tx in
      try await question.announcement(recalls: report.name == RecallReport.report.name, in: tx)
    }
    let number = try await pool.transaction { tx in
      _ = try await tx.prepared("SELECT FROM rollup.enter(\(secret))")
      return try await announcement.make(tx)
    }
    return try await ServedReading.$current.withValue(ServedReading(list: number)) {
      try await pool.transaction(.repeatableRead) { tx in
        _ = try await tx.prepared("SELECT FROM rollup.enter(\(secret))")
        return try await report.make(question, in: tx)
      }
    }
  }
}

/// A facility, as pages name it.
struct Site: Sendable {
  let id: String
  let name: String
  let state: String
  let district: String
  let block: String?

  /// The facility of a row of a report; nil of another row.
  init?(_ row: ReportTable.Row, of table: ReportTable) {
    func text(_ column: String) -> String? {
      table.place(of: column).flatMap { row.cells[$0].text }
    }
    guard let id = text("facility_id"), let name = text("facility"), let state = text("state"),
      let district = text("district")
    else { return nil }
    self.init(id: id, name: name, state: state, district: district, block: text("block"))
  }

  private init(id: String, name: String, state: String, district: String, block: String?) {
    self.id = id
    self.name = name
    self.state = state
    self.district = district
    self.block = block
  }

  /// The facilities that the token in force opens, by name.
  static func all(_ tx: borrowing Transaction) async throws -> [Site] {
    try await tx.query(
      """
      SELECT id::text, name, state, district, nullif(block, '')
      FROM facilities
      WHERE deleted_at IS NULL
      ORDER BY state, district, block NULLS FIRST, name, id
      """
    ).map { row in
      Site(
        id: try row.decode(0, as: String.self), name: try row.decode(1, as: String.self),
        state: try row.decode(2, as: String.self), district: try row.decode(3, as: String.self),
        block: try row.decode(4, as: String?.self))
    }
  }
}
