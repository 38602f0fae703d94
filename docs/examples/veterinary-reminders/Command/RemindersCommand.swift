import ArgumentParser
import Commands
import Foundation
import PeriodRollups
import Postgres
import RollupStore
import VeterinaryReminders

/// The example as a program: to try it, to kill it, and to measure it. `rollup migrate` comes first.
@main
struct RemindersCommand: Program {
  static let configuration = CommandConfiguration(
    commandName: "reminders", abstract: "Veterinary reminders on the projection graph.",
    version: projectVersion,
    subcommands: [
      CreateCommand.self, WorkerCommand.self, NightCommand.self, MeasureCommand.self,
      GraphCommand.self,
    ])

  static func main() async { await start() }
}

struct Where: ParsableArguments {
  @Option(help: "The database's URL; without it DATABASE_URL.") var databaseURL: String?
  @Option(help: "The day, YYYY-MM-DD.") var day = "2024-06-15"

  func settings(_ name: String) -> ConnectionSettings {
    let environment = ProcessInfo.processInfo.environment["DATABASE_URL"]
    return ConnectionSettings(
      conninfo: databaseURL ?? environment ?? "", applicationName: name)
  }

  func clinic(_ pool: Pool, lease: Double = 30, chunkSize: Int = 1000) throws -> Clinic {
    guard let date = CalendarDate(fieldText: day) else {
      throw ValidationError("'\(day)' is no day: expected YYYY-MM-DD")
    }
    return try Clinic(
      pool, timeZone: "UTC", policy: JobPolicy(lease: .seconds(lease)), chunkSize: chunkSize,
      today: { CalendarDay(date) })
  }
}

/// `reminders create`
struct CreateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Make the practice's tables with invented patients.")
  @OptionGroup var place: Where
  @Option var patients = 1000
  @Option var organizations = 2

  func run() async throws {
    let pool = Pool(place.settings("reminders"), size: 2)
    try await pool.withConnection { connection in
      try await connection.script(Practice.schema)
      try await connection.script(
        Practice.sample(patients: patients, organizations: organizations))
      try await connection.script(
        "CREATE TABLE clinic.sent (key text, at timestamptz DEFAULT now())")
    }
    try await place.clinic(pool).projector.deploy()
    await pool.close()
  }
}

/// `reminders worker`
struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Derive, and send reminders: into a table, here.")
  @OptionGroup var place: Where
  @Option var lease = 30.0
  @Option var chunk = 1000
  @Option var size = 4

  func run() async throws {
    let name = Worker.newName()
    let pool = Pool(place.settings("reminders").sessions(of: name), size: size + 4)
    let clinic = try place.clinic(pool, lease: lease, chunkSize: chunk)
    try await clinic.worker(
      .init(
        queues: ["projections", "actions", "default"], size: size, pollInterval: .milliseconds(50)),
      named: name
    ) { reminder in
      try await pool.withConnection { connection in
        _ = try await connection.prepared("INSERT INTO clinic.sent (key) VALUES (\(reminder.key))")
      }
    }.run()
  }
}

/// `reminders night`
struct NightCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "night", abstract: "Ask for an organization's reminders.")
  @OptionGroup var place: Where
  @Option var organization = 1

  func run() async throws {
    let pool = Pool(place.settings("reminders"), size: 2)
    let clinic = try place.clinic(pool)
    try await clinic.jobs.enqueue(clinic.nightlyJob(for: Practice.id(organization)))
    await pool.close()
  }
}

/// `reminders graph`
struct GraphCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "What is derived from what, and what the last night took.")
  @OptionGroup var place: Where
  @Flag(help: "As a picture (SVG).") var svg = false

  func run() async throws {
    let pool = Pool(place.settings("reminders"), size: 1)
    let projector = try place.clinic(pool).projector
    let notes = try await projector.history().mapValues(\.description)
    await pool.close()
    let drawing = GraphDrawing(projector.graph, notes: notes)
    Terminal.print(svg ? drawing.svg : drawing.text)
  }
}
