import ArgumentParser
import CSV
import Commands
import Foundation
import Hypertension
import Postgres

/// `benchmark load`: the readings of a file, all at once.
struct LoadCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Print how many seconds it takes to write the readings of a CSV file.",
    discussion: """
      The file has the columns id, patient_id, facility_id, systolic, diastolic and recorded_at, in \
      that order, after a header. Reading it into memory is not counted.
      """)

  enum Way: String, CaseIterable, ExpressibleByArgument {
    /// COPY to the source table through the client.
    case copy
    /// `store.record(batch)` with batches of 20,000, as an import has.
    case record
  }

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions
  @Argument(help: "copy: a bare COPY through the client. record: store.record(batch).")
  var way: Way
  @Argument(help: "The file.", completion: .file()) var file: String

  var databaseDescription: String? { database.described }

  private static let batch = 20_000

  func execute() async throws {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
    let pool = try await database.pool(size: 1)
    let store = try await Store(pool)
    let elapsed =
      switch way {
      case .copy: try await copy(bytes, pool)
      case .record: try await record(try readings(bytes), store)
      }
    await pool.close()
    Terminal.print(String(format: "%.2f", elapsed / .seconds(1)))
  }

  private func copy(_ bytes: [UInt8], _ pool: Pool) async throws -> Duration {
    try await ContinuousClock().measure {
      try await pool.withConnection { connection in
        _ = try await connection.copyIn(
          """
          COPY blood_pressures (id, patient_id, facility_id, systolic, diastolic, recorded_at)
          FROM STDIN WITH (FORMAT csv, HEADER)
          """
        ) { copy in
          for start in stride(from: 0, to: bytes.count, by: 1 << 16) {
            try await copy.write(bytes[start..<min(start + 1 << 16, bytes.count)])
          }
        }
      }
    }
  }

  private func record(_ readings: [Reading], _ store: Store) async throws -> Duration {
    try await ContinuousClock().measure {
      for start in stride(from: 0, to: readings.count, by: Self.batch) {
        let batch = Array(readings[start..<min(start + Self.batch, readings.count)])
        try await store.record(batch)
      }
    }
  }

  private func readings(_ bytes: [UInt8]) throws -> [Reading] {
    var records: [CSVRecord] = []
    let parser = CSVParser()
    try parser.feed(bytes[...]) { records.append($0) }
    try parser.finish { records.append($0) }
    return try records.dropFirst().map { record in
      let fields = record.fields
      guard fields.count == 6, let id = UUID(uuidString: fields[0]),
        let patient = UUID(uuidString: fields[1]), let systolic = Int(fields[3]),
        let diastolic = Int(fields[4])
      else { throw Failure.data("\(file):\(record.line): not a reading") }
      return Reading(
        id: id, patientID: patient, facilityID: UUID(uuidString: fields[2]), systolic: systolic,
        diastolic: diastolic, recordedAt: try Date(fields[5], strategy: .iso8601))
    }
  }
}
