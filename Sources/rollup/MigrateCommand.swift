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

  var databaseDescription: String? { database.described }

  func execute() async throws {
    let pool = try await database.pool()
    let outcome = try await Migrator(Rollups.catalog).run(pool, timeZone: timeZone)
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
