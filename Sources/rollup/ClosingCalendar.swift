import ArgumentParser
import Commands
import PeriodRollups

extension FirstPeriod {
  /// For people: which it is, by whose decision, or what to say to decide it.
  var sentence: String {
    switch self {
    case .decided(let period): "the first period is \(period)"
    case .firstClosed(let period):
      "the first period is \(period), the first that was closed; 'rollup migrate --first-period' decides another"
    case .undecided(let proposal?):
      "the first period is not decided, and nothing is closed before it is. The data suggest \(proposal.period); "
        + "dated before it: \(proposal.before); from it on: \(proposal.after). "
        + "'rollup migrate --first-period \(proposal.period)' decides it"
    case .undecided(nil):
      "the first period is not decided: 'rollup migrate --first-period 2024Q1' decides it"
    }
  }
}

extension Period {
  /// For the option `--first-period`.
  @Sendable static func parseFirst(_ text: String) throws -> Period {
    let period = try parse(text)
    guard Closing.types.contains(period.type), period.start >= Closing.earliest else {
      throw ValidationError(
        "'\(text)' cannot be the first period. Expected a month or quarter from 1990 on, such as 2024-01 or 2024Q1."
      )
    }
    return period
  }
}

extension Terminal {
  /// Which periods are overdue, and since when; the oldest by name.
  static func say(overdueOf schedule: ClosingSchedule) {
    let most = 8
    let overdue = schedule.overdue
    for (_, sentence) in overdue.prefix(most) { say(sentence) }
    if overdue.count > most {
      say("\(overdue.count - most) more periods are due: 'rollup close --list'")
    }
  }
}
