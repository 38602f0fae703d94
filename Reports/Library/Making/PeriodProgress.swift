import PeriodRollups

/// How far a period has come that is not closed: its figures are not final, and for another reason each.
public enum PeriodProgress: Hashable, Sendable {
  /// Its first day is still to come.
  case notBegun
  /// It has begun and is not over.
  case running
  /// It is over and takes late data.
  case over
  /// It is over, and the day has passed on which it should have been closed.
  case overdue

  /// - Parameters:
  ///   - today: the day it is in the reporting time zone.
  ///   - grace: how long periods take late data.
  public init(_ period: Period, on today: CalendarDate, grace: Grace) {
    let standing = ClosingSchedule.Standing(
      open: period, on: today, closes: grace.closes(period))
    self =
      switch standing {
      case .notBegun: .notBegun
      case .notOver: .running
      // On the very day it is not late.
      case .inGrace, .due(_, 0), .closed: .over
      case .due: .overdue
      }
  }

  /// Behind a period's name: `2026Q4, not over`.
  public var short: String {
    switch self {
    case .notBegun: "not begun"
    case .running: "not over"
    case .over: "open"
    case .overdue: "open, overdue"
    }
  }

  /// What to make of the period's figures.
  public func remark(_ period: Period, grace: Grace) -> String {
    let closes = grace.closes(period)
    switch self {
    case .notBegun: return "none yet: the period begins on \(period.start)"
    case .running:
      return
        "so far: the period ends on \(period.lastDay); they can still change; closes on \(closes)"
    case .over: return "can still change; closes on \(closes)"
    case .overdue: return "can still change; overdue since \(closes), when it should have closed"
    }
  }
}
