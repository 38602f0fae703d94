import PeriodRollups
import Postgres

/// The periods of a span, as the statements that compare instants with their bounds take them.
struct PeriodBuckets: Sendable {
  /// Of each type, consecutive periods.
  private let periods: [PeriodType: [Period]]
  /// Of each type, when they begin, and when the last ends.
  private let bounds: [PeriodType: [Timestamp]]

  /// - Returns: nil where a clock was set back across the beginning of a period: no instant tells it then.
  init?(
    _ span: PeriodSpan, _ types: [PeriodType], of store: RollupStore, in tx: borrowing Transaction
  ) async throws {
    var (periods, bounds) = ([PeriodType: [Period]](), [PeriodType: [Timestamp]]())
    for type in types {
      let all = Array(span.periods(of: type))
      let days = (all.map(\.start) + all.suffix(1).map(\.end)).map { CalendarDay($0) }
      let query = try store.query(Buckets.beginnings, ["period_starts": Bind(days)])
      let (instants, isExact) = try await tx.query(query).only(([Timestamp], Bool).self)
      guard isExact else { return nil }
      (periods[type], bounds[type]) = (all, instants)
    }
    (self.periods, self.bounds) = (periods, bounds)
  }

  /// The periods of some types.
  func all(_ types: [PeriodType]) -> [Period] { types.flatMap { periods[$0] ?? [] } }

  /// Whether there is such a period.
  func contains(where isWanted: (Period) -> Bool) -> Bool {
    periods.values.contains { $0.contains(where: isWanted) }
  }

  /// The values of ``Parameter/starts(of:)`` and ``Parameter/bounds(of:)``, and of ``Parameter/first(of:)``,
  /// ``Parameter/last(of:)`` and ``Parameter/gaps(of:)``.
  func values(where isWanted: (Period) -> Bool) -> Values {
    var values: Values = [:]
    for (type, periods) in periods {
      let starts = periods.map { isWanted($0) ? CalendarDay($0.start) : nil }
      values[Parameter.starts(of: type).name] = Bind(starts)
      values[Parameter.bounds(of: type).name] = Bind(bounds[type] ?? [])
      // From the first that is asked for to the last, and what is between them and is not.
      let asked = periods.indices.filter { isWanted(periods[$0]) }
      let (first, last) = (asked.first.map { periods[$0] }, asked.last.map { periods[$0] })
      let between = periods[(asked.first ?? 0)..<(asked.last ?? 0)]
      values[Parameter.first(of: type).name] = Bind(first.map { CalendarDay($0.start) })
      values[Parameter.last(of: type).name] = Bind(last.map { CalendarDay($0.start) })
      values[Parameter.gaps(of: type).name] = Bind(
        between.filter { !isWanted($0) }.map { CalendarDay($0.start) })
    }
    return values
  }
}
