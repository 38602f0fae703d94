import ArgumentParser
import Commands
import Hypertension
import RollupStore

/// `rollup migrate`: brings the database to what this program expects.
struct MigrateCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Create or update the tables; set the reporting time zone.",
    discussion: """
      Applies the numbered migrations in order, once each, then makes the tables and partitions of the rollups. Safe to \
      run again, and from two places at once. The time zone is set once: it decides which month a reading is in.
      """)

  @OptionGroup var database: DatabaseOptions

  @Option(help: "The reporting time zone, an IANA name such as Asia/Kolkata. Default: UTC.")
  var timeZone: String?

  @Option(
    help: "Days after its end in which a month or quarter still takes late data. Default: 15.")
  var grace: Int?

  @Option(help: "The same for months only.")
  var monthGrace: Int?

  @Option(help: "The same for quarters only.")
  var quarterGrace: Int?

  var databaseDescription: String? { database.described }

  func validate() throws {
    for (name, days) in [
      ("--grace", grace), ("--month-grace", monthGrace), ("--quarter-grace", quarterGrace),
    ] {
      guard let days, !(0...3650).contains(days) else { continue }
      throw ValidationError("\(name) \(days): expected a number of days from 0 to 3650, such as 15")
    }
  }

  func execute() async throws {
    let pool = try await database.pool()
    let outcome = try await Migrator.programme.run(pool, timeZone: timeZone)
    let (month, quarter) = (monthGrace ?? grace, quarterGrace ?? grace)
    if month != nil || quarter != nil {
      let kept = try await Deployment.set(month: month, quarter: quarter, on: pool)
      Terminal.say(
        "months take late data for \(kept.month) days after their end, quarters for \(kept.quarter)"
      )
    }
    if !outcome.missingRoles.isEmpty {
      Terminal.say(
        """
        the roles were not made: this database role may not. Let a superuser run this, and migrate again:
          \(outcome.missingRoles.joined(separator: "\n  "))
        """)
    }
    for name in outcome.applied { Terminal.say("applied \(name)") }
    if outcome.partitions > 0 { Terminal.say("made \(outcome.partitions) partitions") }
    Terminal.say("the database is up to date; reporting time zone \(outcome.timeZone)")
    if timeZone == nil, outcome.timeZone == "UTC", outcome.applied.contains("0002_deployment") {
      Terminal.say(
        "(UTC because no --time-zone was given; it can be changed as long as nothing has been recorded)"
      )
    }
    await pool.close()
  }
}
