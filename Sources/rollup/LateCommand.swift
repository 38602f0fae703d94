import ArgumentParser
import Commands
import Foundation
import Hypertension
import PeriodRollups
import Postgres
import RollupStore

/// `rollup late`.
struct LateCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "late",
    abstract: "Sum, or list, what closed periods could not take.",
    discussion: """
      CSV on standard output. The sum has the events by change (insert, edit, delete, restore, destroy, reassign, merge, \
      arrival and departure of a patient, backfill) and effect on the period (in, out, within), and as 'net' the rows of \
      each rollup that would be others now. The list has every entry, with the event that the period's row holds and \
      the one that it would hold now. Ids only.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions

  @Option(help: "Only this month or quarter.", transform: Period.parse)
  var period: Period?

  @Option(help: "Only patients who are assigned to a facility of this district today.")
  var district: String?

  @Option(help: "Only of this state.")
  var state: String?

  @Flag(help: "List the entries.")
  var list = false

  @Flag(help: "Also what a restatement has taken in since.")
  var all = false

  var databaseDescription: String? { database.described }

  func execute() async throws {
    let pool = try await database.pool(size: 1)
    let store = try await RollupStore(pool, Rollups.catalog)
    if let period, try await store.editions(of: period).isEmpty {
      throw Closing.Refusal.open(period)
    }
    let region = try await region(pool)
    let late = LateArrivals(
      period: period, district: region.district, state: region.state, includingTakenIn: all)
    let count = try await list ? write(late, pool) : sum(late, pool)
    await pool.close()
    if count == 0 { Terminal.say("nothing has come late") }
  }

  private func sum(_ late: LateArrivals, _ pool: Pool) async throws -> Int {
    let sums = try await late.sums(pool)
    guard !sums.isEmpty else { return 0 }
    Terminal.print(record: [
      "period", "kind", "change", "effect", "count", "patients", "first_arrived_at",
      "last_arrived_at",
    ])
    for sum in sums {
      Terminal.print(record: [
        sum.period.description, sum.kind, sum.change, sum.effect, "\(sum.count)",
        "\(sum.patients)", sum.first?.description ?? "", sum.last?.description ?? "",
      ])
    }
    return sums.count
  }

  private func write(_ late: LateArrivals, _ pool: Pool) async throws -> Int {
    var count = 0
    try await late.entries(pool) { entry in
      if count == 0 {
        Terminal.print(record: [
          "arrived_at", "change", "effect", "source", "patient_id", "row_id", "period",
          "occurred_at", "published_row", "row_now",
        ])
      }
      // Without a late row the period's row is what it would be.
      Terminal.print(record: [
        entry.arrivedAt.description, entry.change, entry.effect, entry.source,
        entry.patient.uuidString.lowercased(), entry.row, entry.period.description,
        entry.occurredAt?.description ?? "", entry.published ?? "", entry.now ?? "",
      ])
      count += 1
    }
    return count
  }

  /// What is asked for, as the facilities spell it.
  /// - Throws: ``UnknownRegion``.
  private func region(_ pool: Pool) async throws -> RegionFilter {
    let regions = try await pool.withConnection { connection in
      try await connection.query("SELECT DISTINCT state, district FROM facilities").map {
        try $0.decode((String, String).self)
      }
    }
    return try RegionFilter(state: state, district: district).checked(among: regions)
  }
}
