import ArgumentParser
import Commands
import Hypertension
import Logging
import PeriodRollups
import Postgres
import RollupStore
import ServiceLifecycle

/// `rollup worker`: does jobs until it is told to stop.
struct WorkerCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "Take jobs and do them, until SIGTERM or SIGINT.",
    discussion: """
      Any number of workers on any machines share the queues. Told to stop, a worker takes no more, finishes what it has \
      within --drain seconds and puts the rest back. Killed, it is taken for dead after --lease seconds, and others do its \
      jobs.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions

  @Option(help: "The queues to take from, with commas.")
  var queues = "projections,default"

  @Option(help: "How many jobs at a time.")
  var size = 4

  @Option(
    help: "Seconds of silence after which a worker is taken for dead; the same for all workers.")
  var lease = 30.0

  @Option(help: "Seconds that jobs in hand may go on when it is told to stop.")
  var drain = 30.0

  @Flag(help: "Say of each job that it is done.")
  var verbose = false

  var databaseDescription: String? { database.described }

  func validate() throws {
    guard (1...100).contains(size) else {
      throw ValidationError("--size must be between 1 and 100")
    }
    guard (0.1...86_400).contains(lease) else {
      throw ValidationError("--lease must be between 0.1 and 86400 seconds")
    }
    guard (0...86_400).contains(drain) else {
      throw ValidationError("--drain must be between 0 and 86400 seconds")
    }
  }

  func execute() async throws {
    let name = Worker.newName()
    let settings = try await database.settings(applicationName: Terminal.program).sessions(of: name)
    let pool = Pool(settings, size: size + 3)
    try await DatabaseOptions.checkSources(pool)
    let store = try await RollupStore(pool, Rollups.catalog)
    let jobs = Jobs(pool, policy: JobPolicy(lease: .seconds(lease)))
    var logger = Logger(label: "rollup") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = verbose ? .debug : .info
    let projector = Projector(
      pool, try Rollups.graph(), timeZone: store.timeZone, rollups: store, logger: logger)
    let worker = Worker(
      jobs, name: name,
      settings: .init(
        queues: queues.split(separator: ",").map(String.init), size: size,
        drainLimit: .seconds(drain)),
      handlers: QueueEngine(jobs).handlers(for: projector), listening: settings,
      schedules: Schedules(jobs, timeZone: store.timeZone), logger: logger)
    let group = ServiceGroup(
      configuration: .init(
        services: [
          .init(
            service: WorkerService(worker: worker, greeting: "\(name) takes from \(queues)"),
            successTerminationBehavior: .gracefullyShutdownGroup)
        ], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
    await pool.close()
    Terminal.say("\(name) has gone home")
  }
}

/// A worker, as a service that a group starts and stops.
private struct WorkerService: Service {
  let worker: Worker
  let greeting: String

  func run() async throws {
    let shift = Shift()
    // By now signals are listened to: whoever reads it may send one.
    Terminal.say(greeting)
    try await withGracefulShutdownHandler {
      try await worker.run(shift)
    } onGracefulShutdown: {
      shift.end()
    }
  }
}
