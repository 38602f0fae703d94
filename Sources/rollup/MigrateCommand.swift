import ArgumentParser
import Commands
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// `rollup migrate`: brings the database to what this program expects.
struct MigrateCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Create or update the tables; set the reporting time zone.",
    discussion: """
      Applies the numbered migrations in order, once each, then brings the tables of the rollups to what is declared. \
      Writers go on: each step waits for a lock for a moment only, and is tried again. Safe to run again, and from two \
      places at once; one that is killed is gone on with. '--plan' prints the SQL instead. docs/schema-changes.md has \
      examples. The time zone is set once: it decides which month a reading is in.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions

  @Flag(help: "Print the SQL that would be executed, in order, and change nothing.")
  var plan = false

  @Flag(
    help:
      "Also drop columns, period types and rollups that are declared no more, as far as no edition rests on them."
  )
  var drop = false

  @Option(help: "The reporting time zone, an IANA name such as Asia/Kolkata. Default: UTC.")
  var timeZone: String?

  @Option(
    help: "Days after its end in which a month or quarter still takes late data. Default: 15.")
  var grace: Int?

  @Option(help: "The same for months only.")
  var monthGrace: Int?

  @Option(help: "The same for quarters only.")
  var quarterGrace: Int?

  @Option(
    help:
      "The first month or quarter whose figures are published, such as 2024-01 or 2024Q1. Nothing before it is ever closed.",
    transform: Period.parseFirst)
  var firstPeriod: Period?

  var databaseDescription: String? { database.described }

  func validate() throws {
    for (name, days) in [
      ("--grace", grace), ("--month-grace", monthGrace), ("--quarter-grace", quarterGrace),
    ] {
      guard let days, !(0...3650).contains(days) else { continue }
      throw ValidationError("\(name) \(days): expected a number of days from 0 to 3650, such as 15")
    }
    if plan, grace != nil || monthGrace != nil || quarterGrace != nil || firstPeriod != nil {
      throw ValidationError("--plan changes nothing: leave the grace and the first period out")
    }
  }

  func execute() async throws {
    let pool = try await database.pool()
    if plan { return try await printPlan(pool) }
    let outcome = try await Migrator.programme.run(
      pool, timeZone: timeZone, dropping: drop,
      report: { step in if !step.hasPrefix("make the partition") { Terminal.say(step) } })
    if outcome.missingRoles.isEmpty { try await Filing.refreshIfUsed(pool) }
    let (month, quarter) = (monthGrace ?? grace, quarterGrace ?? grace)
    if month != nil || quarter != nil {
      let kept = try await Deployment.set(month: month, quarter: quarter, on: pool)
      Terminal.say(
        "months take late data for \(kept.month) days after their end, quarters for \(kept.quarter)"
      )
    }
    if let firstPeriod {
      try await Deployment.set(firstPeriod: firstPeriod, on: pool)
      Terminal.say("the first period is \(firstPeriod): nothing before it is published")
    }
    if !outcome.missingRoles.isEmpty {
      Terminal.say(
        """
        the roles were not made: this database role may not. Let a superuser run this, and migrate again:
          \(outcome.missingRoles.joined(separator: "\n  "))
        """)
    }
    for remark in outcome.remarks { Terminal.say(remark) }
    if outcome.partitions > 0 { Terminal.say("made \(outcome.partitions) partitions") }
    Terminal.say("the database is up to date; reporting time zone \(outcome.timeZone)")
    if timeZone == nil, outcome.timeZone == "UTC", outcome.applied.contains("0002_deployment") {
      Terminal.say(
        "(UTC because no --time-zone was given; it can be changed as long as nothing has been recorded)"
      )
    }
    await pool.close()
  }

  private func printPlan(_ pool: Pool) async throws {
    let plan = try await Migrator.programme.plan(pool, timeZone: timeZone, dropping: drop)
    Terminal.print(plan.description)
    for remark in plan.remarks { Terminal.say(remark) }
    await pool.close()
  }
}
