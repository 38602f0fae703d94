import Commands
import PeriodRollups
import Postgres
import Reports
import RollupStore

/// What is said of a period that is not over.
extension ReportSubcommand {
  /// Notes on standard error that the last period is not over.
  /// - Throws: ``Failure`` of usage for one that has not begun.
  func checkBegun(_ question: ReportQuestion, _ pool: Pool) async throws {
    guard Definition.report.parameters.contains(.quarter), question.days == nil else { return }
    let today = try await Deployment.today(pool)
    let period = question.period
    let standing = ClosingSchedule.Standing(open: period, on: today, closes: period.end)
    guard let sentence = standing.sentence(on: period) else { return }
    switch standing {
    case .notBegun:
      let last = Period(period.type, containing: today)
      throw Failure.usage("\(sentence). The last \(period.type.word) there is is \(last).")
    case .notOver: Terminal.say("\(sentence); figures as of today, \(today)")
    case .inGrace, .due, .closed: break
    }
  }
}
