import ArgumentParser
import Commands
import Hypertension
import PeriodRollups
import Postgres

/// `rollup sample-data`: an invented programme to try things on.
struct SampleDataCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "sample-data",
    abstract: "Fill the source tables with an invented health programme.",
    discussion: """
      The same options give the same rows everywhere, so running it again changes nothing; the tables must be empty \
      or hold just this programme. About 15 readings a patient. Only the sources are written: 'rollup-backfill' \
      makes the rollups from them.

      One reading in 1500 has a wrong date, as phones with a wrong clock or calendar send them: no date, the year 16, almost \
      eight years ago, or in forty years. They are there to be tried: 'report data-quality' counts them, and 'rollup verify' \
      looks at their periods, too.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions
  @OptionGroup var span: SpanOptions

  @Option(help: "How many patients.")
  var patients = 10_000

  @Option(help: "Another number, another programme.")
  var seed = 1

  var databaseDescription: String? { database.described }

  func validate() throws {
    guard (1...50_000_000).contains(patients) else {
      throw ValidationError(
        "--patients \(patients): expected 1 to 50000000, for example --patients 10000")
    }
  }

  func execute() async throws {
    let span = try span.span(
      from: Period(parsing: "2018-01"), to: Period(parsing: "2024-12"))
    let programme = SampleProgramme(
      patients: patients, seed: seed, from: span.first, to: span.last)
    // The planner overrates generate_series; compiling such plans took longer than running them.
    let pool = try await database.pool(size: 1, options: ["jit": "off"])
    let store = try await Store(pool)
    let timeZone = store.rollups.timeZone
    try await pool.withConnection { connection in
      guard try await connection.query(programme.isWelcome(timeZone)).only(Bool.self) else {
        throw Failure.usage(
          "the source tables hold other rows; sample data is written to empty tables only. "
            + "Name another database with --database-url.")
      }
      try await write(programme, timeZone, on: connection)
    }
    let whole = try await store.rollups.spanOfSources()
    await pool.close()
    Terminal.say("Only the sources are written. Next: \(Backfilling.advice(whole ?? span))")
    if let whole, whole != span {
      Terminal.say(
        "(Some readings have wrong dates on purpose, so that you see what becomes of them: 'report data-quality' counts them.)"
      )
    }
  }

  private func write(
    _ programme: SampleProgramme, _ timeZone: String, on connection: Connection
  ) async throws {
    let started = ContinuousClock.now
    let steps = programme.statements(timeZone: timeZone)
    try await connection.script(SampleProgramme.forget)
    for (index, step) in steps.enumerated() {
      let rows = try await connection.execute(step.query)
      let seconds = ((ContinuousClock.now - started) / .seconds(1)).formatted(
        .number.precision(.fractionLength(1)))
      Terminal.say("\(index + 1)/\(steps.count) \(step.what): \(rows.grouped) rows, \(seconds) s")
    }
    try await connection.script(SampleProgramme.forget)
    // The planner should know the tables before a backfill or a report asks.
    try await connection.script(
      "ANALYZE facilities, patients, blood_pressures, blood_sugars, visits")
  }
}
