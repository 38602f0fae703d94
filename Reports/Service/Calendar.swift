import Hypertension
import PeriodRollups
import Postgres
import Reports
import RollupStore

/// What there is to choose from: the periods, and where each stands.
struct Calendar: Sendable {
  let today: CalendarDate
  let timeZone: String
  let grace: Grace
  /// The first day of the programme's first period; nil where that is not decided.
  let firstDay: CalendarDate?
  /// Of each closed period, the first edition first.
  let editions: [Period: [EditionRecord]]

  init(_ tx: borrowing Transaction) async throws {
    // A deployment that is older than the column has none.
    let (day, zone, month, quarter, first) = try await tx.prepared(
      """
      SELECT (now() AT TIME ZONE d.time_zone)::date, d.time_zone, d.month_grace_days, d.quarter_grace_days,
        (to_jsonb(d) ->> 'first_period')::date
      FROM rollup.deployment AS d
      """
    ).only((CalendarDay, String, Int, Int, CalendarDay?).self)
    today = CalendarDate(day)
    timeZone = zone
    grace = Grace(month: month, quarter: quarter)
    firstDay = first.map { CalendarDate($0) }
    editions = Dictionary(
      grouping: try await ServedReading.editions(tx), by: { $0.edition.period }
    ).mapValues { editions in editions.sorted { $0.edition.number < $1.edition.number } }
  }

  // MARK: Where a period stands

  /// The last edition; nil of an open period.
  func last(of period: Period) -> EditionRecord? { editions[period]?.last }

  /// What a view shows: the edition that it names, else the last; nil of an open period.
  func edition(of period: Period, _ view: Asking.View) -> EditionRecord? {
    guard case .edition(let number) = view else { return last(of: period) }
    return editions[period]?.first { $0.edition.number == number }
  }

  /// nil of a closed period.
  func progress(of period: Period) -> PeriodProgress? {
    last(of: period) == nil ? PeriodProgress(period, on: today, grace: grace) : nil
  }

  /// In a word or two: `closed`, `open`, `not over`.
  func standing(of period: Period) -> String { progress(of: period)?.short ?? "closed" }

  // MARK: What there is

  /// The programme's first period of a type; nil where that is not decided.
  func first(_ type: PeriodType) -> Period? { firstDay.map { Period(type, containing: $0) } }

  /// The period of now: none after it has begun.
  func current(_ type: PeriodType) -> Period { Period(type, containing: today) }

  /// - Throws: ``Refusal`` for a period that has not begun, and for one before the programme's first.
  func check(_ period: Period) throws(Refusal) {
    let last = current(period.type)
    guard period <= last else {
      throw .usage("\(period) has not begun: the last \(period.type.word) there is is \(last)")
    }
    guard let first = first(period.type), period < first else { return }
    throw .missing(
      "There is no \(period): the first \(period.type.word) of the programme is \(first).")
  }

  /// The periods of a span that there are: none before the programme's first.
  func known(_ periods: ClosedRange<Period>) -> ClosedRange<Period> {
    guard let first = first(periods.upperBound.type), periods.lowerBound < first,
      first <= periods.upperBound
    else { return periods }
    return first...periods.upperBound
  }

  /// The last quarter that is closed.
  var lastClosed: Period? {
    editions.keys.filter { $0.type == .quarter && $0 >= first(.quarter) ?? $0 }.max()
  }

  /// The last quarter that is over, or the programme's first.
  var usual: Period {
    let over = current(.quarter).advanced(by: -1)
    guard let first = first(.quarter), over < first else { return over }
    return min(first, current(.quarter))
  }

  /// Those of the last years, latest first, and every closed one.
  func periods(_ type: PeriodType) -> [Period] {
    let recent = latest(type == .quarter ? 12 : 24, type)
    let first = first(type)
    let closed = editions.keys.filter { period in
      period.type == type && period < recent.last ?? period && period >= first ?? period
    }
    return recent + closed.sorted(by: >)
  }

  /// The last few, latest first.
  func latest(_ count: Int, _ type: PeriodType) -> [Period] {
    let (now, first) = (current(type), first(type))
    return (0..<count).map { now.advanced(by: -$0) }.filter { $0 == now || $0 >= first ?? $0 }
  }
}
