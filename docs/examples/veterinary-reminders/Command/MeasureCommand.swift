import ArgumentParser
import Commands
import Foundation
import PeriodRollups
import Postgres
import RollupStore
import VeterinaryReminders

/// `reminders measure`: the three uses beside the large query, and jobs a second.
struct MeasureCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measure",
    abstract: "Time the panel, the night and the queue; CSV on standard output.")
  @OptionGroup var place: Where
  @Option(help: "How many panels.") var panels = 200
  @Option(help: "How many empty jobs.") var jobs = 20_000
  @Option var size = 4

  func run() async throws {
    let pool = Pool(place.settings("reminders"), size: size + 4, acquireTimeout: .seconds(600))
    let clinic = try place.clinic(pool)
    Terminal.print("what,milliseconds,beside")
    try await night(clinic, pool)
    try await panel(clinic, pool)
    try await queue(clinic, pool)
    await pool.close()
  }

  private func milliseconds(_ body: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await body()
    return (ContinuousClock.now - start) / .milliseconds(1)
  }

  private func say(_ what: String, _ time: Double, _ beside: String = "") {
    Terminal.print("\(what),\(String(format: "%.2f", time)),\(beside)")
  }

  // MARK: The panel

  private func panel(_ clinic: Clinic, _ pool: Pool) async throws {
    let patients = try await pool.withConnection {
      try await $0.query(
        "SELECT id FROM clinic.patients ORDER BY md5(id::text) LIMIT \(Int64(panels))"
      ).map { try $0.decode(UUID.self) }
    }
    var (fresh, changed, large): ([Double], [Double], [Double]) = ([], [], [])
    for patient in patients {
      fresh.append(try await milliseconds { _ = try await clinic.panel(of: patient) })
      try await pool.withConnection {
        _ = try await $0.prepared(
          "UPDATE clinic.immunizations SET given_on = given_on - 1 WHERE patient_id = \(patient)")
      }
      changed.append(try await milliseconds { _ = try await clinic.panel(of: patient) })
      large.append(try await milliseconds { try await self.large(patient, pool) })
    }
    for (name, times) in [
      ("panel unchanged", fresh), ("panel after a change", changed),
      ("large query of one patient", large),
    ] {
      let sorted = times.sorted()
      say(name + " p50", sorted[sorted.count / 2])
      say(name + " p95", sorted[sorted.count * 95 / 100])
    }
  }

  /// The large query with the patient outside: as an application would narrow it.
  private func large(_ patient: UUID, _ pool: Pool) async throws {
    try await pool.withConnection {
      _ = try await $0.prepared(
        "SELECT * FROM (\(unescaped: Practice.outstandingByHand.replacing("$1", with: "date '\(place.day)'"))) AS o WHERE patient_id = \(patient)"
      )
    }
  }

  // MARK: The night

  private func night(_ clinic: Clinic, _ pool: Pool) async throws {
    let organization = Practice.id(1)
    let byHand = try await milliseconds {
      try await pool.withConnection {
        _ = try await $0.query(
          Query(
            text: "SELECT count(*) FROM (\(Practice.remindersByHand)) AS r WHERE true",
            binds: [Bind(clinic.projector.present)]))
      }
    }
    say("large query of everybody", byHand)
    for what in ["night: nothing there yet", "night again: nothing changed"] {
      let time = try await working(clinic, pool) {
        try await clinic.projector.begin(
          TriggeredCadence.projection, lens: .where(Of.organization, is: organization),
          on: QueueEngine(clinic.jobs)
        ).wait()
      }
      say(what, time)
    }
    try await pool.withConnection {
      try await $0.script("ANALYZE")
    }
    let all = try await milliseconds {
      try await clinic.projector.begin(
        OutstandingProtocol.projection, lens: .everything, on: InProcess(size: size)
      ).wait()
    }
    say("everybody in process", all)
    let dashboard = try await milliseconds { _ = try await clinic.compliance(of: organization) }
    say("dashboard", dashboard)
  }

  private func working(_ clinic: Clinic, _ pool: Pool, _ body: () async throws -> Void)
    async throws -> Double
  {
    let shift = Shift()
    async let worker: Void = clinic.worker(
      .init(queues: ["projections"], size: size, pollInterval: .milliseconds(20)), send: { _ in }
    ).run(shift)
    let time = try await milliseconds(body)
    shift.end()
    try await worker
    return time
  }

  // MARK: The queue

  private func queue(_ clinic: Clinic, _ pool: Pool) async throws {
    let count = jobs
    let enqueuing = try await milliseconds {
      for start in stride(from: 0, to: count, by: 1000) {
        try await pool.transaction { tx in
          _ = try await clinic.jobs.enqueue(
            (start..<min(start + 1000, count)).map { _ in NewJob("nothing", queue: "measure") },
            in: tx)
        }
      }
    }
    say("enqueue \(count) jobs", enqueuing, "\(Int(Double(count) / enqueuing * 1000)) a second")
    let shift = Shift()
    let worker = Worker(
      clinic.jobs, settings: .init(queues: ["measure"], size: 32, pollInterval: .milliseconds(20)),
      handlers: ["nothing": { _ in }])
    async let running: Void = worker.run(shift)
    let doing = try await milliseconds {
      while try await pool.withConnection({
        try await $0.query(
          "SELECT EXISTS (SELECT FROM rollup.jobs WHERE queue = 'measure' AND state IN ('waiting', 'taken'))"
        ).only(Bool.self)
      }) { try await Task.sleep(for: .milliseconds(50)) }
    }
    shift.end()
    try await running
    say("do \(count) jobs", doing, "\(Int(Double(count) / doing * 1000)) a second")
  }
}
