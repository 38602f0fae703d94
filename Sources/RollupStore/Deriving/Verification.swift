import PeriodRollups
import Postgres

/// One way in which a rollup differs from the plain query over the sources. Keys only, never values of patients.
public struct Drift: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The sources have an event; the rollup has no row.
    case missing
    /// The rollup has a row; the sources have no event.
    case orphan
    /// The row holds another event than the most recent.
    case stale
    /// The right event with other values, or another count.
    case wrongValue = "wrong value"
  }

  public let kind: Kind
  public let rollup: String
  /// Nil for a register, which has no periods.
  public let period: Period?
  /// The key of the subject, or what a count is by.
  public let key: String
  /// What the sources say: an event's id or a count.
  public let expected: String?
  /// What the rollup says.
  public let actual: String?
}

extension RollupStore {
  /// Compares a chunk's rows of the span's open periods with the plain query.
  /// - Parameter asKnownNow: the closed periods instead, with what came late.
  public func verify<Key: PostgresKey>(
    _ chunk: Chunk<Key>, in span: PeriodSpan, asKnownNow: Bool = false
  ) async throws -> [Drift] {
    let values = chunk.values.merging(self.values(of: span)) { $1 }
    var drifts: [Drift] = []
    for rollup in catalog.mostRecent {
      let statement =
        asKnownNow ? rollup.verifyKnown(chunk.lens) : rollup.verify(chunk.lens)
      let rows = try await rows(statement, values)
      for row in rows {
        let (kind, type, start, key, expected, actual) = try row.decode(
          (String, String, CalendarDay, String, String?, String?).self)
        drifts.append(
          Drift(
            kind: Drift.Kind(rawValue: kind) ?? .wrongValue, rollup: rollup.name,
            period: Period(type, start), key: key, expected: expected, actual: actual))
      }
    }
    for register in catalog.registers {
      for row in try await rows(register.verify(chunk.lens), values) {
        let (kind, key) = (
          try row.decode(0, as: String.self), try row.decode(1, as: String.self)
        )
        drifts.append(
          Drift(
            kind: Drift.Kind(rawValue: kind) ?? .wrongValue, rollup: register.name, period: nil,
            key: key, expected: nil, actual: nil))
      }
    }
    return drifts
  }

  /// Compares the counts of the span's periods with the sources.
  public func verifyCounts(in span: PeriodSpan) async throws -> [Drift] {
    var drifts: [Drift] = []
    for count in catalog.counts { drifts += try await verify(count, in: span) }
    return drifts
  }

  /// Compares one count.
  public func verify(_ count: PeriodCount, in span: PeriodSpan) async throws -> [Drift] {
    try await rows(count.verify, values(of: span)).map { row in
      let (type, start, key, expected, actual) = (
        try row.decode("period_type", as: String.self),
        try row.decode("period_start", as: CalendarDay.self),
        try row.decode("key", as: String.self), try row.decode("expected", as: Int.self),
        try row.decode("actual", as: Int.self)
      )
      return Drift(
        kind: .wrongValue, rollup: count.name, period: Period(type, start), key: key,
        expected: String(expected), actual: String(actual))
    }
  }

  private func rows(_ statement: Statement, _ values: Values) async throws -> Rows {
    let query = try query(statement, values)
    return try await pool.withConnection { try await $0.query(query) }
  }
}

extension Period {
  /// The period that a rollup row names; nil for a row that was written into a wrong one by hand.
  init?(_ code: String, _ start: CalendarDay) {
    guard let type = PeriodType(code: code) else { return nil }
    self.init(type, containing: CalendarDate(daysSince1970: Int(start.daysSince2000) + 10_957))
  }
}
