import PeriodRollups
import Postgres

/// What is published has to be what the sources say.
extension Closer {
  /// Asks the rows themselves, not what is noted of backfills: an import of sources alone, a write past the library, or a late
  /// row that somebody made would become a figure that cannot be taken back.
  ///
  /// Of a period that closes also the open ones of the twelve months up to its end, which its figures look back to.
  /// - Throws: ``Closing/Refusal/differs(_:rows:examples:)``.
  func checkRows(of period: Period, isClosed: Bool, in tx: borrowing Transaction) async throws {
    let last = Period(.month, containing: CalendarDate(daysSince1970: period.end.daysSince1970 - 1))
    let first =
      isClosed ? period : min(Period(.month, containing: period.start), last.advanced(by: -11))
    guard let span = PeriodSpan(from: first, through: period) else { return }
    let values = store.values(of: span)
    // Whole periods are joined: never one row at a time.
    try await tx.execute("SET LOCAL enable_nestloop = off")
    var drifts: [String] = []
    for rollup in store.catalog.mostRecent {
      let statement = isClosed ? rollup.verifyKnown(.everything) : rollup.verify(.everything)
      for row in try await tx.query(store.query(statement, values)) {
        let (kind, type, start, key) = (
          try row.decode(0, as: String.self), try row.decode(1, as: String.self),
          try row.decode(2, as: CalendarDay.self), try row.decode(3, as: String.self)
        )
        // A quarter begins where one of its months does; another period's row says nothing of this one's figures.
        if isClosed, Period(type, start) != period { continue }
        let name = Period(type, start).map { "\($0)" } ?? "a period"
        drifts.append("\(rollup.name) of \(store.catalog.subject.name) \(key) in \(name): \(kind)")
      }
    }
    for count in store.catalog.counts {
      for row in try await tx.query(store.query(count.verify, values)) {
        let (type, start, key) = (
          try row.decode("period_type", as: String.self),
          try row.decode("period_start", as: CalendarDay.self),
          try row.decode("key", as: String.self)
        )
        if isClosed, Period(type, start) != period { continue }
        let name = Period(type, start).map { "\($0)" } ?? "a period"
        drifts.append("\(count.name) of \(key) in \(name): another number")
      }
    }
    for register in store.catalog.registers {
      for row in try await tx.query(store.query(register.verify(.everything), values)) {
        let (kind, key) = (try row.decode(0, as: String.self), try row.decode(1, as: String.self))
        drifts.append("\(register.name) of \(store.catalog.subject.name) \(key): \(kind)")
      }
    }
    try await tx.execute("SET LOCAL enable_nestloop = on")
    guard drifts.isEmpty else {
      throw Closing.Refusal.differs(
        period, rows: drifts.count, examples: Array(drifts.prefix(5)), isClosed: isClosed)
    }
  }
}
