import ArgumentParser
import Commands
import Foundation
import Hypertension
import Postgres

/// `benchmark writes`: durable single writes on several connections at once, each after a look-up
/// of a random patient, as in the pgbench scripts beside it.
struct WritesCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "writes",
    abstract: "Print how many readings a second are written one by one, each durable.",
    discussion: "Patients come from the table numbered_patients, which run.sh makes.")

  enum Way: String, CaseIterable, ExpressibleByArgument {
    /// A prepared INSERT through the client.
    case bare
    /// `store.record(reading)`.
    case library
  }

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions
  @Argument(help: "bare: an INSERT through the client. library: store.record(reading).")
  var way: Way
  @Option(help: "How many at a time.") var connections = 4
  @Option(help: "For how long.") var seconds = 8

  var databaseDescription: String? { database.described }

  func execute() async throws {
    let pool = try await database.pool(size: connections)
    let writer = Writer(
      way: way, pool: pool, store: try await Store(pool), patients: try await patients(pool))
    // Connected, and the statements prepared.
    _ = try await written(by: writer, for: .milliseconds(300))
    let clock = ContinuousClock()
    let start = clock.now
    let count = try await written(by: writer, for: .seconds(seconds))
    let elapsed = start.duration(to: clock.now) / .seconds(1)
    await pool.close()
    Terminal.print(String(Int((Double(count) / elapsed).rounded())))
  }

  private func patients(_ pool: Pool) async throws -> Int {
    try await pool.withConnection {
      try await $0.query("SELECT count(*) FROM numbered_patients").only(Int.self)
    }
  }

  private func written(by writer: Writer, for duration: Duration) async throws -> Int {
    let deadline = ContinuousClock.now + duration
    return try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<connections {
        group.addTask {
          var count = 0
          while ContinuousClock.now < deadline {
            try await writer.write()
            count += 1
          }
          return count
        }
      }
      return try await group.reduce(0, +)
    }
  }
}

/// Looks up a random patient and writes a reading of it.
private struct Writer: Sendable {
  let way: WritesCommand.Way
  let pool: Pool
  let store: Store
  /// How many patients there are to choose from.
  let patients: Int

  func write() async throws {
    let number = Int.random(in: 1...patients)
    let (patient, facility) = try await pool.withConnection {
      try await $0.prepared(
        "SELECT id, facility_id FROM numbered_patients WHERE number = \(number)"
      ).only((UUID, UUID?).self)
    }
    let recordedAt = Self.quarter + TimeInterval(Int.random(in: 0...90 * 86_400))
    switch way {
    case .bare:
      // 131/131 marks what run.sh removes again, because no rollup knows of it.
      try await pool.withConnection {
        try await $0.prepared(
          """
          INSERT INTO blood_pressures (patient_id, id, recorded_at, facility_id, systolic, diastolic)
          VALUES (\(patient), \(UUID()), \(recordedAt), \(facility), \(Int32(131)), \(Int32(131)))
          """)
      }
    case .library:
      try await store.record(
        Reading(
          patientID: patient, facilityID: facility, systolic: 130, diastolic: 80,
          recordedAt: recordedAt))
    }
  }

  /// 2024-04-01 in UTC: the readings are of the second quarter.
  private static let quarter = Date(timeIntervalSince1970: 1_711_929_600)
}
